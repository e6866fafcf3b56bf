/* Looking after a running system, through the application API on the memory transport. */
#include "fixture.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

typedef struct seen {
    uint32_t        count;
    patio_dead_info last;
    char            cause[32];
    char            message[128];
    char            type[64];
    patio_id        ids[16];
    int64_t         argument;
} seen;

static int32_t note(void *arg, const patio_dead_info *d)
{
    seen *s = arg;
    if (s->count < 16) {
        s->ids[s->count] = d->id;
    }
    s->count++;
    s->last = *d;
    (void)snprintf(s->cause, sizeof(s->cause), "%s", d->cause);
    (void)snprintf(s->message, sizeof(s->message), "%s", d->message);
    (void)snprintf(s->type, sizeof(s->type), "%s", d->error_type);
    if (d->payload != NULL && d->payload->value_count > 0) {
        assert_int_equal(patio_value_get_int64(&d->payload->values[0], &s->argument), PATIO_OK);
    }
    return 0;
}

static _Atomic bool healthy;

static patio_status task_sick(patio_context *ctx)
{
    return atomic_load(&healthy) ? PATIO_OK
                                 : patio_task_fail(ctx, 7, "Sick", "number %d is not well", 7);
}

static void open_with_sick(fixture *f)
{
    atomic_store(&healthy, false);
    fixture_init(f);
    add_common_tasks(f->registry);
    add_task(f->registry, "sick", task_sick, NULL);
    f->broker = start_broker(f, f->registry, SETTINGS("executor.workers=1"));
}

static void send_sick(fixture *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_ok(patio_send(f->broker, "sick", PATIO_ARGS(100 + (int64_t)i), NULL, NULL, &f->err),
                  f->err);
    }
    AWAIT(counts_of(f->broker, NULL).dead == count);
}

static void dead_letters_are_listed_shown_retried_and_dropped(void **state)
{
    (void)state;
    fixture  f;
    seen     s     = {0};
    uint64_t count = 0;
    open_with_sick(&f);
    send_sick(&f, 4);
    assert_ok(patio_dead_list(f.broker, NULL, NULL, 100, 0, note, &s, &f.err), f.err);
    assert_int_equal(s.count, 4);
    assert_string_equal(s.cause, "failed");
    assert_string_equal(s.type, "Sick");
    assert_string_equal(s.message, "number 7 is not well");
    assert_int_equal(s.last.attempts, 1);
    assert_null(s.last.payload);
    patio_id second = s.ids[1];

    s = (seen){0};
    assert_ok(patio_dead_show(f.broker, "default", second, 0, note, &s, &f.err), f.err);
    assert_int_equal(s.argument, 101);
    assert_true(s.last.body_bytes > 0);

    atomic_store(&healthy, true);
    assert_ok(patio_dead_retry(f.broker, NULL, &second, 0, &count, &f.err), f.err);
    assert_int_equal(count, 1);
    AWAIT(stats_of(f.broker).tasks_ok == 1);
    assert_status(patio_dead_retry(f.broker, NULL, &second, 0, NULL, &f.err), PATIO_NOT_FOUND);
    assert_ok(patio_dead_drop(f.broker, NULL, NULL, 0, &count, &f.err), f.err);
    assert_int_equal(count, 3);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    fixture_close(&f);
}

static void a_retried_one_that_fails_again_is_dead_again(void **state)
{
    (void)state;
    fixture  f;
    uint64_t count = 0;
    open_with_sick(&f);
    send_sick(&f, 3);
    assert_ok(patio_dead_retry(f.broker, NULL, NULL, 0, &count, &f.err), f.err);
    assert_int_equal(count, 3);
    AWAIT(stats_of(f.broker).tasks_failed == 6);
    AWAIT(counts_of(f.broker, NULL).dead == 3);
    fixture_close(&f);
}

static void a_cancel_by_id_says_what_it_did(void **state)
{
    (void)state;
    fixture       f;
    uint32_t      outcome = 0;
    patio_future *queued  = NULL;
    patio_id      sent;
    fixture_open(&f, SETTINGS("executor.workers=1"));
    patio_future *holder = hold_worker(f.broker);
    assert_ok(patio_start(f.broker, "echo", PATIO_ARGS(1), NULL, &queued, &f.err), f.err);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, &sent, &f.err), f.err);
    assert_ok(patio_cancel(f.broker, NULL, sent, 0, &outcome, &f.err), f.err);
    assert_int_equal(outcome, PATIO_CANCEL_REMOVED);
    assert_ok(patio_cancel(f.broker, NULL, patio_future_id(queued), 0, &outcome, &f.err), f.err);
    assert_int_equal(outcome, PATIO_CANCEL_REMOVED);
    assert_ok(patio_future_wait(queued, PATIO_FOREVER), f.err);
    assert_status(patio_future_status(queued, &f.err), PATIO_CANCELLED);
    assert_ok(patio_cancel(f.broker, NULL, patio_future_id(holder), 0, &outcome, &f.err), f.err);
    assert_int_equal(outcome, PATIO_CANCEL_TOLD);
    gate_open(&the_gate);
    assert_ok(patio_future_wait(holder, PATIO_FOREVER), f.err);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_ok(patio_cancel(f.broker, NULL, patio_future_id(holder), 0, &outcome, &f.err), f.err);
    assert_int_equal(outcome, PATIO_CANCEL_TOO_LATE);
    assert_int_equal(atomic_load(&runs), 0);
    patio_future_destroy(queued);
    patio_future_destroy(holder);
    fixture_close(&f);
}

static uint32_t state_of(fixture *f, patio_id id, patio_future **out)
{
    patio_task_report r = {PATIO_SIZED(patio_task_report)};
    assert_ok(patio_result_get(f->broker, NULL, id, 0, &r, out, &f->err), f->err);
    return r.state;
}

static void a_result_is_fetched_by_id(void **state)
{
    (void)state;
    fixture            f;
    patio_id           good;
    patio_id           bad;
    patio_future      *out = NULL;
    patio_call_options o   = {PATIO_SIZED(patio_call_options), .result_ttl_ms = 3600000};
    open_with_sick(&f);
    patio_future *holder = hold_worker(f.broker);
    assert_ok(patio_send(f.broker, "echo", PATIO_ARGS(42), &o, &good, &f.err), f.err);
    assert_ok(patio_send(f.broker, "sick", PATIO_NO_ARGS, &o, &bad, &f.err), f.err);
    assert_int_equal(state_of(&f, good, NULL), PATIO_STATE_QUEUED);
    assert_int_equal(state_of(&f, patio_future_id(holder), NULL), PATIO_STATE_RUNNING);
    gate_open(&the_gate);
    AWAIT(state_of(&f, good, NULL) == PATIO_STATE_DONE);
    assert_int_equal(state_of(&f, good, &out), PATIO_STATE_DONE);
    assert_value(patio_future_value(out), PATIO_VALUE(42));
    patio_future_destroy(out);
    AWAIT(counts_of(f.broker, NULL).dead == 1);
    assert_int_equal(state_of(&f, bad, &out), PATIO_STATE_DEAD);
    assert_status(patio_future_status(out, &f.err), PATIO_TASK_FAILED);
    assert_string_equal(patio_future_error(out)->type, "Sick");
    patio_future_destroy(out);
    good.bytes[0] ^= 1;
    assert_int_equal(state_of(&f, good, &out), PATIO_STATE_UNKNOWN);
    assert_null(out);
    patio_future_destroy(holder);
    fixture_close(&f);
}

static patio_status task_stubborn(patio_context *ctx)
{
    while (!patio_task_cancelled(ctx)) {
        sched_yield();
    }
    return patio_task_fail(ctx, 9, "Interrupted", "it was told to end");
}

/* Whoever of the two is the first to see the deadline, its caller reads the same. */
static void what_a_task_says_at_its_calls_deadline_is_a_timeout(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *call = NULL;
    patio_future      *out  = NULL;
    patio_call_options o    = {PATIO_SIZED(patio_call_options), .timeout_ms = 50,
                               .result_ttl_ms = 3600000};
    fixture_init(&f);
    add_common_tasks(f.registry);
    add_task(f.registry, "stubborn", task_stubborn, NULL);
    f.broker = start_broker(&f, f.registry, SETTINGS("executor.workers=1"));
    assert_ok(patio_start(f.broker, "stubborn", PATIO_NO_ARGS, &o, &call, &f.err), f.err);
    assert_int_equal(patio_future_wait(call, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_status(call, &f.err), PATIO_TIMEOUT);
    AWAIT(state_of(&f, patio_future_id(call), NULL) != PATIO_STATE_RUNNING);
    (void)state_of(&f, patio_future_id(call), &out);
    assert_non_null(out);
    assert_status(patio_future_status(out, &f.err), PATIO_TIMEOUT);
    assert_non_null(strstr(f.err.message, "Interrupted"));
    patio_future_destroy(out);
    patio_future_destroy(call);
    fixture_close(&f);
}

static int32_t note_name(void *arg, const char *queue)
{
    uint32_t *count = arg;
    assert_string_equal(queue, "default");
    ++*count;
    return 0;
}

static void a_queue_is_paused_drained_purged_and_limited(void **state)
{
    (void)state;
    fixture       f;
    uint32_t      now   = 9;
    uint32_t      names = 0;
    uint64_t      count = 0;
    patio_future *call  = NULL;
    fixture_open(&f, NULL);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_PAUSED, 0, &f.err), f.err);
    assert_ok(patio_queue_get_state(f.broker, NULL, 0, &now, &f.err), f.err);
    assert_int_equal(now, PATIO_QUEUE_PAUSED);
    for (int i = 0; i < 5; i++) {
        assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    }
    assert_ok(patio_start(f.broker, "echo", PATIO_ARGS(1), NULL, &call, &f.err), f.err);
    assert_int_equal(counts_of(f.broker, NULL).ready, 6);
    assert_ok(patio_queue_list(f.broker, 0, note_name, &names, &f.err), f.err);
    assert_int_equal(names, 1);
    assert_ok(patio_queue_purge(f.broker, NULL, 0, &count, &f.err), f.err);
    assert_int_equal(count, 6);
    assert_ok(patio_future_wait(call, PATIO_FOREVER), f.err);
    assert_status(patio_future_status(call, &f.err), PATIO_CANCELLED);
    assert_contains(f.err.message, "purged");
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_DRAINING, 0, &f.err), f.err);
    assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), PATIO_BLOCKED);
    assert_contains(f.err.message, "draining");
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_OPEN, 0, &f.err), f.err);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT(atomic_load(&runs) == 1);
    patio_future_destroy(call);
    fixture_close(&f);
}

static void a_limit_bounds_what_runs(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, SETTINGS("executor.workers=4"));
    assert_ok(patio_queue_set_limit(f.broker, NULL, 2, 0, &f.err), f.err);
    uint64_t limit = 0;
    assert_ok(patio_queue_get_limit(f.broker, NULL, 0, &limit, &f.err), f.err);
    assert_int_equal(limit, 2);
    for (int i = 0; i < 8; i++) {
        assert_ok(patio_send(f.broker, "gate", PATIO_ARGS(1), NULL, NULL, &f.err), f.err);
    }
    AWAIT_ARRIVED(&the_gate, 2);
    assert_int_equal(counts_of(f.broker, NULL).leased, 2);
    gate_open(&the_gate);
    AWAIT(stats_of(f.broker).tasks_ok == 8);
    pthread_mutex_lock(&the_gate.lock);
    assert_true(the_gate.most <= 2);
    pthread_mutex_unlock(&the_gate.lock);
    fixture_close(&f);
}

typedef struct crowd {
    uint32_t count;
    char     project[64];
    bool     has_echo;
    uint32_t slots;
} crowd;

static int32_t note_worker(void *arg, const patio_worker_info *w)
{
    crowd *c = arg;
    c->count++;
    c->slots = w->slots;
    (void)snprintf(c->project, sizeof(c->project), "%s", w->project);
    for (size_t i = 0; i < w->task_count; i++) {
        c->has_echo = c->has_echo || strcmp(w->tasks[i], "echo") == 0;
    }
    assert_string_equal(w->version, patio_version());
    assert_int_equal(w->queue_count, 1);
    assert_string_equal(w->queues[0], "default");
    assert_string_equal(w->problem, "");
    return 0;
}

static void workers_are_listed_with_what_they_can(void **state)
{
    (void)state;
    fixture f;
    crowd   c = {0};
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker =
        start_broker(&f, f.registry, SETTINGS("broker=memory://crowd", "executor.workers=3"));
    /* one that only calls is no worker */
    patio_broker *caller = start_broker(&f, NULL, SETTINGS("broker=memory://crowd"));
    assert_ok(patio_worker_list(caller, 0, note_worker, &c, &f.err), f.err);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.slots, 3);
    assert_true(c.has_echo);
    assert_string_equal(c.project, patio_broker_project(f.broker));
    (void)patio_broker_stop(f.broker, 1000, NULL);
    c = (crowd){0};
    assert_ok(patio_worker_list(caller, 0, note_worker, &c, &f.err), f.err);
    assert_int_equal(c.count, 0);
    patio_broker_destroy(caller);
    fixture_close(&f);
}

static int32_t note_finding(void *arg, const patio_finding *finding)
{
    ++*(uint32_t *)arg;
    assert_true(finding->severity < PATIO_FINDING_ERROR);
    return 0;
}

static void show_nothing(void *arg, patio_bytes text)
{
    (void)arg;
    (void)text;
    fail();
}

static void what_is_not_there_is_refused_by_name(void **state)
{
    (void)state;
    fixture           f;
    uint32_t          findings = 0;
    const char *const queues[] = {"q"};
    fixture_open(&f, NULL);
    assert_ok(patio_doctor_check(f.broker, 0, note_finding, &findings, &f.err), f.err);
    assert_true(findings > 0);
    assert_status(patio_topology_print(f.broker, queues, 1, show_nothing, NULL, &f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(f.err.message, "topology");
    assert_status(patio_queue_purge(f.broker, "no such queue", 0, NULL, &f.err), PATIO_INVALID);
    assert_status(patio_queue_purge(NULL, NULL, 0, NULL, &f.err), PATIO_INVALID);
    (void)patio_broker_stop(f.broker, 1000, NULL);
    assert_status(patio_queue_purge(f.broker, NULL, 0, NULL, &f.err), PATIO_STATE);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_letters_are_listed_shown_retried_and_dropped),
        cmocka_unit_test(a_retried_one_that_fails_again_is_dead_again),
        cmocka_unit_test(a_cancel_by_id_says_what_it_did),
        cmocka_unit_test(a_result_is_fetched_by_id),
        cmocka_unit_test(what_a_task_says_at_its_calls_deadline_is_a_timeout),
        cmocka_unit_test(a_queue_is_paused_drained_purged_and_limited),
        cmocka_unit_test(a_limit_bounds_what_runs),
        cmocka_unit_test(workers_are_listed_with_what_they_can),
        cmocka_unit_test(what_is_not_there_is_refused_by_name),
    };
    return RUN_TESTS("operate", tests);
}
