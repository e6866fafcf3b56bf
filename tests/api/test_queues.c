/* A worker with several queues: which it takes from, and how it shares itself among them. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 4, BACKLOG = 12 };

/* A caller without tasks of its own fills queues of "gate"; then the worker starts. */
typedef struct queues {
    fixture         f;
    patio_registry *none;
    patio_broker   *caller;
} queues;

static void setup(queues *q)
{
    fixture_init(&q->f);
    add_common_tasks(q->f.registry);
    assert_ok(patio_registry_create(NULL, &q->none, &q->f.err), q->f.err);
    q->caller = start_broker(&q->f, NULL, SETTINGS("broker=memory://queues"));
}

static void fill_with(queues *q, const char *task, const char *queue, unsigned count)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .queue = queue};
    for (unsigned i = 0; i < count; i++) {
        assert_ok(patio_send(q->caller, task, PATIO_ARGS(queue != NULL ? queue : ""), &options,
                             NULL, &q->f.err),
                  q->f.err);
    }
}

static void fill(queues *q, const char *queue, unsigned count)
{
    fill_with(q, "gate", queue, count);
}

/* ---- what ran, and in which order ---- */

enum { NOTES_MAX = 256 };

static pthread_mutex_t  noting = PTHREAD_MUTEX_INITIALIZER;
static char             notes[NOTES_MAX + 1]; /* a letter for each run: that of its queue */
static _Atomic uint32_t noted;

static patio_status task_note(patio_context *ctx)
{
    const char *queue = NULL;
    if (patio_arg_string(ctx, 0, &queue) == PATIO_OK) {
        pthread_mutex_lock(&noting);
        notes[atomic_load(&noted) % NOTES_MAX] = queue[0];
        atomic_fetch_add(&noted, 1);
        pthread_mutex_unlock(&noting);
    }
    return PATIO_OK;
}

static patio_status task_note_and_wait(patio_context *ctx)
{
    patio_status st = task_note(ctx);
    gate_pass(&the_gate);
    return st;
}

static void setup_notes(queues *q)
{
    setup(q);
    memset(notes, 0, sizeof(notes));
    atomic_store(&noted, 0);
    add_task(q->f.registry, "note", task_note, NULL);
    add_task(q->f.registry, "note_and_wait", task_note_and_wait, NULL);
}

/* How many of the first runs were of this queue. */
static unsigned noted_of(char queue, unsigned first)
{
    unsigned count = 0;
    for (unsigned i = 0; i < first; i++) {
        count += notes[i] == queue ? 1 : 0;
    }
    return count;
}

static void finish(queues *q)
{
    gate_open(&the_gate);
    patio_broker_destroy(q->caller);
    patio_registry_destroy(q->none);
    fixture_close(&q->f);
}

static uint64_t leased(queues *q, const char *queue)
{
    return counts_of(q->caller, queue).leased;
}

static void busy_queues_share_a_worker_by_weight(void **state)
{
    (void)state;
    queues q;
    setup_notes(&q);
    fill_with(&q, "note_and_wait", "high", BACKLOG);
    fill_with(&q, "note_and_wait", "low", BACKLOG);
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "executor.workers=4",
                                       "queues.high.weight=3", "queues.low.weight=1"));
    AWAIT_ARRIVED(&the_gate, WORKERS);
    assert_int_equal(noted_of('h', WORKERS), 3);
    assert_int_equal(noted_of('l', WORKERS), 1);
    finish(&q);
}

/* Fewer slots than queues, or than weights: the turns count, not the slots. */
static void weights_count_with_few_slots(void **state)
{
    (void)state;
    enum { RUNS = 40, LOW = 4 };
    static const char *const workers[] = {"executor.workers=1", "executor.workers=2"};
    for (size_t i = 0; i < 2; i++) {
        queues q;
        setup_notes(&q);
        fill_with(&q, "note", "high", 2 * RUNS);
        fill_with(&q, "note", "low", 2 * RUNS);
        q.f.broker = start_broker(&q.f, q.f.registry,
                                  SETTINGS("broker=memory://queues", workers[i],
                                           "queues.high.weight=9", "queues.low.weight=1"));
        AWAIT(atomic_load(&noted) >= RUNS);
        assert_in_range(noted_of('l', RUNS), LOW - 1, LOW + 1);
        assert_int_equal(noted_of('h', RUNS) + noted_of('l', RUNS), RUNS);
        finish(&q);
    }
}

static void an_idle_queue_lends_its_share(void **state)
{
    (void)state;
    queues q;
    setup(&q);
    fill(&q, "low", BACKLOG);
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "executor.workers=4",
                                       "queues.high.weight=3", "queues.low.weight=1"));
    AWAIT(leased(&q, "low") == WORKERS + 1); /* and the next one */
    AWAIT_ARRIVED(&the_gate, WORKERS);
    finish(&q);
}

/* `gate` holds the only thread of the first worker, and what it fetched ahead is not its property.
 */
static void what_waits_behind_a_slow_task_goes_to_who_is_free(void **state)
{
    (void)state;
    enum { AHEAD = 3 };
    queues q;
    setup(&q);
    fill(&q, NULL, 1);
    for (int i = 0; i < AHEAD; i++) {
        assert_ok(patio_send(q.caller, "count", PATIO_NO_ARGS, NULL, NULL, &q.f.err), q.f.err);
    }
    /* all of it is there before the worker; nobody else is: it gives them back, and fetches no more
     */
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "executor.workers=1",
                                       "lookahead=3", "lookahead_wait_ms=50"));
    AWAIT_ARRIVED(&the_gate, 1);
    AWAIT(leased(&q, NULL) == 1 && counts_of(q.caller, NULL).ready == AHEAD);
    patio_broker *idle = start_broker(&q.f, q.f.registry, SETTINGS("broker=memory://queues"));
    AWAIT(counts_of(q.caller, NULL).ready == 0 && leased(&q, NULL) == 1);
    assert_int_equal(stats_of(idle).tasks_ok, AHEAD);
    assert_int_equal(stats_of(q.f.broker).tasks_returned, AHEAD);
    patio_broker_destroy(idle);
    gate_open(&the_gate);
    for (int i = 0; i < AHEAD; i++) {
        assert_ok(patio_send(q.caller, "count", PATIO_NO_ARGS, NULL, NULL, &q.f.err), q.f.err);
    }
    AWAIT(counts_of(q.caller, NULL).ready + leased(&q, NULL) == 0);
    assert_int_equal(stats_of(q.f.broker).tasks_ok, 1 + AHEAD);
    assert_int_equal(stats_of(q.f.broker).settlements_failed, 0);
    finish(&q);
}

static _Atomic(bool) hurry;

static patio_status task_short(patio_context *ctx)
{
    (void)ctx;
    if (!atomic_load(&hurry)) {
        test_pause();
    }
    return PATIO_OK;
}

static void a_queue_gets_back_what_it_lent(void **state)
{
    (void)state;
    queues             q;
    patio_call_options low = {PATIO_SIZED(patio_call_options), .queue = "low"};
    setup(&q);
    atomic_store(&hurry, false);
    add_task(q.f.registry, "short", task_short, NULL);
    for (unsigned i = 0; i < 5000; i++) {
        assert_ok(patio_send(q.caller, "short", PATIO_NO_ARGS, &low, NULL, &q.f.err), q.f.err);
    }
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "executor.workers=4",
                                       "queues.high.weight=3", "queues.low.weight=1"));
    AWAIT(leased(&q, "low") >= WORKERS);
    fill(&q, "high", WORKERS);
    AWAIT_ARRIVED(&the_gate, 3);
    assert_true(counts_of(q.caller, "low").ready > 0); /* it had to step back for them */
    atomic_store(&hurry, true);
    finish(&q);
}

static void in_strict_order_the_first_queue_goes_first(void **state)
{
    (void)state;
    queues q;
    setup(&q);
    fill(&q, "low", BACKLOG);
    fill(&q, "high", BACKLOG);
    q.f.broker =
        start_broker(&q.f, q.f.registry,
                     SETTINGS("broker=memory://queues", "executor.workers=4",
                              "queues.high.weight=1", "queues.low.weight=1", "queue_order=strict"));
    AWAIT(leased(&q, "high") == WORKERS + 1); /* and the next one */
    assert_true(leased(&q, "low") <= 1);      /* the one that shows when there is something */
    finish(&q);
}

static void in_strict_order_all_of_the_first_run_before_any_of_the_second(void **state)
{
    (void)state;
    static const char expected[] = "hhhhhhhhhhhhllllllllllll";
    queues            q;
    setup_notes(&q);
    fill_with(&q, "note", "low", BACKLOG);
    fill_with(&q, "note", "high", BACKLOG);
    q.f.broker =
        start_broker(&q.f, q.f.registry,
                     SETTINGS("broker=memory://queues", "executor.workers=1",
                              "queues.high.weight=1", "queues.low.weight=1", "queue_order=strict"));
    AWAIT(atomic_load(&noted) == 2 * BACKLOG);
    assert_string_equal(notes, expected);
    assert_int_equal(stats_of(q.f.broker).tasks_returned, 0);
    finish(&q);
}

static void *stop(void *broker)
{
    assert_int_equal(patio_broker_stop(broker, PATIO_FOREVER, NULL), PATIO_OK);
    return NULL;
}

static void what_waits_for_its_turn_goes_back_before_what_runs_has_ended(void **state)
{
    (void)state;
    queues q;
    setup(&q);
    fill(&q, "high", 1);
    fill(&q, "low", 1);
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "executor.workers=1",
                                       "queues.high.weight=1", "queues.low.weight=1",
                                       "queue_order=strict", "lookahead_wait_ms=0"));
    AWAIT_ARRIVED(&the_gate, 1);
    AWAIT(leased(&q, "low") == 1);
    pthread_t stopping = run_thread(stop, q.f.broker);
    AWAIT(counts_of(q.caller, "low").ready == 1);
    assert_int_equal(leased(&q, "high"), 1);
    gate_open(&the_gate);
    join_thread(stopping);
    assert_int_equal(stats_of(q.f.broker).tasks_started, 1);
    finish(&q);
}

/* It is let go while another runs: it holds neither a slot nor credit for what comes after it. */
static void what_waited_too_long_for_its_turn_is_gone(void **state)
{
    (void)state;
    queues q;
    setup(&q);
    fill(&q, "high", 2);
    fill(&q, "low", 1);
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "executor.workers=1",
                                       "queues.high.weight=1", "queues.low.weight=1",
                                       "queue_order=strict", "lookahead_wait_ms=20"));
    AWAIT_ARRIVED(&the_gate, 1);
    AWAIT(stats_of(q.f.broker).tasks_returned >= 6); /* over and over again */
    gate_open(&the_gate);
    AWAIT(stats_of(q.f.broker).tasks_ok == 3);
    assert_int_equal(stats_of(q.f.broker).settlements_failed, 0);
    finish(&q);
}

static void only_named_queues_are_served(void **state)
{
    (void)state;
    queues q;
    setup(&q);
    gate_open(&the_gate);
    fill(&q, "other", 1);
    fill(&q, "high", 1);
    q.f.broker = start_broker(&q.f, q.f.registry,
                              SETTINGS("broker=memory://queues", "queues.high.weight=1"));
    AWAIT(counts_of(q.caller, "high").ready + leased(&q, "high") == 0);
    assert_int_equal(counts_of(q.caller, "other").ready, 1);
    finish(&q);
}

static void a_weight_that_is_none_is_a_mistake(void **state)
{
    (void)state;
    queues        q;
    patio_broker *broker = NULL;
    setup(&q);
    assert_status(try_broker(&q.f, q.f.registry,
                             SETTINGS("broker=memory://queues", "queues.high.weight=0"), &broker),
                  PATIO_CONFIG);
    assert_contains(q.f.err.message, "option weight");
    assert_contains(q.f.err.message, "queue \"high\"");
    finish(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_queues_share_a_worker_by_weight),
        cmocka_unit_test(weights_count_with_few_slots),
        cmocka_unit_test(an_idle_queue_lends_its_share),
        cmocka_unit_test(what_waits_behind_a_slow_task_goes_to_who_is_free),
        cmocka_unit_test(a_queue_gets_back_what_it_lent),
        cmocka_unit_test(in_strict_order_the_first_queue_goes_first),
        cmocka_unit_test(in_strict_order_all_of_the_first_run_before_any_of_the_second),
        cmocka_unit_test(what_waits_for_its_turn_goes_back_before_what_runs_has_ended),
        cmocka_unit_test(what_waited_too_long_for_its_turn_is_gone),
        cmocka_unit_test(only_named_queues_are_served),
        cmocka_unit_test(a_weight_that_is_none_is_a_mistake),
    };
    return RUN_TESTS("queues", tests);
}
