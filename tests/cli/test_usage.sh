#!/usr/bin/env bash
# Whatever is wrong with the command line or the configuration ends with 2, and says what and where.
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

refused() {
    said=$1
    shift
    run "$@"
    expect_code 2
    expect_err_has "$said"
}

refused 'did you mean "worker"' wroker
refused 'no command "zzzzzz"' zzzzzz
refused 'no command "zzzzzz"' help zzzzzz
refused "unrecognized option" call --bogus
refused "name of a task is missing" call -b memory://
refused "no broker is named" call echo
refused "PATIO_BROKER" worker -m demo
refused "no tasks to run" worker -b memory://
refused 'unexpected argument "x"' worker -b memory:// x
refused "--drain-timeout wants a time" worker --drain-timeout soon
refused "--timeout wants a time" call --timeout 5parsecs echo
refused "--timeout wants a time" call --timeout 0 echo
refused "--timeout wants a time" call --timeout 99999999999999999999s echo
refused "--priority wants a digit" call --priority 10 echo
refused "--kw wants NAME=VALUE" call --kw nothing echo
refused '"a" is given twice' call echo --kw a=1 --kw a=2
refused "--header wants NAME=TEXT" call --header =x echo
refused "-o wants KEY=VALUE" call -o nothing echo
refused "--stdin replaces the arguments" call echo 1 --stdin
refused "--content-type is for --stdin" call echo --content-type a/b
refused "--dedup-window is for --dedup-key" send -b memory:// -m demo echo --dedup-window 5s
refused "--dedup-window is for --dedup-key" call -b memory:// -m demo -o tasks.mul.dedup=args -o tasks.mul.dedup_window_ms=1h echo --dedup-window 5s
refused "unrecognized option" call --delay 5s echo
refused "--level wants process" send --level dusk echo
refused "--max-attempts wants a number" call --max-attempts 0 echo
refused "--max-crashes wants a number" call --max-crashes many echo
refused "--attempt-timeout wants a time" call --attempt-timeout soon echo
refused "--ack wants" call --ack never echo
for backoff in linear fixed:0 fixed:1s:2s:3s exponential:soon; do
    refused "--backoff wants" call --backoff "$backoff" echo
done
for at in soon 2026-12-24 2026-12-24T18:00+0100 2026-12-24T18:00Zulu @ @soon @99999999999999999999; do
    refused "--at wants a time" send --at "$at" echo
done
refused "exclude each other" send --at @1 --delay 1s echo
refused "argument 2: integer does not fit 64 bits" call echo 1 18446744073709551616
refused 'keyword argument "k": $bytes wants' call echo --kw 'k={"$bytes":"?"}'
refused "argument 1: not UTF-8" call echo $'\xff'
refused "what? transport NAME" describe
refused '"gadget" is no kind' describe gadget x
refused "which transport?" describe transport
refused "nosuch" describe transport nosuch
refused "modules come with -m" describe tasks demo

refused "nosuch.yaml" call -b memory:// -f nosuch.yaml echo
refused "nosuch" call -b memory:// -m nosuch echo
refused "nosuch" call -b nosuch://host echo
refused "executor name" call -b memory:// -m demo -x "" echo
refused "-j on the command line" call -b memory:// -m demo -j many echo
refused "borker" call -b memory:// -o borker=x echo
refused "log" call -b memory:// --log-level loud -m demo echo
printf 'broker: memory://\nprojcet: x\n' >typo.yaml
refused "typo.yaml:2" call -f typo.yaml echo

# Connecting takes no longer than --timeout, and no longer than what is configured.
for command in "stats" "call x" "send x"; do
    # shellcheck disable=SC2086
    {
        run $command -b tcp://127.0.0.1:1 --timeout 250ms
        expect_code 6
        expect_err_has "within 250 ms"
        run $command -b tcp://127.0.0.1:1 --timeout 250ms -o connect_timeout_ms=120ms
        expect_err_has "within 120 ms"
    }
done

# A plugin that is none is said once.
run conform /nonexistent.so --url x://
expect_code 2
expect_out ""
expect_err_has "/nonexistent.so: no such file"
[ "$(wc -l <"$scratch/err")" = 1 ] || complain "more than one line" "$err"

finish
