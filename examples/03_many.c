/* 03_many: calls side by side. Start a hundred and wait for all of them; be told by a callback;
 * wait for whichever is first. */
#include <stdatomic.h>
#include <threads.h>

#include "must.h"

enum { MANY = 100 };

static patio_status square(patio_context *ctx)
{
    int64_t      x  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &x);
    return st == PATIO_OK ? PATIO_RETURN(ctx, x * x) : st;
}

/* Takes as long as its argument says, and returns it. */
static patio_status nap(patio_context *ctx)
{
    int64_t      ms = 0;
    patio_status st = patio_arg_int64(ctx, 0, &ms);
    if (st == PATIO_OK) {
        (void)thrd_sleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
        st = PATIO_RETURN(ctx, ms);
    }
    return st;
}

static void wait_for_all(patio_broker *broker)
{
    patio_error   err           = PATIO_ERROR_INIT;
    patio_future *futures[MANY] = {NULL};
    int64_t       sum           = 0;
    for (int i = 0; i < MANY; i++) {
        MUST(patio_start(broker, "square", PATIO_ARGS(i), NULL, &futures[i], &err));
    }
    MUST(patio_future_wait_all(futures, MANY, PATIO_FOREVER));
    for (int i = 0; i < MANY; i++) {
        int64_t result = 0;
        MUST(patio_future_status(futures[i], &err)); /* done is not yet succeeded */
        MUST(patio_value_get_int64(patio_future_value(futures[i]), &result));
        sum += result;
        patio_future_destroy(futures[i]);
    }
    printf("sum of the squares below %d: %" PRId64 "\n", MANY, sum);
}

/* Runs on a thread of patio. Nobody else holds on to the future, so it ends here. */
static void count_it(patio_future *future, void *arg)
{
    atomic_int *done = arg;
    patio_future_destroy(future);
    atomic_fetch_add(done, 1);
}

static void be_told(patio_broker *broker)
{
    patio_error        err     = PATIO_ERROR_INIT;
    atomic_int         done    = 0;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .on_done = count_it,
                                  .on_done_arg = &done};
    for (int i = 0; i < MANY; i++) {
        patio_future *future = NULL; /* may be gone already when patio_start returns */
        MUST(patio_start(broker, "square", PATIO_ARGS(i), &options, &future, &err));
    }
    while (atomic_load(&done) < MANY) {
        thrd_yield();
    }
    printf("callbacks: %d\n", atomic_load(&done));
}

static void wait_for_any(patio_broker *broker)
{
    static const int naps_ms[]  = {600, 20, 300};
    patio_error      err        = PATIO_ERROR_INIT;
    patio_future    *futures[3] = {NULL};
    size_t           first      = 0;
    for (size_t i = 0; i < 3; i++) {
        MUST(patio_start(broker, "nap", PATIO_ARGS(naps_ms[i]), NULL, &futures[i], &err));
    }
    MUST(patio_future_wait_any(futures, 3, PATIO_FOREVER, &first));
    printf("first awake: the nap of %d ms\n", naps_ms[first]);
    for (size_t i = 0; i < 3; i++) {
        patio_future_destroy(futures[i]); /* the others go on; nobody will hear of them */
    }
}

int main(void)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;

    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "square", square, &err));
    MUST(PATIO_ADD_AS(registry, "nap", nap, &err));
    MUST(patio_broker_open(registry, "memory://", &broker, &err));
    MUST(patio_broker_start(broker, &err));

    wait_for_all(broker);
    be_told(broker);
    wait_for_any(broker);

    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return 0;
}
