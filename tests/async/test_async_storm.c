/* A storm: threads that call tasks which wait in every way there is, cancel some, give others too
 * little time, and a thread that resumes and finishes from outside. Each call ends once, each task
 * that began has ended, nothing is left. test_async_storm [calls per thread [loops]] */
#include "fixture.h"

#include <stdio.h>

enum { CALLERS = 3, WINDOW = 64, BOX = 1024, KINDS = 6 };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
static unsigned calls_each = 1500;
#else
static unsigned calls_each = 8000;
#endif
static unsigned loops = 2;

static patio_broker    *broker;
static _Atomic uint32_t began;
static _Atomic uint32_t ended;
static _Atomic uint32_t outcomes[1000]; /* by status */

/* ---- what is to be resumed or finished, by a thread of its own ---- */

typedef struct letter {
    patio_waker     waker;
    patio_deferred *deferred; /* NULL: resume the waker */
} letter;

static pthread_mutex_t box_lock = PTHREAD_MUTEX_INITIALIZER;
static letter          box[BOX];
static unsigned        box_used;
static _Atomic bool    over;

static bool post(letter l)
{
    pthread_mutex_lock(&box_lock);
    bool fits = box_used < BOX;
    if (fits) {
        box[box_used++] = l;
    }
    pthread_mutex_unlock(&box_lock);
    return fits;
}

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static bool take(letter *out, unsigned *seed)
{
    pthread_mutex_lock(&box_lock);
    bool any = box_used > 0;
    if (any) {
        unsigned i = next_random(seed) % box_used;
        *out       = box[i];
        box[i]     = box[--box_used];
    }
    pthread_mutex_unlock(&box_lock);
    return any;
}

static void *deliver(void *arg)
{
    unsigned seed = 7;
    letter   l;
    (void)arg;
    while (!atomic_load(&over)) {
        if (!take(&l, &seed)) {
            test_pause();
        } else if (l.deferred != NULL) {
            (void)patio_deferred_return(l.deferred, patio_int(1));
        } else {
            (void)patio_resume(l.waker);
            (void)patio_resume(l.waker); /* the second finds it stale, or another's */
        }
    }
    while (take(&l, &seed)) {
        if (l.deferred != NULL) {
            (void)patio_deferred_fail(l.deferred, 1, "Over", "the storm is over");
        }
    }
    return NULL;
}

/* ---- the task ---- */

static patio_status wait_somehow(patio_context *ctx, uint64_t kind, uint64_t x)
{
    patio_status    st       = PATIO_OK;
    patio_deferred *deferred = NULL;
    switch (kind) {
    case 0:
        return patio_sleep_ms(ctx, x % 4);
    case 1:
        for (uint64_t i = 0; i < x % 20 && st == PATIO_OK; i++) {
            st = patio_yield(ctx);
        }
        return st;
    case 2:
        return patio_call(patio_task_broker(ctx), "mul", PATIO_ARGS((int64_t)x, 1), NULL, NULL,
                          NULL);
    case 3: {
        letter l = {.waker = patio_waker_new(ctx)};
        return post(l) ? patio_suspend(ctx, 2000, 0) : PATIO_OK;
    }
    case 4:
        st = patio_task_defer(ctx, &deferred);
        if (st == PATIO_OK && !post((letter){.deferred = deferred})) {
            st = patio_deferred_return(deferred, patio_int(0));
        }
        return st;
    default:
        return PATIO_OK;
    }
}

static patio_status task_mix(patio_context *ctx)
{
    uint64_t     kind = 0;
    uint64_t     x    = 0;
    patio_status st   = patio_arg_uint64(ctx, 0, &kind);
    st                = st == PATIO_OK ? patio_arg_uint64(ctx, 1, &x) : st;
    atomic_fetch_add(&began, 1);
    for (int i = 0; i < 3 && st == PATIO_OK && kind != 4; i++) {
        st = wait_somehow(ctx, kind, x);
    }
    st = kind == 4 ? wait_somehow(ctx, kind, x) : st;
    atomic_fetch_add(&ended, 1);
    return st;
}

/* ---- the callers ---- */

static void settle(patio_future *future, unsigned dice)
{
    if (dice % 10 == 0) {
        patio_future_cancel(future);
    }
    assert_status(patio_future_wait(future, 60000), PATIO_OK);
    atomic_fetch_add(&outcomes[patio_future_status(future, NULL)], 1);
    patio_future_destroy(future);
}

static void *call_many(void *arg)
{
    unsigned      seed           = (unsigned)(uintptr_t)arg;
    patio_future *window[WINDOW] = {NULL};
    for (unsigned i = 0; i < calls_each + WINDOW; i++) {
        patio_future     **slot    = &window[i % WINDOW];
        unsigned           dice    = next_random(&seed);
        patio_call_options options = {PATIO_SIZED(patio_call_options),
                                      .timeout_ms = dice % 7 == 0 ? 1 + dice % 3 : 30000};
        if (*slot != NULL) {
            settle(*slot, dice);
            *slot = NULL;
        }
        if (i < calls_each &&
            patio_start(broker, "mix", PATIO_ARGS(dice % KINDS, next_random(&seed)), &options, slot,
                        NULL) != PATIO_OK) {
            *slot = NULL; /* its time was over before it was sent */
            atomic_fetch_add(&outcomes[PATIO_TIMEOUT], 1);
        }
    }
    return NULL;
}

static void every_call_ends_once_and_every_task_that_began(void **state)
{
    (void)state;
    fixture   f;
    pthread_t callers[CALLERS];
    char      loops_text[32];
    fixture_init(&f);
    add_common_tasks(f.registry);
    add_task(f.registry, "mix", task_mix, NULL);
    (void)snprintf(loops_text, sizeof(loops_text), "executor.loops=%u", loops);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("broker=memory://", "executor=async", "executor.workers=500",
                                     "executor.keep_stacks=20", loops_text));
    broker   = f.broker;
    atomic_store(&over, false);
    pthread_t postman = run_thread(deliver, NULL);
    for (uintptr_t i = 0; i < CALLERS; i++) {
        callers[i] = run_thread(call_many, (void *)(i + 1));
    }
    for (int i = 0; i < CALLERS; i++) {
        join_thread(callers[i]);
    }
    /* the callers have their answers; tasks whose callers gave up may still be at work */
    assert_ok(patio_broker_stop(f.broker, 30000, &f.err), f.err);
    atomic_store(&over, true);
    join_thread(postman);
    assert_int_equal(atomic_load(&began), atomic_load(&ended));
    uint32_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t n = atomic_load(&outcomes[i]);
        sum += n;
        if (n > 0 && i != PATIO_OK && i != PATIO_CANCELLED && i != PATIO_TIMEOUT &&
            i != PATIO_TASK_FAILED) {
            fail_msg("%u calls ended as %s", n, patio_status_name(i));
        }
    }
    assert_int_equal(sum, CALLERS * calls_each);
    assert_true(atomic_load(&outcomes[PATIO_OK]) > sum / 2);
    assert_true(atomic_load(&outcomes[PATIO_CANCELLED]) > 0);
    fixture_close(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_ends_once_and_every_task_that_began),
    };
    calls_each = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : calls_each;
    loops      = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : loops;
    return RUN_TESTS("async storm", tests);
}
