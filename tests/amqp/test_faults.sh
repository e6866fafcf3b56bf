#!/usr/bin/env bash
# What a broker and its people can do to us: each is an error with a name, and over without a restart.
. "$(dirname "$0")/lib.sh"
own_server
url="amqp://127.0.0.1:$port"
quick="?reconnect_max_ms=300&heartbeat_ms=2s"

# Refused for good: said at once, and by name.
fails_with AUTH 0 call -b "amqp://guest:wrong@127.0.0.1:$port" mul 1 2
expect_err_has '"guest"'
case $err in *wrong@* | *:wrong*) complain "the password is in the error: $err" ;; esac
fails_with AUTH 0 call -b "$url/nowhere" mul 1 2
expect_err_has nowhere
ctl add_user poor secret
ctl set_permissions poor '^$' '^$' '^$'
fails_with AUTH 0 call -b "amqp://poor:secret@127.0.0.1:$port" mul 1 2
expect_err_has '"poor"'
# its right to write is found missing when something is written; it waits 2 s for that to be taken after all
fails_with AUTH 2000 send -b "amqp://poor:secret@127.0.0.1:$port?topology=none" mul 1 2
expect_err_has "for user 'poor'"
# Not there: by the deadline of connecting.
fails_with UNREACHABLE 3000 call -b "amqp://127.0.0.1:1" -o connect_timeout_ms=3s mul 1 2
expect_err_has "Connection refused"

worker w.log "$url$quick" -j 2
call_is 42 "$url" mul 6 7

# An operator closes all connections: the worker is back by itself.
for i in 1 2 3; do
    ctl close_all_connections "test $i" >/dev/null
    call_is $((3 * i)) "$url$quick" --timeout 20s mul 3 $i
done
wait_for w.log "test 1"

# The queue is deleted under the worker.
ctl delete_queue patio:default:default >/dev/null
call_is 18 "$url$quick" --timeout 20s mul 2 9
ctl purge_queue patio:default:default >/dev/null

# Messages that are no tasks, by somebody else: to the dead letters, and the worker goes on.
before=$worker
for n in 1 2 3; do
    amqp-publish -u "$url" -r patio:default:default -b "hello $n" || complain "amqp-publish failed"
done
amqp-publish -u "$url" -r patio:default:default -C text/plain -p -b "" || complain "amqp-publish failed"
await_messages patio:default:default:dead 4
run dlq show 00000000000000000000000000000000 -b "$url"
expect_code 0
expect_out_has '"undecodable"'
expect_out_has "it is no task: it has neither a message_id of 32 hexadecimal digits nor a type"
call_is 20 "$url" mul 4 5
kill -0 "$before" 2>/dev/null || complain "the worker died of a foreign message"

# An alarm: what is new is refused by its name, and taken again when it is over.
ctl set_vm_memory_high_watermark 0.000001
fails_with BLOCKED 1000 call -b "$url?enqueue_ms=1s" -o connect_timeout_ms=3s --timeout 5s mul 1 1
expect_err_has "low on memory"
ctl set_vm_memory_high_watermark absolute 1GB
call_is 30 "$url$quick" --timeout 20s mul 5 6

# A broker that stands still: its system takes connections and bytes, and nobody answers.
kill -STOP "$(<"$own/rabbit.pid")"
fails_with UNREACHABLE 3000 call -b "$url?handshake_ms=1s" -o connect_timeout_ms=3s mul 1 1
expect_err_has "did not answer within 1000 ms"
wait_for w.log "has been silent for two heartbeats"
kill -CONT "$(<"$own/rabbit.pid")"
call_is 56 "$url$quick" --timeout 20s mul 7 8
kill -0 "$before" 2>/dev/null || complain "the worker died of a broker that stood still"

# Nothing is left of those who have gone, but durable queues.
kill -TERM "$worker"
wait "$worker"
left=$(ctl list_queues name consumers | grep '@reply' | awk '$2 > 0')
[ -z "$left" ] || complain "consumers are left: $left"
finish
