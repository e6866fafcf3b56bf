/* Peers that take shorter messages than the caller would send: what is too large for one of them
 * holds up nobody, and what is too large for all of them is told so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { LARGE = 200 * 1024, SMALL = 100, SMALL_CALLS = 20, TRIES = 5000 };

static _Atomic bool     gate_open;
static _Atomic uint32_t gate_waits;
static uint8_t          data[LARGE];

static patio_status length(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    return st == PATIO_OK ? PATIO_RETURN(ctx, (int64_t)bytes.size) : st;
}

static patio_status gate(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open) && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    return PATIO_RETURN(ctx, 1);
}

typedef struct world {
    patio_registry *small_tasks;
    patio_registry *all_tasks;
    patio_broker   *caller;
    patio_broker   *small; /* takes 64 KiB */
    patio_broker   *large;
    char            url[96];
} world;

static int make_world(void **state)
{
    static world w;
    static int   number;
    char         own[128];
    memset(&w, 0, sizeof(w));
    atomic_store(&gate_open, false);
    atomic_store(&gate_waits, 0);
    (void)snprintf(w.url, sizeof(w.url), "unix://%s/s%d", folder, ++number);
    (void)snprintf(own, sizeof(own), "unix+listen://%s/s%d", folder, number);
    if (patio_registry_create(NULL, &w.small_tasks, NULL) != PATIO_OK ||
        patio_registry_create(NULL, &w.all_tasks, NULL) != PATIO_OK ||
        PATIO_ADD_AS(w.small_tasks, "length", length, NULL) != PATIO_OK ||
        PATIO_ADD_AS(w.all_tasks, "length", length, NULL) != PATIO_OK ||
        PATIO_ADD_AS(w.all_tasks, "gate", gate, NULL) != PATIO_OK) {
        return -1;
    }
    w.caller = open_quiet_broker(NULL, own, "1");
    *state   = &w;
    return w.caller != NULL ? 0 : -1;
}

static int end_world(void **state)
{
    world *w = *state;
    atomic_store(&gate_open, true);
    patio_broker_destroy(w->small);
    patio_broker_destroy(w->large);
    patio_broker_destroy(w->caller);
    patio_registry_destroy(w->small_tasks);
    patio_registry_destroy(w->all_tasks);
    return 0;
}

static patio_future *start(world *w, size_t size, uint32_t flags)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                  .flags = flags};
    if (patio_start(w->caller, "length", PATIO_ARGS(patio_blob(data, size)), &options, &f, &err) !=
        PATIO_OK) {
        fail_msg("start: %s", err.message);
    }
    return f;
}

static patio_status finish(patio_future *f)
{
    (void)patio_future_wait(f, 20000);
    patio_status st = patio_future_status(f, NULL);
    patio_future_destroy(f);
    return st;
}

static void open_small(world *w)
{
    char url[160];
    (void)snprintf(url, sizeof(url), "%s?max_frame_bytes=64KiB", w->url);
    w->small = open_quiet_broker(w->small_tasks, url, "1");
    assert_non_null(w->small);
}

static patio_counts counts(const world *w)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    assert_int_equal(patio_broker_counts(w->caller, NULL, 20000, &c, NULL), PATIO_OK);
    return c;
}

static void what_no_peer_takes_is_refused_at_once(void **state)
{
    world *w = *state;
    open_small(w);
    assert_int_equal(finish(start(w, SMALL, PATIO_CALL_WAIT_ROUTE)), PATIO_OK);
    for (int wait = 0; wait < 2; wait++) {
        patio_future      *f       = NULL;
        patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                      .flags = wait != 0 ? PATIO_CALL_WAIT_ROUTE : 0};
        assert_int_equal(patio_call(w->caller, "length", PATIO_ARGS(patio_blob(data, LARGE)),
                                    &options, &f, NULL),
                         PATIO_TOO_LARGE);
        patio_future_destroy(f);
    }
    assert_int_equal(
        patio_send(w->caller, "length", PATIO_ARGS(patio_blob(data, LARGE)), NULL, NULL, NULL),
        PATIO_TOO_LARGE);
    assert_int_equal(finish(start(w, SMALL, 0)), PATIO_OK);
}

static void what_was_held_already_ends_when_only_small_peers_come(void **state)
{
    world        *w     = *state;
    patio_future *large = start(w, LARGE, PATIO_CALL_WAIT_ROUTE);
    patio_future *small = start(w, SMALL, PATIO_CALL_WAIT_ROUTE);
    assert_int_equal(
        patio_send(w->caller, "length", PATIO_ARGS(patio_blob(data, LARGE)), NULL, NULL, NULL),
        PATIO_OK);
    assert_int_equal(counts(w).ready, 3);
    open_small(w);
    assert_int_equal(finish(small), PATIO_OK);
    assert_int_equal(finish(large), PATIO_TOO_LARGE);
    assert_int_equal(counts(w).ready, 0);
    assert_int_equal(counts(w).dead, 1);
}

/* The only worker that takes it is busy: what is behind it goes to the other one. */
static void what_is_too_large_for_one_peer_holds_up_nobody(void **state)
{
    world        *w    = *state;
    patio_future *held = NULL;
    patio_future *small[SMALL_CALLS];
    w->large = open_quiet_broker(w->all_tasks, w->url, "1");
    assert_non_null(w->large);
    assert_int_equal(finish(start(w, LARGE, PATIO_CALL_WAIT_ROUTE)), PATIO_OK);
    assert_int_equal(patio_start(w->caller, "gate", PATIO_NO_ARGS, NULL, &held, NULL), PATIO_OK);
    for (int i = 0; i < TRIES && atomic_load(&gate_waits) == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&gate_waits), 1);
    /* one may wait there beyond the credit, the others wait here */
    patio_future *large[] = {start(w, LARGE, 0), start(w, LARGE, 0), start(w, LARGE, 0)};
    small[0] = start(w, SMALL, 0); /* before the small worker is there, the rest after */
    open_small(w);
    for (int i = 1; i < SMALL_CALLS; i++) {
        small[i] = start(w, SMALL, 0);
    }
    for (int i = 0; i < SMALL_CALLS; i++) {
        assert_int_equal(finish(small[i]), PATIO_OK);
    }
    assert_false(patio_future_done(large[2]));
    atomic_store(&gate_open, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(finish(large[i]), PATIO_OK);
    }
    assert_int_equal(finish(held), PATIO_OK);
}

static _Atomic bool warned;

static void on_log(void *self, const patio_log_line *line)
{
    (void)self;
    if (strstr(line->text, "raise its max_frame_bytes") != NULL) {
        atomic_store(&warned, true);
    }
}

/* A worker with more names of tasks than the caller takes bytes. */
static patio_broker *open_wordy(const char *url, patio_runtime *runtime, patio_registry *tasks,
                                char (*names)[48], size_t count)
{
    patio_config *config = NULL;
    patio_broker *wordy  = NULL;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "a.rather.long.name.of.a.task.%zu", i);
        assert_int_equal(PATIO_ADD_AS(tasks, names[i], length, NULL), PATIO_OK);
    }
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "broker", url, "test", NULL), PATIO_OK);
    assert_int_equal(patio_broker_create(runtime, tasks, config, &wordy, NULL), PATIO_OK);
    patio_config_destroy(config);
    assert_int_equal(patio_broker_start(wordy, NULL), PATIO_OK);
    return wordy;
}

/* It says what does not fit, and the link, which serves the other way, stays. */
static void a_peer_that_takes_no_such_announcement_gets_none(void **state)
{
    enum { NAMES = 3000 };
    static char           names[NAMES][48];
    world                *w       = *state;
    patio_runtime        *runtime = NULL;
    patio_registry       *tasks   = NULL;
    patio_error           err     = PATIO_ERROR_INIT;
    char                  own[128];
    char                  url[128];
    patio_runtime_options quiet = {PATIO_SIZED(patio_runtime_options), .log_level = PATIO_LOG_WARN,
                                   .log = on_log};
    patio_call_options    options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                     .flags = PATIO_CALL_WAIT_ROUTE};
    (void)snprintf(own, sizeof(own), "unix+listen://%s/wordy?max_frame_bytes=64KiB", folder);
    (void)snprintf(url, sizeof(url), "unix://%s/wordy", folder);
    assert_int_equal(patio_runtime_create(&quiet, &runtime, NULL), PATIO_OK);
    assert_int_equal(patio_registry_create(NULL, &tasks, NULL), PATIO_OK);
    w->small            = open_quiet_broker(w->small_tasks, own, "1");
    patio_broker *wordy = open_wordy(url, runtime, tasks, names, NAMES);
    assert_true(atomic_load(&warned));
    for (int i = 0; i < 20; i++) {
        if (patio_call(wordy, "length", PATIO_ARGS(patio_blob(data, SMALL)), &options, NULL,
                       &err) != PATIO_OK) {
            fail_msg("call %d: %s", i, err.message);
        }
    }
    assert_int_equal(patio_call(w->small, names[0], PATIO_ARGS(1), NULL, NULL, &err),
                     PATIO_NO_ROUTE);
    patio_broker_destroy(wordy);
    patio_registry_destroy(tasks);
    patio_runtime_destroy(runtime);
}

int main(void)
{
#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
    const struct CMUnitTest tests[] = {
        IN_WORLD(what_no_peer_takes_is_refused_at_once),
        IN_WORLD(what_was_held_already_ends_when_only_small_peers_come),
        IN_WORLD(what_is_too_large_for_one_peer_holds_up_nobody),
        IN_WORLD(a_peer_that_takes_no_such_announcement_gets_none),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
