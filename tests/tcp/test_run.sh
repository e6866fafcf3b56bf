#!/usr/bin/env bash
# scripts/run with workers in other processes: sharing the work with one, leaving all of it to
# another.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
mkdir -p "tree/deep/with space"
for n in $(seq 200); do echo "$n" >"tree/deep/$n"; done
head -c 3000000 /dev/urandom >"tree/deep/with space/large"
: >tree/empty
files=202
# not beside the tree's own, which somebody may be reading
manifest=$PATIO_SOURCE/build/checksums.sha256

# scripts_run CODE ARGUMENT...
scripts_run() {
    local wanted=$1
    shift
    LAST="scripts/run $*"
    rm -f "$manifest"
    "$PATIO_SOURCE/scripts/run" "$@" tree >out 2>err
    code=$? out=$(<out) err=$(<err)
    expect_code "$wanted"
}

# ended LOG PID: that worker; in $count is how many tasks it says it ran.
ended() {
    kill -TERM "$2"
    wait "$2" || complain "the worker did not end well: $(tail -3 "$1")"
    count=$(sed -n 's/.*drained: \([0-9]*\) tasks ok, 0 failed.*/\1/p' "$1")
}

worker w1.log tcp+listen://127.0.0.1:0 -m checksum
one=$worker
scripts_run 0 --broker "tcp://127.0.0.1:$(port_of w1.log)" --workers 1
expect_out_has "sha256sum agrees with all $files lines"
ended w1.log "$one"
[ "${count:-0}" -gt 0 ] && [ "$count" -le "$files" ] || complain "the worker hashed $count of $files files"

worker w2.log "unix+listen://$scratch/socket" -m checksum
two=$worker
worker w3.log tcp+listen://127.0.0.1:0 -m checksum
three=$worker
scripts_run 0 --broker "tcp://127.0.0.1:$(port_of w3.log)" --caller
expect_out_has "sha256sum agrees with all $files lines"
scripts_run 0 --broker "unix://$scratch/socket" --caller
expect_out_has "sha256sum agrees with all $files lines"
ended w2.log "$two"
[ "$count" = "$files" ] || complain "the worker behind the socket hashed $count of $files files"
ended w3.log "$three"
[ "$count" = "$files" ] || complain "the worker behind the port hashed $count of $files files"
finish
