#!/usr/bin/env bash
# docs/pains.md names a test for each pain and each fault: is every one of them there? A case of the kit that a
# transport refuses or skips has that transport's name in its row; "not memory" stands over the tables for what
# needs processes or a link.
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
ctest --test-dir "$PATIO_BUILD" -N -L '^long$' | sed -n 's/^ *Test *#[0-9]*: //p' >"$scratch/long"
grep -rhoE --include='*.c' '(cmocka_unit_test[a-z_]*\(|^(static )?void )[a-z_0-9]+' "$PATIO_SOURCE/tests" |
    sed 's/.*[( ]//' >"$scratch/functions"
[ "$(wc -l <"$scratch/cases")" -gt 100 ] || complain "patio conform --list shows no cases"
[ "$(wc -l <"$scratch/tests")" -gt 100 ] || complain "ctest -N shows no tests"

for transport in memory tcp redis amqp; do
    bash "$PATIO_SOURCE/tests/conform/compare.sh" list $transport | sed "s/^/$transport /"
done >"$scratch/left_out"
grep -q "^\`memory\` has neither processes nor a link: the cases 19 and 170 to 201 do not apply to it" "$page" ||
    complain "nothing says which cases do not apply to memory"
sed -i -E '/^memory (19|1[79][0-9]|20[01])$/d' "$scratch/left_out"

# ranges CELL: "130 to 133" with all that is between
ranges() {
    local text=$1
    while [[ $text =~ ([0-9]+)\ to\ ([0-9]+) ]]; do
        text=${text/"${BASH_REMATCH[0]}"/$(seq -s ' ' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")}
    done
    echo "$text"
}

# shown NUMBER CELL LINE
shown() {
    local row=$1 cell=$2 line=$3 name number transport count=0
    case $cell in "cannot arise: "*) return ;; esac
    while read -r name; do
        case $name in '' | memory | tcp | redis | amqp) continue ;; esac
        count=$((count + 1))
        if grep -qx -- "$name" "$scratch/long"; then
            case $cell in *"\`$name\` (long)"*) ;; *) complain "$row: $name is long, and the row does not say so" ;; esac
        else
            case $cell in *"\`$name\` (long)"*) complain "$row: $name is not long" ;; esac
        fi
        grep -qx -- "$name" "$scratch/tests" "$scratch/functions" && continue
        case $name in scripts/*) [ -x "$PATIO_SOURCE/$name" ] && continue ;; esac
        complain "$row: there is no $name"
    done < <(grep -o '`[^`]*`' <<<"$cell" | tr -d '`')
    for number in $(ranges "$(sed 's/`[^`]*`//g; s/([^)]*)//g' <<<"$cell")" | tr -c '0-9' ' '); do
        count=$((count + 1))
        grep -qx "$number" "$scratch/cases" || complain "$row: there is no case $number"
        for transport in $(sed -n "s/ $number$//p" "$scratch/left_out"); do
            case $line in *"\`$transport\`"*) continue ;; esac
            complain "$row: case $number is refused or skipped on $transport, and the row does not say what is there instead"
        done
    done
    [ "$count" -gt 0 ] || complain "$row: shown by nothing"
}

rows=$(grep -E '^\| P?[0-9]+ \|' "$page")
[ "$(cut -d'|' -f2 <<<"$rows" | tr -d ' ')" = "$(seq -f 'P%.0f' 25; seq 50)" ] ||
    complain "the rows are not P1 to P25 and 1 to 50"
while read -r line; do
    shown "$(cut -d'|' -f2 <<<"$line" | tr -d ' ')" "$(awk -F' [|] | [|]$' '{ print $(NF - 1) }' <<<"$line")" "$line"
done <<<"$rows"
exit "$failed"
