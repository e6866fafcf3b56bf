#!/bin/sh
# exports.sh headers DIR           print what the headers below DIR declare with PATIO_API, sorted
# exports.sh compare LIST FILE...  compare what each shared library exports with the names in LIST
#
# What is exported is a promise, so it changes only together with a checked-in list.
set -eu
export LC_ALL=C

# A declaration goes from PATIO_API to its semicolon or brace; the function's name is what stands
# before the first parenthesis that is not an attribute's.
declared() {
    cat "$1"/patio/*.h | awk '
        /^#/ { next }
        !inside && /^PATIO_API / { inside = 1; text = "" }
        inside {
            text = text " " $0
            if ($0 ~ /[;{]/) {
                inside = 0
                sub(/^ *PATIO_API/, "", text)
                if (match(text, /[a-z_0-9]+ *\(/)) {
                    name = substr(text, RSTART, RLENGTH)
                    gsub(/[ (]/, "", name)
                    print name
                }
            }
        }' | sort -u
}

compare() {
    list=$1
    shift
    wrong=0
    for file in "$@"; do
        [ -f "$file" ] || { echo "$file: not there"; wrong=1; continue; }
        found=$(nm -D --defined-only "$file" | awk '{ print $NF }' | sort -u)
        missing=$(echo "$found" | comm -13 - "$list")
        surplus=$(echo "$found" | comm -23 - "$list")
        for name in $missing; do echo "$file: missing: $name"; wrong=1; done
        for name in $surplus; do echo "$file: not in $list: $name"; wrong=1; done
    done
    return $wrong
}

case ${1-} in
headers) declared "$2" ;;
compare) shift; [ $# -gt 1 ] || { echo "nothing to compare with"; exit 1; }; compare "$@" ;;
*) sed -n 's/^# //p' "$0" | head -2 >&2; exit 2 ;;
esac
