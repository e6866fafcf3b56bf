#!/usr/bin/env bash
# Every planted lie is found by the case that is there for it, in words about it, and some by
# PATIO_CHECK. In the environment: PATIO, LIAR (the plugin), PATIO_TEST_LIBDIR.
set -u
: "${PATIO:?} ${LIAR:?} ${PATIO_TEST_LIBDIR:?}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export scratch

# found OF LIE CASE WORDS: that case of a plugin that is OF but for the lie fails, and says so;
# without a lie it passes
# shellcheck disable=SC2317 # it is called by bash -c, below
found() {
    local url=liar://hub kind=transport report=$scratch/$1.$2.$3 expected=1 mark=" $3  FAILED"
    case $1 in
    tcp) url='tcp://127.0.0.1:%p?dead_ms=1500&ping_ms=300&reconnect_max_ms=300' ;;
    thread) kind=executor ;;
    esac
    [ "$2" != tells_secret ] || url="$url?password=squeamish"
    [ "$2" != none ] || { expected=0 mark=passed; }
    PATIO_TEST_LIAR_OF=$1 PATIO_TEST_LIE=$2 "$PATIO" conform "$LIAR" --kind "$kind" --url "$url" --only "$3" >"$report" 2>&1
    local code=$?
    if [ "$code" != "$expected" ] || ! grep -qF "$mark" "$report" || ! grep -qF "$4" "$report"; then
        echo "$1, lie $2: case $3 should end with $expected and \"$4\", it ended with $code:"
        cat "$report"
        return 1
    fi
}
export -f found

# What most of them wait for never comes: they wait side by side.
wrong=0
# shellcheck disable=SC2016
grep -v '^#' <<'EOF' | tr '\n' '\0' | xargs -0 -P 40 -I{} bash -c 'read -r of lie case words <<<"$1"; found "$of" "$lie" "$case" "$words"' - {} || wrong=1
# memory: all that needs no other process
# identity, and what is declared
memory any_interface 2 has a table
memory option_of_no_unit 4 does not end in _ms
memory scheme_in_capitals 6 scheme "LIAR"
memory hides_priority 52 "priorit" is not declared
memory hides_delay 50 "delay" is not declared
memory hides_dedup 57 "dedup" is not declared
memory hides_cancel 120 whose capability is not declared
memory hides_results 150 is there without its capability
memory hides_dead_letters 140 is there without its capability
memory hides_limits 156 set_limit returned OK, expected UNSUPPORTED
memory hides_routes 39 "routes" is not declared
memory hides_queue 41 "queue" is not declared
memory takes_result_flag 150 "result" is not declared
memory claims_persist 32 "persist" is declared
memory claims_started 100 started of a strange tag
# life
memory event_in_create 10 raised inside create
memory thread_in_create 10 number of threads after create
memory option_refused 7 create returned INTERNAL
memory option_ignored 54 one too many
memory project_ignored 61 number of deliveries is 5, expected 0
memory no_memory_hidden 16 create without memory returned INTERNAL
memory leaks_memory 12 of host memory are left
memory leaks_thread 12 threads instead of
memory leaks_descriptor 12 number of descriptors
memory leaks_timer 12 a timer is still set
memory global_state 20 returned CLOSED
memory stop_lasts 17 stop with a grace of 300 ms took
memory open_after_stop 14 publish after stop returned OK
memory event_after_stop 13 link was raised after stop
memory destroy_wants_one 11 it crashed
memory tells_secret 13 a log line holds a secret
memory link_flaps 13 number of times the link came up is 2
memory link_down_silently 13 link went blocked without saying why
# publish
memory double_receipt 30 outcomes of one publish is 2
memory no_receipt 30 has no outcome
memory receipt_unasked 31 receipts that nobody asked for
memory receipt_after_failure 15 outcomes of publishes that failed at once
memory level_lies 32 level 2 is demanded
memory level_ignored 32 level 3 was demanded, less was accepted
memory accepts_and_forgets 30 counts are ready 40
memory silent_error 15 without a text
memory holds_lock 42 publish from inside published failed
memory body_kept 33 buffers are left undropped
memory body_dropped 33 was dropped by its last owner
memory body_changed 33 is not what was published
memory one_byte_more 35 publish of 1 too many returned OK
memory name_changed 77 task other of queue q
memory flags_lost 78 flags that came along
memory route_ignored 39 outcome is 1, expected 3
memory delay_ignored 50 delayed tasks are 0
memory priority_ignored 52 task is 0, expected 1
memory order_broken 53 task is 1, expected 0
memory ttl_lost 55 0 ms are left of 60000
memory ttl_ignored 56 without EXPIRED
memory queue_ignored 62 has not come
memory dedup_ignored 57 outcome of a duplicate is 1
memory dedup_for_ever 57 task 4 was not accepted
memory dedup_original_lost 57 the original is 0
memory attach_ignored 58 0 to the attached
memory replace_ignored 59 task 2 was not accepted
memory rejected_silently 125 published without an error
# deliveries
memory credit 70 the credit is 3
memory pause_ignored 71 the credit is 0
memory unsubscribe_ignored 72 number of deliveries is 2, expected 1
memory knows_every_task 73 to a worker without it
memory same_fence 91 must grow with every delivery
memory same_tag 90 was delivered twice
memory lost_of_nobody 90 never delivered
memory attempt_lost 91 attempt is 1, expected 2
memory attempt_zero 77 it counts from 1
memory crashes_lost 103 attempts and crashes together
memory redelivered_always 77 REDELIVERED is 16
memory redelivered_never 91 is not marked REDELIVERED
memory expired_unmarked 56 without EXPIRED
# settlements
memory stale_ok 94 was settled
memory verdict_ok 95 an unknown verdict returned OK
memory ack_ignored 90 leased 1
memory retry_acks 91 has not come
memory return_charged 91 attempt is 3, expected 2
memory retry_at_once 92 expected 0, 0, 1, 0
memory reject_acks 93 expected 0, 0, 0, 2
memory claim_ignored 98 number of deliveries is 1, expected 0
memory leaving_acks 99 has not come
# replies
memory reply_lost 110 0 of 50 replies
memory reply_twice 110 was replied to twice
memory reply_of_other 110 is not the one that was given
memory reply_empty 110 replied without a body
memory reply_to_send 111 replies to the worker
memory part_is_last 113 replied to twice
memory part_lost 113 replies is 1, expected 11
memory part_stale_ok 113 a late notify returned OK
# cancelling
memory cancel_ignored 120 counts are ready 3
memory cancel_silent 120 cancel has no outcome
memory cancel_told_twice 120 outcomes of one cancel is 2
memory cancel_lies 123 outcome of the cancel is 1, expected 3
memory cancel_untold 122 the worker is not told
memory cancel_wanted_twice 122 cancel_wanted came twice
memory cancelled_caller_untold 125 who waits for it does not hear so
# numbers
memory counts_ready 131 counts are ready 7
memory counts_leased 131 leased 0
memory counts_delayed 50 delayed tasks are 0
memory counts_dead 131 expected 1, 3, 0, 1
memory counts_consumers 132 consumers is 1, expected 0
memory counts_age 133 the oldest is 0 ms old
memory counts_overrun 134 beyond struct_size
memory counts_of_nothing 130 numbers of no queue
memory event_in_counts 131 raised inside counts
# dead letters, results, queues, presence, doctor
memory dead_page_ignored 140 task is 0, expected 2
memory dead_visit_goes_on 140 after the visitor said stop
memory dead_body_lost 141 the body has 0 bytes
memory dead_retry_ignored 142 has not come
memory dead_drop_ignored 143 dead 4
memory option_ignored 144 dead 6
memory result_lost 150 state is 0
memory result_for_ever 151 it is still there
memory state_unknown 150 state is 0, expected 1
memory gone_forgotten 167 is 0, expected 7
memory gone_forgotten 168 is 0, expected 5
memory no_queue_listed 152 queues of a project that uses one is 0
memory purge_ignored 153 counts are ready 5
memory pause_of_queue_ignored 154 number of deliveries is 3, expected 0
memory drain_ignored 155 outcome is 1, expected 3
memory limit_ignored 156 leased at once is 6
memory limit_mistold 156 the limit that was set is 3
memory present_never 157 it is not seen
memory present_too_large 157 announce of too much returned OK
memory finding_without_advice 158 warns without an advice
memory none 1-168
# tcp: what needs a link, or processes
tcp peers_lost 160 0 and 0 peers
tcp poll_lasts 162 a poll of 200 ms took
tcp poll_says_ok 162 what it waited for has not come
tcp crashes_lost 171 crashes is 0, expected 1
tcp late_settle_ok 173 nothing says that it had no effect
tcp claim_ignored 174 number of deliveries is 1, expected 0
tcp subscription_lost 190 no call is answered
tcp no_receipt 199 0 of 10 publishes have an outcome
tcp none 160-174
# thread: the executor
thread slots_change 302 slots is
thread slots_none 302 0 slots
thread done_twice 304 done was raised twice
thread done_never 304 0 of 500 jobs are done
thread done_after_stop 304 done was raised after stop
thread job_runs_twice 304 run inside submit
thread reply_leaked 304 buffers are left undropped
thread executor_silent 307 without a text
thread stop_takes_its_time 307 stop with a grace of 100 ms took
thread executor_open_after_stop 308 submit after stop returned OK
thread never_full_room 310 no room came
thread executor_cancel_ignored 311 no completion
thread none 301-316
EOF

# checked LIE WORDS: one send with a worker in the same process
checked() {
    PATIO_TEST_LIAR_OF=memory PATIO_TEST_LIE=$1 PATIO_PLUGIN_PATH=$(dirname "$(dirname "$LIAR")") PATIO_CHECK=1 \
        "$PATIO" send -b liar://hub -m "$PATIO_TEST_LIBDIR/tasks/demo.so" mul 6 7 >"$scratch/checked" 2>&1
    if [ -n "$2" ]; then
        grep -q "PATIO_CHECK: .*$2" "$scratch/checked" || { echo "PATIO_CHECK, lie $1: \"$2\" is not said:"; cat "$scratch/checked"; wrong=1; }
    elif grep -q PATIO_CHECK "$scratch/checked"; then
        echo "PATIO_CHECK complains about what keeps the rules:"
        cat "$scratch/checked"
        wrong=1
    fi
}
checked none ''
checked double_receipt 'told twice'
checked event_after_stop 'after "stop"'
# what overtakes its delivery is no breach; what has none is one, when all is over
checked lost_before 'was taken, which is lost'
checked lost_of_nobody 'never delivered'
exit $wrong
