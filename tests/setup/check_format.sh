#!/usr/bin/env bash
# Every C++ source is as clang-format 14 (Debian 12) lays it out. Other versions differ in details, so they don't count.
set -euo pipefail

for program in clang-format-14 clang-format ""; do
  if [[ $program && $("$program" --version 2>/dev/null) == *"version 14."* ]]; then break; fi
done
if [[ -z $program ]]; then
  echo "clang-format 14 not found"
  exit 77
fi
if ! sources=$(git ls-files '*.cpp' '*.hpp'); then
  echo "not a git checkout"
  exit 77
fi
mapfile -t sources <<<"$sources"
if ! report=$("$program" --dry-run -Werror "${sources[@]}" 2>&1); then
  wrong=$(sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: error: .*/\1/p' <<<"$report" | sort -u | tr '\n' ' ')
  if [[ $wrong ]]; then echo "not formatted; cure: $program -i $wrong"; else echo "$report"; fi
  exit 1
fi
echo "${#sources[@]} files are formatted"
