#!/usr/bin/env bash
# Words -> values -> words: what goes through echo comes back as it was.
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

# same WORD: printed as JSON, it is the word itself.
same() {
    call echo --json -- "$1"
    expect_code 0
    expect_out "$1"
}

for word in null true false 0 -1 9223372036854775807 -9223372036854775808 9223372036854775808 \
            18446744073709551615 0.1 1.0 -2.5 1e+300 5e-324 '"text"' '"5"' '""' '[]' '{}' \
            '[1,"two",3.0,null,[true]]' '{"b":1,"a":{"c":[]}}' '{"$bytes":"AAEC/w=="}' \
            '{"$double":"NaN"}' '{"$map":{"$bytes":"x"}}' '"a\u0000b"'; do
    same "$word"
done
deep=1
for _ in $(seq 32); do deep="[$deep]"; done
same "$deep"
call echo "[$deep]"
expect_code 2
expect_err_has "32"

# text WORD EXPECTED: printed as text.
text() {
    call echo -- "$1"
    expect_code 0
    expect_out "$2"
}
text 'hello world' 'hello world'
text '"5"' 5
text '{a' '{a'
text 012 012
text NaN NaN
text 1e2 100.0
text null null
text '{"$double":"-Infinity"}' -inf
text '["ä/€"]' '["ä/€"]'
text '{"$bytes":"AA=="}' '{"$bytes":"AA=="}'
text -- --

call echo --kw a=1 --kw b=two --kw c='"3"'
expect_out '{"a":1,"b":"two","c":"3"}'
call echo 1 two 3.5
expect_out '[1,"two",3.5]'

# Raw bytes are left alone.
head -c 65536 /dev/urandom >in.bin
"$PATIO" call -b memory:// -m demo echo --stdin --content-type image/png <in.bin >out.bin
cmp in.bin out.bin || complain "raw bytes changed on the way"
printf '\x00\xff' >two.bin
call echo --stdin --content-type image/png --json <two.bin
expect_out '{"$bytes":"AP8=","content_type":"image/png"}'
call echo --stdin </dev/null
expect_code 0
expect_out ""

finish
