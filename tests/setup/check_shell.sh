#!/usr/bin/env bash
# Every shell script of the tree passes shellcheck.
set -euo pipefail

if ! command -v shellcheck >/dev/null; then
  echo "shellcheck not found"
  exit 77
fi
if ! files=$(git ls-files --cached --others --exclude-standard); then
  echo "not a git checkout"
  exit 77
fi
scripts=()
while read -r file; do
  if [[ -f $file && ($file == *.sh || $file == *.sbatch || $(head -c 64 "$file" | head -n 1 | tr -d '\0') =~ ^#!.*(bash|/sh)) ]]; then
    scripts+=("$file")
  fi
done <<<"$files"
shellcheck --external-sources "${scripts[@]}"
echo "${#scripts[@]} scripts are clean"
