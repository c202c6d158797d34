# A sweep's table: one run a line, columns separated by tabs: name, deck, then one KEY=VALUE a column, as many as there are. Lines that
# are empty or start with # don't count. Sourced by the sweep's scripts.
# shellcheck shell=bash

# read_table FILE: sets names, decks and settings (KEY=VALUE joined by tabs), one element a run; fails with 65 or 66 and says why.
read_table() {
  local table=$1 line number=0 name deck rest known=$'\n'
  names=() decks=() settings=()
  [[ -f $table ]] || fail "no table $table" 66
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    [[ -n ${line//[[:space:]]/} && $line != \#* ]] || continue
    IFS=$'\t' read -r name deck rest <<<"$line"
    [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
      fail "$table:$number: expected a name of letters, digits and . _ -, which becomes a folder; found '$name'" 65
    [[ $known != *$'\n'"$name"$'\n'* ]] || fail "$table:$number: a second run named $name" 65
    [[ -f $deck ]] || fail "$table:$number: no deck '$deck' (columns are separated by tabs, paths relative to $PWD)" 65
    known+=$name$'\n'
    names+=("$name") decks+=("$deck") settings+=("$rest")
  done <"$table"
  ((${#names[@]} > 0)) || fail "$table: no run in it; expected lines of name, deck, KEY=VALUE ..." 65
}
