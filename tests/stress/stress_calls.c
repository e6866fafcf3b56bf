/* stress_calls.c: many threads call at once, in three ways, and every single result is checked.
 *
 *     stress_calls [calls per thread]        or PATIO_STRESS_CALLS=…; 20000
 *
 * A third of the threads calls and waits, a third keeps futures in flight, a third is called back.
 * No two calls of a run have the same result, so a reply that reaches another caller cannot pass.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <patio/patio.h>

#define THREADS        8u
#define IN_FLIGHT      64u
#define CALLS_DEFAULT  20000u
#define CALLS_MAX      100000000u
#define CALL_TIMEOUT_S 120u /* far above what any machine needs: only a lost call takes so long */

typedef struct caller {
    patio_broker    *broker;
    uint32_t         index;
    uint32_t         calls;
    uint32_t         outstanding; /* called back: started, not done; under the lock */
    _Atomic uint32_t failures;
    pthread_mutex_t  lock;
    pthread_cond_t   ended;
    pthread_t        thread;
    struct callback {
        struct caller *caller;
        uint32_t       number;
    } * callbacks;
} caller;

static patio_status mul(patio_context *ctx)
{
    int64_t      factor[3];
    patio_status st = PATIO_OK;
    for (size_t i = 0; i < 3 && st == PATIO_OK; i++) {
        st = patio_arg_int64(ctx, i, &factor[i]);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, factor[0] * factor[1] * factor[2]) : st;
}

/* The thread above, the number below: distinct for every call of a run. */
static int64_t second_factor(const caller *c, uint32_t number)
{
    return ((int64_t)c->index << 32) + number + 1;
}

static int64_t expected(const caller *c, uint32_t number)
{
    return 3 * second_factor(c, number) * 5;
}

static void fail(caller *c, uint32_t number, patio_status st, const patio_error *err)
{
    if (atomic_fetch_add(&c->failures, 1) == 0) {
        (void)fprintf(stderr, "thread %u, call %u: %s: %s\n", c->index, number,
                      patio_status_name(st), err->message);
    }
}

static void check(caller *c, uint32_t number, patio_future *future)
{
    patio_error  err     = PATIO_ERROR_INIT;
    int64_t      product = 0;
    patio_status st      = patio_future_status(future, &err);
    if (st == PATIO_OK) {
        st = patio_value_get_int64(patio_future_value(future), &product);
    }
    if (st == PATIO_OK && product != expected(c, number)) {
        (void)snprintf(err.message, sizeof(err.message), "got %lld, expected %lld",
                       (long long)product, (long long)expected(c, number));
        st = PATIO_INTERNAL;
    }
    if (st != PATIO_OK) {
        fail(c, number, st, &err);
    }
}

static patio_future *start(caller *c, uint32_t number, patio_done_fn on_done, void *arg)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options),
                                  .timeout_ms = CALL_TIMEOUT_S * 1000u, .on_done = on_done,
                                  .on_done_arg = arg};
    patio_status       st =
        patio_start(c->broker, "stress.mul", PATIO_ARGS(3, second_factor(c, number), 5), &options,
                    &future, &err);
    if (st != PATIO_OK) {
        fail(c, number, st, &err);
        return NULL;
    }
    return future;
}

/* ---- three ways to call ---- */

static void call_and_wait(caller *c)
{
    for (uint32_t i = 0; i < c->calls; i++) {
        patio_error        err     = PATIO_ERROR_INIT;
        patio_future      *future  = NULL;
        patio_call_options options = {PATIO_SIZED(patio_call_options),
                                      .timeout_ms = CALL_TIMEOUT_S * 1000u};
        patio_status st = patio_call(c->broker, "stress.mul", PATIO_ARGS(3, second_factor(c, i), 5),
                                     &options, &future, &err);
        if (st == PATIO_OK) {
            check(c, i, future);
        } else {
            fail(c, i, st, &err);
        }
        patio_future_destroy(future);
    }
}

static void keep_in_flight(caller *c)
{
    patio_future *ring[IN_FLIGHT] = {NULL};
    for (uint32_t i = 0; i < c->calls + IN_FLIGHT; i++) {
        patio_future **slot = &ring[i % IN_FLIGHT];
        if (*slot != NULL) {
            patio_error  err = PATIO_ERROR_INIT;
            patio_status st  = patio_future_wait(*slot, PATIO_FOREVER);
            if (st == PATIO_OK) {
                check(c, i - IN_FLIGHT, *slot);
            } else {
                fail(c, i - IN_FLIGHT, st, &err);
            }
            patio_future_destroy(*slot);
        }
        *slot = i < c->calls ? start(c, i, NULL, NULL) : NULL;
    }
}

static void on_done(patio_future *future, void *arg)
{
    const struct callback *back = arg;
    caller                *c    = back->caller;
    check(c, back->number, future);
    patio_future_destroy(future);
    (void)pthread_mutex_lock(&c->lock);
    c->outstanding--;
    (void)pthread_cond_signal(&c->ended);
    (void)pthread_mutex_unlock(&c->lock);
}

static void await_outstanding(caller *c, uint32_t most, uint32_t add)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->outstanding > most) {
        (void)pthread_cond_wait(&c->ended, &c->lock);
    }
    c->outstanding += add;
    (void)pthread_mutex_unlock(&c->lock);
}

static void be_called_back(caller *c)
{
    for (uint32_t i = 0; i < c->calls; i++) {
        await_outstanding(c, IN_FLIGHT - 1, 1);
        c->callbacks[i] = (struct callback){c, i};
        if (start(c, i, on_done, &c->callbacks[i]) == NULL) {
            (void)pthread_mutex_lock(&c->lock);
            c->outstanding--;
            (void)pthread_mutex_unlock(&c->lock);
        }
    }
    await_outstanding(c, 0, 0);
}

static void *caller_main(void *arg)
{
    static void (*const ways[])(caller *) = {call_and_wait, keep_in_flight, be_called_back};
    caller *c                             = arg;
    ways[c->index % 3](c);
    return NULL;
}

/* ---- the run ---- */

static uint32_t calls_per_thread(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("PATIO_STRESS_CALLS");
    if (text == NULL) {
        return CALLS_DEFAULT;
    }
    char *end           = NULL;
    errno               = 0;
    unsigned long count = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || count == 0 || count > CALLS_MAX) {
        (void)fprintf(stderr, "expected a number of calls from 1 to %u, got \"%s\"\n", CALLS_MAX,
                      text);
        exit(2);
    }
    return (uint32_t)count;
}

static bool run_callers(patio_broker *broker, uint32_t calls)
{
    static caller callers[THREADS];
    uint32_t      failures = 0;
    uint32_t      started  = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        caller *c = &callers[i];
        *c        = (caller){.broker = broker, .index = i, .calls = calls};
        (void)pthread_mutex_init(&c->lock, NULL);
        (void)pthread_cond_init(&c->ended, NULL);
        c->callbacks = calloc(calls, sizeof(*c->callbacks));
        if (c->callbacks == NULL || pthread_create(&c->thread, NULL, caller_main, c) != 0) {
            (void)fprintf(stderr, "thread %u: no memory\n", i);
            free(c->callbacks);
            break;
        }
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        failures += callers[i].failures;
        free(callers[i].callbacks);
    }
    printf("%u threads x %u calls, %u failures\n", started, calls, failures);
    return started == THREADS && failures == 0;
}

/* What the broker counted must be what we did. */
static bool check_stats(patio_broker *broker, uint32_t calls)
{
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    patio_broker_get_stats(broker, &stats);
    uint64_t all  = (uint64_t)THREADS * calls;
    bool     well = stats.calls_started == all && stats.calls_answered == all &&
                stats.calls_failed == 0 && stats.calls_in_flight == 0 && stats.tasks_started == all;
    if (!well) {
        (void)fprintf(
            stderr,
            "broker counts %llu started, %llu answered, %llu failed, %llu in flight, %llu tasks\n",
            (unsigned long long)stats.calls_started, (unsigned long long)stats.calls_answered,
            (unsigned long long)stats.calls_failed, (unsigned long long)stats.calls_in_flight,
            (unsigned long long)stats.tasks_started);
    }
    return well;
}

int main(int argc, char **argv)
{
    uint32_t        calls    = calls_per_thread(argc, argv);
    const char     *url      = getenv("PATIO_STRESS_BROKER");
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_status    st       = patio_registry_create(NULL, &registry, &err);
    if (st == PATIO_OK) {
        st = PATIO_ADD_AS(registry, "stress.mul", mul, &err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_open(registry, url != NULL ? url : "memory://", &broker, &err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_start(broker, &err);
    }
    bool well = st == PATIO_OK && run_callers(broker, calls) && check_stats(broker, calls);
    if (st == PATIO_OK) {
        st = patio_broker_stop(broker, CALL_TIMEOUT_S * 1000u, &err);
    }
    if (st != PATIO_OK) {
        (void)fprintf(stderr, "%s: %s\n", patio_status_name(st), err.message);
    }
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return well && st == PATIO_OK ? 0 : 1;
}
