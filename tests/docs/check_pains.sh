#!/usr/bin/env bash
# docs/pains.md names a test for each pain and each fault: is every one of them there?
set -u
: "${PATIO:?}" "${PATIO_SOURCE:?}" "${PATIO_BUILD:?}"
page=$PATIO_SOURCE/docs/pains.md
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
complain() {
    echo "docs/pains.md: $*"
    failed=1
}
"$PATIO" conform --list | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p' >"$scratch/cases"
ctest --test-dir "$PATIO_BUILD" -N | sed -n 's/^ *Test *#[0-9]*: //p' >"$scratch/tests"
grep -rhoE --include='*.c' '(cmocka_unit_test[a-z_]*\(|^static void )[a-z_0-9]+' "$PATIO_SOURCE/tests" |
    sed 's/.*[( ]//' >"$scratch/functions"
[ "$(wc -l <"$scratch/cases")" -gt 100 ] || complain "patio conform --list shows no cases"
[ "$(wc -l <"$scratch/tests")" -gt 100 ] || complain "ctest -N shows no tests"

# shown NUMBER CELL
shown() {
    local row=$1 cell=$2 name number count=0
    case $cell in "cannot arise: "*) return ;; esac
    while read -r name; do
        [ -n "$name" ] || continue
        count=$((count + 1))
        grep -qx -- "$name" "$scratch/tests" "$scratch/functions" && continue
        case $name in scripts/*) [ -x "$PATIO_SOURCE/$name" ] && continue ;; esac
        complain "$row: there is no $name"
    done < <(grep -o '`[^`]*`' <<<"$cell" | tr -d '`')
    for number in $(sed 's/`[^`]*`//g' <<<"$cell" | tr -c '0-9' ' '); do
        count=$((count + 1))
        grep -qx "$number" "$scratch/cases" || complain "$row: there is no case $number"
    done
    [ "$count" -gt 0 ] || complain "$row: shown by nothing"
}

rows=$(grep -E '^\| P?[0-9]+ \|' "$page")
[ "$(cut -d'|' -f2 <<<"$rows" | tr -d ' ')" = "$(seq -f 'P%.0f' 25; seq 50)" ] ||
    complain "the rows are not P1 to P25 and 1 to 50"
while read -r line; do
    shown "$(cut -d'|' -f2 <<<"$line" | tr -d ' ')" "$(awk -F' [|] | [|]$' '{ print $(NF - 1) }' <<<"$line")"
done <<<"$rows"
exit "$failed"
