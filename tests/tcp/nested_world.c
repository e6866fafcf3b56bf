#include "nested_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/peers.h>

#include "place.h"

enum {
    ENDLESS     = 1 << 20,
    LIMIT_TURNS = 60000,
};

side         a;
side         b;
_Atomic int  tickets;
_Atomic int  innermost;
_Atomic int  callers;
_Atomic int  gather;
_Atomic bool gate;

static uint8_t data[LARGE];

/* ---- the tasks ---- */

static bool take_ticket(void)
{
    int left = atomic_load(&tickets);
    while (left > 0 && !atomic_compare_exchange_weak(&tickets, &left, left - 1)) {
    }
    return left > 0;
}

static patio_status wait_leave(patio_context *ctx, int64_t depth)
{
    patio_status st = PATIO_OK;
    atomic_fetch_add(&innermost, depth == 0 ? 1 : 0);
    while (st == PATIO_OK && !(depth == 0 ? take_ticket() : atomic_load(&gate))) {
        st = patio_sleep_ms(ctx, 1);
    }
    return st;
}

static patio_status call_there(patio_context *ctx, const char *there, int64_t depth,
                               patio_bytes load, uint8_t *levels)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_status       st      = PATIO_OK;
    atomic_fetch_add(&callers, 1);
    while (st == PATIO_OK && atomic_load(&callers) < atomic_load(&gather)) {
        st = patio_sleep_ms(ctx, 1);
    }
    if (st != PATIO_OK) {
        return st;
    }
    st      = patio_call(patio_task_broker(ctx), there,
                         PATIO_ARGS(depth - 1, patio_blob(load.data, load.size)), &options, &f, NULL);
    *levels = st == PATIO_OK ? (uint8_t)(patio_future_value(f)->as.bytes[0] + 1) : 0;
    patio_future_destroy(f);
    return st;
}

static patio_status descend(patio_context *ctx, const char *there)
{
    int64_t      depth = 0;
    patio_bytes  load;
    uint8_t      levels = 0;
    patio_status st     = patio_arg_int64(ctx, 0, &depth);
    st                  = st == PATIO_OK ? patio_arg_bytes(ctx, 1, &load) : st;
    if (st == PATIO_OK) {
        st = depth > 0 ? call_there(ctx, there, depth, load, &levels) : wait_leave(ctx, depth);
    }
    uint8_t *copy = st == PATIO_OK ? malloc(load.size) : NULL;
    if (copy != NULL) {
        memcpy(copy, load.data, load.size);
        copy[0] = levels;
        st      = patio_return(ctx, patio_blob(copy, load.size));
    }
    free(copy);
    return st;
}

static patio_status task_a(patio_context *ctx)
{
    return descend(ctx, "b");
}

static patio_status task_b(patio_context *ctx)
{
    return descend(ctx, "a");
}

/* ---- the two sides ---- */

static void open_side(side *s, const char *name, patio_task_fn fn, const char *url,
                      const char *const *settings)
{
    patio_config *config = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    s->there             = fn == task_a ? "b" : "a";
    assert_int_equal(patio_registry_create(NULL, &s->registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(s->registry, name, fn, NULL), PATIO_OK);
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "broker", url, "test", NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "log.level", "off", "test", NULL), PATIO_OK);
    for (size_t i = 0; settings[i] != NULL; i += 2) {
        assert_int_equal(patio_config_set(config, settings[i], settings[i + 1], "test", NULL),
                         PATIO_OK);
    }
    if (patio_broker_create(NULL, s->registry, config, &s->broker, &err) != PATIO_OK ||
        patio_broker_start(s->broker, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    patio_config_destroy(config);
}

patio_future *start(const side *s, int64_t depth, size_t size, uint64_t timeout_ms)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    assert_int_equal(patio_start(s->broker, s->there, PATIO_ARGS(depth, patio_blob(data, size)),
                                 &options, &f, NULL),
                     PATIO_OK);
    return f;
}

void end_well(patio_future *f, int64_t levels, size_t size)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_future_wait(f, WAIT_MS);
    if (patio_future_status(f, &err) != PATIO_OK) {
        fail_msg("%lld levels: %s", (long long)levels, err.message);
    }
    assert_int_equal(patio_future_value(f)->as.bytes[0], levels);
    assert_int_equal(patio_future_value(f)->size, size);
    patio_future_destroy(f);
}

void begin(const char *scheme, const char *options, const char *const *settings)
{
    place site;
    place_make(&site, scheme, options, options);
    atomic_store(&tickets, ENDLESS);
    atomic_store(&innermost, 0);
    atomic_store(&callers, 0);
    atomic_store(&gather, 0);
    atomic_store(&gate, false);
    open_side(&a, "a", task_a, site.listen_url, settings);
    open_side(&b, "b", task_b, site.connect_url, settings);
    end_well(start(&a, 0, 1, WAIT_MS), 0, 1); /* both know each other */
    end_well(start(&b, 0, 1, WAIT_MS), 0, 1);
    atomic_store(&innermost, 0);
}

int end(void **state)
{
    (void)state;
    patio_broker_destroy(b.broker);
    patio_broker_destroy(a.broker);
    patio_registry_destroy(b.registry);
    patio_registry_destroy(a.registry);
    a = b = (side){NULL, NULL, NULL};
    return 0;
}

void wait_count(_Atomic int *what, int count)
{
    for (int i = 0; i < LIMIT_TURNS && atomic_load(what) < count; i++) {
        usleep(1000);
    }
    assert_true(atomic_load(what) >= count);
}

static int32_t look(void *arg, const patio_peer *peer)
{
    *(patio_peer *)arg = *peer;
    return 0;
}

void expect_no_credit(const side *s, uint32_t credit)
{
    patio_peer peer = {0};
    assert_int_equal(patio_broker_peers(s->broker, look, &peer, NULL), PATIO_OK);
    assert_int_equal(peer.credit, credit);
    assert_int_equal(peer.in_flight, credit);
}
