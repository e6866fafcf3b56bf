#include "brokers_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Atomic uint32_t runs;
_Atomic uint32_t gate_waits;
_Atomic bool     gate_open;

patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &b) : st;
    atomic_fetch_add(&runs, 1);
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

patio_status length(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    return st == PATIO_OK ? patio_return(ctx, patio_blob(bytes.data, bytes.size)) : st;
}

patio_status gate(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open) && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, (int64_t)getpid());
}

patio_status there(patio_context *ctx)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_status       st =
        patio_call(patio_task_broker(ctx), "back", PATIO_ARGS(20, 1), &options, &f, NULL);
    int64_t sum = st == PATIO_OK ? patio_future_value(f)->as.i64 : 0;
    patio_future_destroy(f);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * sum) : patio_task_fail(ctx, 1, "Nested", "no");
}

patio_status second_time(patio_context *ctx)
{
    uint32_t attempt = patio_task_attempt(ctx);
    return attempt < 2 ? patio_task_retry(ctx, 20, "again") : PATIO_RETURN(ctx, (int64_t)attempt);
}

patio_status broken(patio_context *ctx)
{
    return patio_task_fail(ctx, 7, "Broken", "on purpose");
}
patio_status open_side(side *s, const named *tasks, size_t count, const char *const *urls,
                       patio_error *err)
{
    patio_config *config = NULL;
    *s                   = (side){NULL, NULL};
    assert_int_equal(patio_config_create(&config, err), PATIO_OK);
    for (size_t i = 0; urls[i] != NULL; i++) {
        char key[32];
        char url[256];
        (void)snprintf(key, sizeof(key), "broker.%zu", i);
        const char *mark = strstr(urls[i], "%s");
        (void)snprintf(url, sizeof(url), "%.*s%s%s", mark ? (int)(mark - urls[i]) : 0, urls[i],
                       mark ? folder : "", mark ? mark + 2 : urls[i]);
        assert_int_equal(patio_config_set(config, key, url, "test", err), PATIO_OK);
    }
    assert_int_equal(patio_config_set(config, "log.level", "off", "test", err), PATIO_OK);
    assert_int_equal(patio_config_set(config, "executor.workers", "2", "test", err), PATIO_OK);
    assert_int_equal(patio_config_set(config, "max_body_bytes", "15MiB", "test", err), PATIO_OK);
    if (count > 0) {
        assert_int_equal(patio_registry_create(NULL, &s->registry, err), PATIO_OK);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(PATIO_ADD_AS(s->registry, tasks[i].name, tasks[i].fn, err), PATIO_OK);
    }
    patio_status st = patio_broker_create(NULL, s->registry, config, &s->broker, err);
    patio_config_destroy(config);
    return st == PATIO_OK ? patio_broker_start(s->broker, err) : st;
}

void open_well(side *s, const named *tasks, size_t count, const char *const *urls)
{
    patio_error err = PATIO_ERROR_INIT;
    if (open_side(s, tasks, count, urls, &err) != PATIO_OK) {
        fail_msg("open: %s", err.message);
    }
}

void close_side(side *s)
{
    patio_broker_destroy(s->broker);
    patio_registry_destroy(s->registry);
    *s = (side){NULL, NULL};
}

patio_status call_add(const side *s, const char *task, int64_t *sum, uint64_t timeout_ms,
                      uint32_t flags)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms,
                                  .flags = flags};
    patio_status       st      = patio_call(s->broker, task, PATIO_ARGS(20, 3), &options, &f, NULL);
    if (st == PATIO_OK) {
        *sum = patio_future_value(f)->as.i64;
    }
    patio_future_destroy(f);
    return st;
}

void expect_add(const side *s, const char *task)
{
    int64_t sum = 0;
    assert_int_equal(call_add(s, task, &sum, 60000, PATIO_CALL_WAIT_ROUTE), PATIO_OK);
    assert_int_equal(sum, 23);
}

patio_counts count(const side *s)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    assert_int_equal(patio_broker_counts(s->broker, NULL, 20000, &c, NULL), PATIO_OK);
    return c;
}

bool none_ready(const void *one)
{
    patio_counts c = count(one);
    return c.ready == 0 && c.leased == 0;
}

bool until(bool (*holds)(const void *arg), const void *arg)
{
    for (int i = 0; i < 5000; i++) {
        if (holds(arg)) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

const named adder[]  = {{"add", add}};
const named gated[]  = {{"gate", gate}, {"add", add}};
const named caller[] = {{"back", add}};
const named asker[]  = {{"there", there}};
