#!/usr/bin/env bash
# What a broker and its people can do to us: each is an error with a name, and over without a restart.
. "$(dirname "$0")/lib.sh"
own_server
url="amqp://127.0.0.1:$port"
quick="?reconnect_max_ms=300&heartbeat_ms=2s"

# Refused for good: said at once, and by name.
run call -b "amqp://guest:wrong@127.0.0.1:$port" mul 1 2
[ "$code" != 0 ] || complain "a wrong password was accepted"
expect_err_has AUTH
expect_err_has '"guest"'
case $err in *wrong@* | *:wrong*) complain "the password is in the error: $err" ;; esac
run call -b "$url/nowhere" mul 1 2
[ "$code" != 0 ] || complain "a vhost that there is not was accepted"
expect_err_has AUTH
expect_err_has nowhere
run call -b "amqp://127.0.0.1:1" mul 1 2
expect_err_has UNREACHABLE

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
call_is 20 "$url" mul 4 5
kill -0 "$before" 2>/dev/null || complain "the worker died of a foreign message"

# An alarm: what is new is refused by its name, and taken again when it is over.
ctl set_vm_memory_high_watermark 0.000001
run call -b "$url?enqueue_ms=1s" -o connect_timeout_ms=3s --timeout 5s mul 1 1
[ "$code" != 0 ] || complain "a call went through a broker in an alarm"
case $err in *BLOCKED* | *accepts\ nothing* | *low\ on\ memory*) ;; *) complain "said: $err" ;; esac
ctl set_vm_memory_high_watermark absolute 1GB
call_is 30 "$url$quick" --timeout 20s mul 5 6

# Nothing is left of those who have gone, but durable queues.
kill -TERM "$worker"
wait "$worker"
left=$(ctl list_queues name consumers | grep '@reply' | awk '$2 > 0')
[ -z "$left" ] || complain "consumers are left: $left"
finish
