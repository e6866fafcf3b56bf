#!/usr/bin/env python3
"""celery_calls COUNT WINDOW SIZE redis|amqp PORT: calls of an echo over Celery, WINDOW in flight, between this
process and a worker of its own, through the server at PORT. Prints calls per second.

Settlement is part of it on both sides: the worker acknowledges after the task (acks_late), every result is
fetched: from Redis, which stores it, or from RabbitMQ (rpc), where tasks are persistent and results are not, as
with patio. Otherwise what makes Celery quick: no events, gossip, mingle or heartbeat, no limits of rate, a
prefetch of 64 for each process of the pool. CELERY_POOL: prefork (a process for each core), threads or solo."""
import collections
import os
import signal
import subprocess
import sys
import time

import celery

kind, port = os.environ.get("CELERY_SERVER", " ".join(sys.argv[4:])).split()
app = celery.Celery(
    "celery_calls",
    **{"redis": dict(broker=f"redis://127.0.0.1:{port}/1", backend=f"redis://127.0.0.1:{port}/2"),
       "amqp": dict(broker=f"amqp://guest:guest@127.0.0.1:{port}//", backend="rpc://")}[kind])
app.conf.update(
    task_acks_late=True,
    task_default_delivery_mode="persistent",
    task_default_queue="celery-calls",
    result_persistent=False,
    result_expires=60,
    task_send_sent_event=False,
    worker_send_task_events=False,
    worker_disable_rate_limits=True,
    worker_prefetch_multiplier=64,
    worker_redirect_stdouts=False,
    broker_heartbeat=0,
    redis_max_connections=1000,
)


@app.task(name="echo")
def echo(data):
    return data


def run(count, window, data):
    """The oldest call is waited for, then the next one begins."""
    open_calls = collections.deque()
    begun = time.monotonic()
    with app.producer_or_acquire() as producer:
        for _ in range(count):
            if len(open_calls) == window:
                end(open_calls.popleft(), data)
            open_calls.append(echo.apply_async((data,), producer=producer))
    while open_calls:
        end(open_calls.popleft(), data)
    return time.monotonic() - begun


def end(call, data):
    if call.get(timeout=60) != data:
        sys.exit("celery_calls: another answer")


def main():
    count, window, size = (int(word) for word in sys.argv[1:4])
    pool = os.environ.get("CELERY_POOL", "prefork")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the worker ends with us
    # a process for each core; threads share one, and have enough to wait for
    concurrency = os.cpu_count() if pool == "prefork" else 16
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_calls", "worker", "--pool", pool, "--concurrency",
         str(concurrency), "-O", "default", "--without-gossip", "--without-mingle", "--without-heartbeat",
         "--loglevel", "ERROR"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env=dict(os.environ, CELERY_SERVER=f"{kind} {port}", C_FORCE_ROOT="1", PYTHONDONTWRITEBYTECODE="1"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        data = "x" * size
        run(min(count, 500), window, data)  # and until the worker is there
        print(round(count / run(count, window, data)), flush=True)
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
