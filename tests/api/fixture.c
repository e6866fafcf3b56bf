#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void test_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

void assert_value(const patio_value *got, patio_value expected)
{
    assert_non_null(got);
    assert_true(patio_value_equal(got, &expected));
}

/* ---- worlds ---- */

void fixture_init(fixture *f)
{
    fixture_init_with(f, 0, 0);
}

void fixture_init_with(fixture *f, uint32_t flags, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->err = (patio_error)PATIO_ERROR_INIT;
    gate_reset(&the_gate);
    atomic_store(&runs, 0);
    failing_alloc_init(&f->memory, 0);
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options), .log_level = PATIO_LOG_OFF,
                                     .allocator = &f->memory.mem, .flags = flags, .seed = seed};
    assert_ok(patio_runtime_create(&options, &f->runtime, &f->err), f->err);
    assert_ok(patio_registry_create(NULL, &f->registry, &f->err), f->err);
}

void fixture_open(fixture *f, const char *const *settings)
{
    fixture_init(f);
    add_common_tasks(f->registry);
    f->broker = start_broker(f, f->registry, settings);
}

void fixture_close(fixture *f)
{
    gate_open(&the_gate);
    if (f->broker != NULL) {
        (void)patio_broker_stop(f->broker, 10000, NULL);
        patio_broker_destroy(f->broker);
    }
    patio_registry_destroy(f->registry);
    patio_runtime_destroy(f->runtime);
    assert_int_equal(atomic_load(&f->memory.live), 0);
}

patio_status try_broker(fixture *f, patio_registry *registry, const char *const *settings,
                        patio_broker **out)
{
    patio_config *config = NULL;
    assert_ok(patio_config_create(&config, &f->err), f->err);
    for (; settings != NULL && *settings != NULL; settings++) {
        const char  *equals = strchr(*settings, '=');
        char        *key    = strndup(*settings, (size_t)(equals - *settings));
        patio_status st     = patio_config_set(config, key, equals + 1, "test", &f->err);
        free(key);
        assert_ok(st, f->err);
    }
    patio_status st = patio_broker_create(f->runtime, registry, config, out, &f->err);
    patio_config_destroy(config);
    return st;
}

patio_broker *make_broker(fixture *f, patio_registry *registry, const char *const *settings)
{
    patio_broker *broker = NULL;
    assert_ok(try_broker(f, registry, settings, &broker), f->err);
    return broker;
}

patio_broker *start_broker(fixture *f, patio_registry *registry, const char *const *settings)
{
    patio_broker *broker = make_broker(f, registry, settings);
    assert_ok(patio_broker_start(broker, &f->err), f->err);
    return broker;
}

patio_counts counts_of(patio_broker *broker, const char *queue)
{
    patio_counts counts = {PATIO_SIZED(patio_counts)};
    assert_status(patio_broker_counts(broker, queue, 10000, &counts, NULL), PATIO_OK);
    return counts;
}

patio_broker_stats stats_of(const patio_broker *broker)
{
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    patio_broker_get_stats(broker, &stats);
    return stats;
}

void add_task(patio_registry *registry, const char *name, patio_task_fn fn,
              const patio_task_options *options)
{
    patio_error err = PATIO_ERROR_INIT;
    assert_ok(patio_registry_add(registry, name, fn, __FILE__, name, options, &err), err);
}

/* ---- the gate ---- */

gate the_gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
_Atomic(uint32_t) runs;

void gate_reset(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->arrived = 0;
    g->inside  = 0;
    g->most    = 0;
    g->open    = false;
    pthread_mutex_unlock(&g->lock);
}

static void enter(gate *g)
{
    g->arrived++;
    g->inside++;
    g->most = g->inside > g->most ? g->inside : g->most;
}

void gate_pass(gate *g)
{
    pthread_mutex_lock(&g->lock);
    enter(g);
    while (!g->open) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    g->inside--;
    pthread_mutex_unlock(&g->lock);
}

void gate_open(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static bool gate_is_open(gate *g)
{
    pthread_mutex_lock(&g->lock);
    bool open = g->open;
    pthread_mutex_unlock(&g->lock);
    return open;
}

unsigned gate_arrived(gate *g)
{
    pthread_mutex_lock(&g->lock);
    unsigned arrived = g->arrived;
    pthread_mutex_unlock(&g->lock);
    return arrived;
}

/* ---- tasks ---- */

patio_status task_mul(patio_context *ctx)
{
    int64_t product = 1;
    for (size_t i = 0; i < patio_arg_count(ctx); i++) {
        int64_t      x  = 0;
        patio_status st = patio_arg_int64(ctx, i, &x);
        if (st != PATIO_OK) {
            return st;
        }
        product *= x;
    }
    return PATIO_RETURN(ctx, product);
}

patio_status task_echo(patio_context *ctx)
{
    const patio_value *v = patio_arg(ctx, 0);
    return v != NULL ? patio_return(ctx, *v) : PATIO_OK;
}

patio_status task_gate(patio_context *ctx)
{
    gate_pass(&the_gate);
    return task_echo(ctx);
}

patio_status task_count(patio_context *ctx)
{
    (void)ctx;
    atomic_fetch_add(&runs, 1);
    return PATIO_OK;
}

patio_status task_until_cancelled(patio_context *ctx)
{
    pthread_mutex_lock(&the_gate.lock);
    enter(&the_gate);
    pthread_mutex_unlock(&the_gate.lock);
    while (!gate_is_open(&the_gate)) {
        if (patio_task_cancelled(ctx)) {
            atomic_fetch_add(&runs, 1);
            break;
        }
        test_pause();
    }
    return PATIO_OK;
}

void add_common_tasks(patio_registry *registry)
{
    add_task(registry, "mul", task_mul, NULL);
    add_task(registry, "echo", task_echo, NULL);
    add_task(registry, "gate", task_gate, NULL);
    add_task(registry, "count", task_count, NULL);
    add_task(registry, "until_cancelled", task_until_cancelled, NULL);
}

patio_future *hold_worker(patio_broker *broker)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    unsigned      before = gate_arrived(&the_gate);
    assert_ok(patio_start(broker, "gate", PATIO_NO_ARGS, NULL, &future, &err), err);
    AWAIT_ARRIVED(&the_gate, before + 1);
    return future;
}

/* ---- threads ---- */

pthread_t run_thread(void *(*body)(void *arg), void *arg)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    return thread;
}

void join_thread(pthread_t thread)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
}
