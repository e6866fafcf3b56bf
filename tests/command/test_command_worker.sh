#!/usr/bin/env bash
# patio worker --exec, and what is left of its programs when it is gone.
. "$PATIO_SOURCE/tests/tcp/lib.sh"

# exec_worker LOG OPTION...: as worker, but without a module.
exec_worker() {
    local log=$1
    shift
    LAST="patio worker $*"
    "$PATIO" worker -b "unix+listen://$scratch/socket" "$@" 2>"$log" &
    worker=$!
    pids+=("$worker")
    wait_for "$log" "ready: project" || finish
}
url=unix://$scratch/socket
# Processes that have exactly this argument.
alive() { grep -lz -- "$1" /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }
# gone MARK: within two seconds nobody has this among its arguments.
gone() {
    for _ in $(seq 100); do
        [ "$(alive "$1")" = 0 ] && return
        sleep 0.02
    done
    complain "processes of $1 are left: $(alive "$1")"
}
# there MARK COUNT
there() {
    for _ in $(seq 500); do
        [ "$(alive "$1")" -ge "$2" ] && return
        sleep 0.02
    done
    complain "no $2 processes of $1, but $(alive "$1")"
}

exec_worker w1.log --exec 'count=wc -c' --exec 'greet=printf %s-%s {0} {name}' -j 2
call_is 5 "$url" count hello
call_is "7-ann" "$url" greet 7 --kw name=ann
head -c 300000 /dev/zero >big
"$PATIO" call -b "$url" count --stdin <big >out || complain "a large payload failed"
[ "$(<out)" = 300000 ] || complain "a large payload became $(<out)"
run call -b "$url" greet 7
expect_code 3
expect_err_has "argument name is missing"
kill "$worker"
wait "$worker" || complain "the worker ended with $?"

# From a file, together with tasks of a module; the log has the task's id and its words.
cat >patio.yaml <<'YAML'
tasks:
  shout:
    executor: command
    command: tr a-z A-Z
  talk:
    executor: command
    command: "echo spoken >&2; echo done"
    shell: true
YAML
exec_worker w2.log -m demo -f patio.yaml
call_is HELLO "$url" shout hello
call_is 42 "$url" mul 6 7
call_is "done" "$url" talk
wait_for w2.log '] spoken'

# The example.
kill "$worker"
wait "$worker"
exec_worker w2.log -f "$PATIO_SOURCE/examples/09_commands.yaml"
printf 'b\na\nb\n' >three
"$PATIO" call -b "$url" text.lines --stdin <three >out
[ "$(<out)" = 3 ] || complain "text.lines says $(<out)"
"$PATIO" call -b "$url" text.sort --stdin <three >out
[ "$(tr -s ' \n' ' ' <out)" = " 2 b 1 a " ] || complain "text.sort says $(<out)"
call_is "it's 3 times" "$url" text.say "it's" --kw times=3
call_is "attempt 3" "$url" text.flaky

# kill -9 of the worker: children and grandchildren, also those that ignore TERM.
kill -9 "$worker"
wait "$worker" 2>/dev/null
exec_worker w3.log --exec "hang=sh -c 'trap \"\" TERM HUP; sleep 81.001 & sleep 81.001 & wait'" -j 2
for _ in 1 2; do
    "$PATIO" call -b "$url" hang --timeout 60s 2>/dev/null &
    pids+=($!)
done
there '^81.001$' 4 # two of each
guard=$(pgrep -P "$worker" -x patio-command-g)
[ -n "$guard" ] || complain "there is no guard"
kill -9 "$worker"
wait "$worker" 2>/dev/null
gone '^81.001$'
# On its way out it is in every state there is; over is gone, or a zombie that nobody reaps.
is_over() {
    [ ! -e "/proc/$1/status" ] || grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status" 2>/dev/null
}
for _ in $(seq 500); do
    ! is_over "$guard" || break
    sleep 0.02
done
is_over "$guard" || complain "the guard is left"

# A second signal ends the worker at once, and what it runs with it.
exec_worker w4.log --exec "hang=sh -c 'sleep 82.001 & wait'"
"$PATIO" call -b "$url" hang --timeout 60s 2>/dev/null &
pids+=($!)
there '^82.001$' 1
kill "$worker"
wait_for w4.log draining
while kill "$worker" 2>/dev/null; do # a person's second time, not the echo of the first one
    sleep 0.05
done
wait "$worker"
code=$?
[ "$code" = 130 ] || complain "exit code $code, expected 130"
gone '^82.001$'

# Mistakes are seen at the start.
run worker -b "unix+listen://$scratch/socket" --exec 'x=no-such-program'
[ "$code" != 0 ] || complain "a program that is not there was accepted"
expect_err_has 'there is no program "no-such-program" in PATH'
run worker -b "unix+listen://$scratch/socket" --exec nonsense
expect_code 2
expect_err_has "NAME=COMMAND"
finish
