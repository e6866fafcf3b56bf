#!/usr/bin/env bash
# Forged ledgers: what the checker of the storms must refuse, and name.
set -u
: "${STORM:?}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0 cases=0

# forge: a clean ledger of 1000 sends by two workers, 101 and 102, and a call; the faults: 102 was killed in the
# middle of its last task, which 101 ran again, and a cut
forge() {
    dir=$scratch/$((++cases))
    mkdir "$dir"
    awk -v dir="$dir" 'BEGIN {
        for (n = 1; n <= 1000; n++) {
            id = sprintf("%032x", n)
            at = 1000 + n * 10
            worker = n % 2 ? 101 : 102
            print "A", id, at, "OK" >dir "/ledger.front.100"
            print "S", id, at + 1, 1 >dir "/ledger.worker." worker
            if (n < 1000) print "F", id, at + 3, 1 >dir "/ledger.worker." worker
        }
        print "S", id, 11500, 2 >dir "/ledger.worker.101"
        print "F", id, 11502, 2 >dir "/ledger.worker.101"
        id = sprintf("%032x", 2000)
        print "B", id, 5000, "" >dir "/ledger.front.100"
        print "S", id, 5001, 1 >dir "/ledger.worker.101"
        print "F", id, 5002, 1 >dir "/ledger.worker.101"
        print "C", id, 5003, "ok" >dir "/ledger.front.100"
        print "kill", 102, 11002, 11002 >dir "/faults"
        print "cut", 0, 3000, 3000 >dir "/faults"
    }'
}

# note WHO WHAT NUMBER MS TEXT; a WHO without a PID is a fault's line
note() {
    printf '%s %032x %s %s\n' "$2" "$3" "$4" "${5-}" >>"$dir/ledger.$1"
}
fault() {
    echo "$*" >>"$dir/faults"
}
# forget WHO WHAT NUMBER
forget() {
    sed -i "/^$2 $(printf %032x "$3") /d" "$dir/ledger.$1"
}

# judged CODE WORDS: so it must be, with two workers of four threads
judged() {
    "$STORM" check "$dir" 2 4 50 >"$dir/verdict"
    local code=$?
    if [ "$code" != "$1" ] || ! grep -qF -- "$2" "$dir/verdict"; then
        echo "FAILED: case $cases: code $code, expected $1 and: $2"
        cat "$dir/verdict"
        failed=$((failed + 1))
    fi
}

forge
judged 0 "the ledger is clean"
judged 0 "2 faults, 1 x kill (explains 1), 1 x cut (explains 0)"

lost="WRONG: 1 accepted tasks were neither finished nor are they dead letters"
forge
note front.100 A 3000 2000 OK
judged 1 "$lost (00000000000000000000000000000bb8)"
note front.100 D 3000 9000 failed
judged 0 "1 dead letters"
forge # beside a dead letter that is another task
note front.100 A 3000 2000 OK
note front.100 U 3001 2000 UNREACHABLE
note front.100 D 3001 9000 failed
judged 1 "$lost"
forge # its worker was killed, and nobody ran it again
note front.100 A 3000 2000 OK
note worker.102 S 3000 11001 1
judged 1 "$lost"
forge # a call is a task, too
forget worker.101 S 2000
forget worker.101 F 2000
judged 1 "$lost"

again="of tasks that had run before, with no fault that explains it"
twice() { # WORKER NUMBER MS: another run
    note "worker.$1" S "$2" "$3" 1
    note "worker.$1" F "$2" $(($3 + 2)) 1
}
forge # far from any fault
twice 101 700 9000
judged 1 "WRONG: 1 runs $again (000000000000000000000000000002bc)"
forge # its own link was cut
twice 101 201 3500
judged 0 "1 x cut (explains 1)"
forge # before the cut
twice 101 195 2990
judged 1 "WRONG: 1 runs $again"
forge # it was another that was killed
twice 102 995 11400
judged 1 "WRONG: 1 runs $again"
forge # each of them: one kill and one cut have not hit as many
sed 's/ 1$/ 2/' "$dir/ledger.worker.101" >"$dir/ledger.worker.103"
sed 's/ 1$/ 2/' "$dir/ledger.worker.102" >"$dir/ledger.worker.104"
judged 1 "$again"
forge # each of them, and cuts without a pause: a cut has not hit more than was under way
sed 's/ 1$/ 2/' "$dir/ledger.worker.101" >"$dir/ledger.worker.103"
sed 's/ 1$/ 2/' "$dir/ledger.worker.102" >"$dir/ledger.worker.104"
for at in $(seq 1000 500 11000); do fault cut 0 "$at" "$at"; done
judged 1 "$again"
forge # each of them, and a server that was away for a second
sed 's/ 1$/ 2/' "$dir/ledger.worker.101" >"$dir/ledger.worker.103"
sed 's/ 1$/ 2/' "$dir/ledger.worker.102" >"$dir/ledger.worker.104"
fault command 0 5000 6000
judged 1 "$again"

forge
note front.100 R 3000 2000 FULL
judged 0 "1 rejected"
note worker.101 S 3000 2001 1
note worker.101 F 3000 2002 1
judged 1 "WRONG: 1 tasks were rejected, and taken all the same"
forge
note front.100 R 3000 2000 FULL
note front.100 D 3000 9000 failed
judged 1 "WRONG: 1 tasks were rejected, and taken all the same"
forge # of this nobody knows, so it may
note front.100 U 3000 2000 UNREACHABLE
twice 101 3000 2001
judged 0 "1 unknown"
forge
twice 101 3000 2001
judged 1 "WRONG: 1 tasks ran that nobody has sent"
forge
note front.100 U 10 2000 UNREACHABLE
judged 1 "WRONG: 1 sends had two outcomes"

forge
note front.100 C 2000 5004 ok
judged 1 "WRONG: 1 calls were resolved twice"
forge
note front.100 B 3000 2000
judged 1 "WRONG: 1 calls were never resolved"
forge
forget front.100 B 2000
judged 1 "WRONG: 1 calls were resolved that had never begun"
forge
sed -i 's/^\(C .*\) ok$/\1 wrong/' "$dir/ledger.front.100"
judged 1 "WRONG: 1 calls got somebody else's reply"
forge
for n in 3000 3001; do
    note front.100 B "$n" 2000
    note front.100 C "$n" 9000 TIMEOUT
done
judged 1 "WRONG: fewer than 50 % of the calls were answered"

forge
forget worker.101 S 701
judged 1 "WRONG: 1 runs finished without a start (000000000000000000000000000002bd)"
forge # it was another worker that had started it
forget worker.101 S 701
note worker.102 S 701 8011 1
judged 1 "WRONG: 1 runs finished without a start"

forge
echo "S 00ff 12" >>"$dir/ledger.worker.101"
judged 1 "WRONG: 1 lines of the ledger are not readable"
forge # a kill has cut it off
printf 'S 00ff' >>"$dir/ledger.worker.102"
judged 0 "the ledger is clean"
dir=$scratch/none
mkdir "$dir"
judged 1 "WRONG: a storm without a single task"

echo "$cases forged ledgers, $failed judged wrongly"
[ "$failed" = 0 ]
