#include "tasks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include <patio/task.h>

#include "clock.h"
#include "payload.h"

/* `executed` and `wanted` are each written by one side and read by the other (store, then load,
 * both sequentially consistent), so that a task takes the lock only when somebody waits for its
 * count. */
static struct {
    _Atomic uint64_t executed;
    _Atomic uint64_t digest;
    _Atomic uint64_t wanted; /* wake the waiters at this count; UINT64_MAX: nobody waits */
    _Atomic bool     closed;
    pthread_mutex_t  lock;
    pthread_cond_t   reached;
    pthread_cond_t   opened;
} sink = {.wanted  = UINT64_MAX,
          .lock    = PTHREAD_MUTEX_INITIALIZER,
          .reached = PTHREAD_COND_INITIALIZER,
          .opened  = PTHREAD_COND_INITIALIZER};

static patio_status echo(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    if (st != PATIO_OK) {
        return st;
    }
    return patio_return(ctx, patio_blob(bytes.data, bytes.size));
}

static void wait_for_gate(void)
{
    (void)pthread_mutex_lock(&sink.lock);
    while (atomic_load(&sink.closed)) {
        (void)pthread_cond_wait(&sink.opened, &sink.lock);
    }
    (void)pthread_mutex_unlock(&sink.lock);
}

static patio_status sink_task(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    if (st != PATIO_OK) {
        return st;
    }
    if (atomic_load(&sink.closed)) {
        wait_for_gate();
    }
    atomic_fetch_add_explicit(&sink.digest, bench_payload_digest(bytes.data, bytes.size),
                              memory_order_relaxed);
    if (atomic_fetch_add(&sink.executed, 1) + 1 >= atomic_load(&sink.wanted)) {
        (void)pthread_mutex_lock(&sink.lock);
        atomic_store(&sink.wanted, UINT64_MAX); /* who still waits will say so again */
        (void)pthread_cond_broadcast(&sink.reached);
        (void)pthread_mutex_unlock(&sink.lock);
    }
    return PATIO_OK;
}

patio_status bench_tasks_add(patio_registry *registry, patio_error *err)
{
    patio_status st = PATIO_ADD_AS(registry, BENCH_ECHO, echo, err);
    if (st != PATIO_OK) {
        return st;
    }
    return PATIO_ADD_AS(registry, BENCH_SINK, sink_task, err);
}

void bench_sink_reset(void)
{
    atomic_store(&sink.executed, 0);
    atomic_store(&sink.digest, 0);
}

uint64_t bench_sink_executed(void)
{
    return atomic_load(&sink.executed);
}

uint64_t bench_sink_digest(void)
{
    return atomic_load(&sink.digest);
}

bool bench_sink_wait(uint64_t executed, uint64_t deadline_ns)
{
    struct timespec until     = {.tv_sec  = (time_t)(deadline_ns / BENCH_NS_PER_S),
                                 .tv_nsec = (long)(deadline_ns % BENCH_NS_PER_S)};
    bool            timed_out = false;
    (void)pthread_mutex_lock(&sink.lock);
    for (;;) {
        if (executed < atomic_load(&sink.wanted)) {
            atomic_store(&sink.wanted, executed);
        }
        if (atomic_load(&sink.executed) >= executed || timed_out) {
            break;
        }
        timed_out =
            pthread_cond_clockwait(&sink.reached, &sink.lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT;
    }
    (void)pthread_mutex_unlock(&sink.lock);
    return bench_sink_executed() >= executed;
}

void bench_sink_gate(bool closed)
{
    (void)pthread_mutex_lock(&sink.lock);
    atomic_store(&sink.closed, closed);
    (void)pthread_cond_broadcast(&sink.opened);
    (void)pthread_mutex_unlock(&sink.lock);
}
