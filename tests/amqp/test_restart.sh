#!/usr/bin/env bash
# kill -9: of the broker, and of a worker.
. "$(dirname "$0")/lib.sh"
own_server
url="amqp://127.0.0.1:$port"
quick="?reconnect_max_ms=300&heartbeat_ms=2s"
worker w.log "$url$quick"
call_is 42 "$url" mul 6 7

# kill -9 of the broker: what was accepted is there, and a worker that was begun meanwhile gets it.
kill -9 "$worker"
wait "$worker" 2>/dev/null
for n in 1 2 3 4 5; do
    run send -b "$url" mul 2 "$n"
    expect_code 0
done
bash "$rabbit" kill "$own"
"$PATIO" worker -b "$url$quick" -m demo -o connect_timeout_ms=200 2>w2.log &
worker=$!
pids+=("$worker")
wait_for w2.log "going on without"
bash "$rabbit" again "$own" || complain "RabbitMQ did not come back"
await_messages patio:default:default 0
bash "$rabbit" kill "$own"
bash "$rabbit" again "$own" || complain "RabbitMQ did not come back"
call_is 35 "$url$quick" --timeout 30s mul 5 7

# kill -9 of a worker with a task in flight: another does it.
"$PATIO" call -b "$url$quick" --timeout 60s sleep 10 >slept 2>&1 &
caller=$!
pids+=("$caller")
for _ in $(seq 50); do
    ctl list_queues name messages_unacknowledged | grep -q 'patio:default:default[[:space:]]1$' && break
    kill -0 "$caller" || break # done before the broker could be asked: on a very slow machine
done
kill -9 "$worker"
wait "$worker" 2>/dev/null
worker w3.log "$url$quick"
wait "$caller" || complain "the task of a killed worker was not done again: $(<slept)"

finish
