/* 10_async: tasks that wait, thousands at once on one thread. A guest orders, the order waits for
 * the oven (time), calls another task (the till), and a bell rings from a thread that knows nothing
 * of patio (a callback). Written as if each step blocked. */
#include "must.h"

#include <pthread.h>

enum { GUESTS = 2000 };

static int at_once; /* needs no lock: with one loop, no two tasks run at the same time */
static int most;

static patio_status pay(patio_context *ctx)
{
    int64_t      price = 0;
    patio_status st    = patio_arg_int64(ctx, 0, &price);
    return st == PATIO_OK ? PATIO_RETURN(ctx, price + price / 10) : st;
}

static patio_status order(patio_context *ctx)
{
    patio_call_options inherit = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_future      *paid    = NULL;
    int64_t            total   = 0;

    most            = ++at_once > most ? at_once : most;
    patio_status st = patio_sleep_ms(ctx, 200); /* the oven */
    at_once--;
    if (st != PATIO_OK) {
        return st; /* cancelled, or too late: clean up and go */
    }
    st = patio_call(patio_task_broker(ctx), "pay", PATIO_ARGS(20), &inherit, &paid, NULL);
    if (st == PATIO_OK) {
        st = patio_value_get_int64(patio_future_value(paid), &total);
    }
    patio_future_destroy(paid);
    return st == PATIO_OK ? PATIO_RETURN(ctx, total) : st;
}

/* Somebody else's thread, that calls back when it is ready. */
static void *ring(void *waker)
{
    (void)patio_resume(*(patio_waker *)waker);
    return NULL;
}

static patio_status wait_for_bell(patio_context *ctx)
{
    pthread_t   thread;
    patio_waker waker = patio_waker_new(ctx); /* before the operation begins */
    if (pthread_create(&thread, NULL, ring, &waker) != 0) {
        return PATIO_NO_MEMORY;
    }
    /* shielded: the thread uses our stack, so we wait for it whatever happens */
    patio_status st = patio_suspend(ctx, PATIO_FOREVER, PATIO_SUSPEND_SHIELDED);
    (void)pthread_join(thread, NULL);
    return st == PATIO_OK ? PATIO_RETURN(ctx, "ding") : st;
}

int main(void)
{
    patio_error          err      = PATIO_ERROR_INIT;
    patio_config        *config   = NULL;
    patio_registry      *registry = NULL;
    patio_broker        *broker   = NULL;
    patio_future        *bell     = NULL;
    const char          *sound    = NULL;
    static patio_future *orders[GUESTS];

    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "pay", pay, &err));
    MUST(PATIO_ADD_AS(registry, "order", order, &err));
    MUST(PATIO_ADD_AS(registry, "bell", wait_for_bell, &err));
    MUST(patio_config_create(&config, &err));
    MUST(patio_config_set(config, "broker", "memory://", NULL, &err));
    MUST(patio_config_set(config, "executor", "async", NULL, &err));
    MUST(patio_config_set(config, "executor.workers", "5000", NULL, &err));
    MUST(patio_broker_create(NULL, registry, config, &broker, &err));
    MUST(patio_broker_start(broker, &err));

    int64_t sum = 0;
    for (int i = 0; i < GUESTS; i++) {
        MUST(patio_start(broker, "order", PATIO_NO_ARGS, NULL, &orders[i], &err));
    }
    for (int i = 0; i < GUESTS; i++) {
        int64_t total = 0;
        (void)patio_future_wait(orders[i], PATIO_FOREVER);
        MUST(patio_value_get_int64(patio_future_value(orders[i]), &total));
        patio_future_destroy(orders[i]);
        sum += total;
    }
    printf("%d guests paid %lld, %s of them were in the oven at once\n", GUESTS, (long long)sum,
           most > 10 ? "many" : "few");

    MUST(patio_call(broker, "bell", PATIO_NO_ARGS, NULL, &bell, &err));
    MUST(patio_value_get_string(patio_future_value(bell), &sound));
    printf("the bell says %s\n", sound);
    patio_future_destroy(bell);

    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    patio_config_destroy(config);
    return 0;
}
