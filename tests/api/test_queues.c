/* A worker with several queues: which it takes from, and how it shares itself among them; on
 * memory, or on the transport of PATIO_TEST_URL (the caller's, if it is another one:
 * PATIO_TEST_CALLER_URL). */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 4, BACKLOG = 12, SETTINGS_MOST = 8 };

/* A caller without tasks of its own fills queues of "gate"; then the worker starts. Each test has a
 * project of its own. */
typedef struct queues {
    fixture       f;
    patio_broker *caller;
    char          project[64];
    char          url[512];
} queues;

static const char *or_else(const char *variable, const char *otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? text : otherwise;
}

static void setup(queues *q)
{
    static unsigned tests;
    const char     *url = or_else("PATIO_TEST_URL", "memory://queues");
    char            caller[512];
    fixture_init(&q->f);
    (void)snprintf(q->project, sizeof(q->project), "project=q%d-%u", (int)getpid(), ++tests);
    (void)snprintf(q->url, sizeof(q->url), "broker=%s", url);
    (void)snprintf(caller, sizeof(caller), "broker=%s", or_else("PATIO_TEST_CALLER_URL", url));
    patio_registry_destroy(q->f.registry);
    patio_registry_options named = {PATIO_SIZED(patio_registry_options),
                                    .project = strchr(q->project, '=') + 1};
    assert_ok(patio_registry_create(&named, &q->f.registry, &q->f.err), q->f.err);
    add_common_tasks(q->f.registry);
    q->caller = start_broker(&q->f, NULL, SETTINGS(caller, q->project));
}

static const char *const *with_url(const queues *q, const char *const *settings, const char **room)
{
    size_t n  = 0;
    room[n++] = q->url;
    room[n++] = q->project;
    while (*settings != NULL && n < SETTINGS_MOST) {
        room[n++] = *settings++;
    }
    room[n] = NULL;
    return room;
}

static patio_broker *start_worker(queues *q, const char *const *settings)
{
    const char *room[SETTINGS_MOST + 1];
    return start_broker(&q->f, q->f.registry, with_url(q, settings, room));
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

/* Longer than it takes to fetch the next one. */
static patio_status task_note_and_work(patio_context *ctx)
{
    patio_status st = task_note(ctx);
    for (int i = 0; i < 100; i++) {
        test_pause();
    }
    return st;
}

static void setup_notes(queues *q)
{
    setup(q);
    memset(notes, 0, sizeof(notes));
    atomic_store(&noted, 0);
    add_task(q->f.registry, "note", task_note, NULL);
    add_task(q->f.registry, "note_and_work", task_note_and_work, NULL);
}

/* How many of these runs were of this queue. */
static unsigned noted_of(char queue, unsigned from, unsigned runs_count)
{
    unsigned count = 0;
    pthread_mutex_lock(&noting);
    for (unsigned i = from; i < from + runs_count; i++) {
        count += notes[i] == queue ? 1 : 0;
    }
    pthread_mutex_unlock(&noting);
    return count;
}

static void finish(queues *q)
{
    gate_open(&the_gate);
    patio_broker_destroy(q->caller);
    fixture_close(&q->f);
}

static uint64_t leased(queues *q, const char *queue)
{
    return counts_of(q->caller, queue).leased;
}

/* From where both queues have run: what an idle queue does not use is lent, and which of them a
 * transport brings first is not said. */
static unsigned both_noted(void)
{
    pthread_mutex_lock(&noting);
    const char *high = strchr(notes, 'h');
    const char *low  = strchr(notes, 'l');
    pthread_mutex_unlock(&noting);
    if (high == NULL || low == NULL) {
        return NOTES_MAX;
    }
    return (unsigned)((high > low ? high : low) - notes);
}

static void expect_share(const char *workers, const char *high, const char *low,
                         unsigned runs_of_low)
{
    enum { RUNS = 40 };
    queues q;
    setup_notes(&q);
    fill_with(&q, "note_and_work", "high", 3 * RUNS);
    fill_with(&q, "note_and_work", "low", 3 * RUNS);
    q.f.broker = start_worker(&q, SETTINGS(workers, high, low));
    AWAIT(atomic_load(&noted) >= both_noted() + RUNS);
    unsigned from = both_noted();
    assert_in_range(noted_of('l', from, RUNS), runs_of_low - 1, runs_of_low + 1);
    assert_int_equal(noted_of('h', from, RUNS) + noted_of('l', from, RUNS), RUNS);
    finish(&q);
}

static void busy_queues_share_a_worker_by_weight(void **state)
{
    (void)state;
    expect_share("executor.workers=4", "queues.high.weight=3", "queues.low.weight=1", 10);
}

/* Fewer slots than queues, or than weights: the turns count, not the slots. */
static void weights_count_with_few_slots(void **state)
{
    (void)state;
    static const char *const workers[] = {"executor.workers=1", "executor.workers=2"};
    for (size_t i = 0; i < 2; i++) {
        expect_share(workers[i], "queues.high.weight=9", "queues.low.weight=1", 4);
    }
}

static void an_idle_queue_lends_its_share(void **state)
{
    (void)state;
    queues q;
    setup(&q);
    fill(&q, "low", BACKLOG);
    q.f.broker = start_worker(
        &q, SETTINGS("executor.workers=4", "queues.high.weight=3", "queues.low.weight=1"));
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
    q.f.broker =
        start_worker(&q, SETTINGS("executor.workers=1", "lookahead=3", "lookahead_wait_ms=50"));
    AWAIT_ARRIVED(&the_gate, 1);
    AWAIT(leased(&q, NULL) == 1 && counts_of(q.caller, NULL).ready == AHEAD);
    patio_broker *idle = start_worker(&q, SETTINGS("executor.workers=2"));
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
    q.f.broker = start_worker(
        &q, SETTINGS("executor.workers=4", "queues.high.weight=3", "queues.low.weight=1"));
    AWAIT(stats_of(q.f.broker).tasks_running > 1); /* its own share is one slot */
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
    q.f.broker = start_worker(&q, SETTINGS("executor.workers=4", "queues.high.weight=1",
                                           "queues.low.weight=1", "queue_order=strict"));
    AWAIT(leased(&q, "high") == WORKERS + 1); /* and the next one */
    assert_true(leased(&q, "low") <= 1);      /* the one that shows when there is something */
    finish(&q);
}

/* What of the second is there before any of the first is run: from the first one on, it is strict.
 */
static void in_strict_order_all_of_the_first_run_before_any_of_the_second(void **state)
{
    (void)state;
    static const char expected[] = "hhhhhhhhhhhh";
    queues            q;
    setup_notes(&q);
    fill_with(&q, "note_and_work", "low", BACKLOG);
    fill_with(&q, "note_and_work", "high", BACKLOG);
    q.f.broker = start_worker(&q, SETTINGS("executor.workers=1", "queues.high.weight=1",
                                           "queues.low.weight=1", "queue_order=strict"));
    AWAIT(atomic_load(&noted) == 2 * BACKLOG);
    pthread_mutex_lock(&noting);
    const char *first = strchr(notes, 'h');
    pthread_mutex_unlock(&noting);
    assert_non_null(first);
    /* one that runs, and the next one; memory has them all at once */
    assert_in_range(first - notes, 0, strstr(q.url, "=memory") != NULL ? 0 : 2);
    assert_memory_equal(first, expected, BACKLOG);
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
    q.f.broker = start_worker(&q, SETTINGS("executor.workers=1", "queues.high.weight=1",
                                           "queues.low.weight=1", "queue_order=strict",
                                           "lookahead_wait_ms=0"));
    AWAIT_ARRIVED(&the_gate, 1);
    fill(&q, "low", 1);
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
    q.f.broker = start_worker(&q, SETTINGS("executor.workers=1", "queues.high.weight=1",
                                           "queues.low.weight=1", "queue_order=strict",
                                           "lookahead_wait_ms=20"));
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
    q.f.broker = start_worker(&q, SETTINGS("queues.high.weight=1"));
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
    const char *room[SETTINGS_MOST + 1];
    assert_status(try_broker(&q.f, q.f.registry,
                             with_url(&q, SETTINGS("queues.high.weight=0"), room), &broker),
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
