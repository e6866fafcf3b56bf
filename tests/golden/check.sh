#!/bin/sh
# check.sh PROTO_DIR USER_PROTO_DIR: do protoc's readings of the vectors agree with their texts?
# check.sh write PROTO_DIR USER_PROTO_DIR: write the texts anew; foreign_* are written from their texts.
#
# NAME.hex          the bytes, in hexadecimal
# NAME.txt          the same as protobuf text; dead_letter.txt a DeadLetter, all others an Envelope
# NAME.payload.txt  the payload: patio.v1.Values, or for call_protobuf demo.v1.Order
# NAME.details.txt  the error's details: patio.v1.Values
set -eu
write=
if [ "$1" = write ]; then
    write=yes
    shift
fi
protos=$1
users=$2
cd "$(dirname "$0")"
if ! command -v protoc >/dev/null; then
    echo 'golden: there is no protoc to compare with; install it: apt-get install protobuf-compiler'
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

to_hex() {
    od -An -v -tx1 | tr -d ' \n'
}

from_hex() {
    # printf knows octal; awk makes it from the digits
    # shellcheck disable=SC2059
    printf "$(tr -d ' \n' | awk '{
        for (i = 1; i < length($0); i += 2)
            printf "\\%03o", 16 * (index("0123456789abcdef", substr($0, i, 1)) - 1) \
                                + index("0123456789abcdef", substr($0, i + 1, 1)) - 1
    }')"
}

run_protoc() { # decode|encode TYPE
    case $2 in
    demo.*) protoc "--$1=$2" --proto_path="$users" demo.proto ;;
    *Values) protoc "--$1=$2" --proto_path="$protos" patio/v1/values.proto ;;
    *DeadLetter) protoc "--$1=$2" --proto_path="$protos" patio/v1/dead_letter.proto ;;
    *) protoc "--$1=$2" --proto_path="$protos" patio/v1/envelope.proto ;;
    esac
}

complain() {
    echo "golden: $1"
    wrong=$((wrong + 1))
}

# compare NAME TYPE TEXT < bytes: text is what the bytes decode to, and encodes to the bytes.
compare() {
    cat >"$work/bytes"
    run_protoc decode "$2" <"$work/bytes" >"$work/text" || complain "$1: protoc cannot read it as $2"
    if [ -n "$write" ]; then
        cp "$work/text" "$3"
    fi
    diff -u "$3" "$work/text" || complain "$1: its bytes do not say what $3 says"
    run_protoc encode "$2" <"$3" >"$work/again" || complain "$1: protoc cannot encode $3"
    cmp "$work/bytes" "$work/again" || complain "$1: $3 encodes to other bytes"
}

# The length of a field as a varint, in hexadecimal.
varint() {
    awk -v n="$1" 'BEGIN {
        for (; n >= 128; n = int(n / 128)) printf "%02x", n % 128 + 128
        printf "%02x", n
    }'
}

# inner NAME TYPE TEXT TAG: the bytes of TEXT are in NAME.hex, behind the tag and their length.
inner() {
    run_protoc encode "$2" <"$3" | to_hex >"$work/inner"
    size=$(wc -c <"$work/inner")
    field=$4$(varint $((size / 2)))$(cat "$work/inner")
    if [ "$4" = a206 ]; then
        case $(tr -d '\n' <"$1.hex") in
        *"$field") ;;
        *) complain "$1: does not end in the payload that $3 says" ;;
        esac
    else
        case $(tr -d '\n' <"$1.hex") in
        *"$field"*) ;;
        *) complain "$1: does not hold what $3 says" ;;
        esac
    fi
    from_hex <"$work/inner" | compare "$1" "$2" "$3"
}

count=0
if [ -n "$write" ]; then
    for text in foreign_*.txt; do
        case $text in *.*.txt) continue ;; esac
        run_protoc encode patio.v1.Envelope <"$text" | to_hex | fold -w 64 >"${text%.txt}.hex"
        echo >>"${text%.txt}.hex"
    done
fi
for hex in *.hex; do
    name=${hex%.hex}
    type=patio.v1.Envelope
    if [ "$name" = dead_letter ]; then
        type=patio.v1.DeadLetter
    fi
    from_hex <"$hex" | compare "$name" "$type" "$name.txt"
    if [ -f "$name.payload.txt" ]; then
        type=patio.v1.Values
        if [ "$name" = call_protobuf ]; then
            type=demo.v1.Order
        fi
        inner "$name" "$type" "$name.payload.txt" a206
    fi
    if [ -f "$name.details.txt" ]; then
        inner "$name" patio.v1.Values "$name.details.txt" 22
    fi
    count=$((count + 1))
done

# The bytes of docs/protocol.md: each line's digits up to its words, of one code block.
documented() {
    awk -v wanted="$1" '
        /^```/ { if (inside && hex == wanted) found = 1; inside = !inside; hex = ""; next }
        inside { for (i = 1; i <= NF && $i ~ /^[0-9a-f][0-9a-f]$/; i++) hex = hex $i }
        END { exit !found }' ../../docs/protocol.md
}
for name in call_ints reply_int; do
    documented "$(tr -d '\n' <$name.hex)" || complain "$name: docs/protocol.md shows other bytes"
done
if [ "$wrong" -gt 0 ]; then
    echo "golden: $wrong disagreements in $count vectors"
    exit 1
fi
echo "golden: protoc agrees with $count vectors"
[ "$count" -gt 0 ]
