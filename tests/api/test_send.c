/* Sends: accepted, delayed, ordered, refused; and who may run a task. */
#include "fixture.h"

#include <string.h>

/* ---- tasks that write down who ran ---- */

enum { ORDER_MAX = 256 };
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t         order[ORDER_MAX];
static unsigned        ordered;

static unsigned count_ordered(void)
{
    pthread_mutex_lock(&order_lock);
    unsigned n = ordered;
    pthread_mutex_unlock(&order_lock);
    return n;
}

static patio_status task_note(patio_context *ctx)
{
    int64_t x = 0;
    if (patio_arg_int64(ctx, 0, &x) != PATIO_OK) {
        return PATIO_INVALID;
    }
    pthread_mutex_lock(&order_lock);
    order[ordered++ % ORDER_MAX] = x;
    pthread_mutex_unlock(&order_lock);
    return PATIO_OK;
}

static void open_with_note(fixture *f, const char *const *settings)
{
    fixture_init(f);
    ordered = 0;
    add_common_tasks(f->registry);
    add_task(f->registry, "note", task_note, NULL);
    f->broker = start_broker(f, f->registry, settings);
}

static void send(patio_broker *broker, const char *task, const patio_payload *payload,
                 const patio_call_options *options)
{
    patio_error err = PATIO_ERROR_INIT;
    assert_ok(patio_send(broker, task, payload, options, NULL, &err), err);
}

static void await_empty(patio_broker *broker)
{
    AWAIT(counts_of(broker, NULL).ready + counts_of(broker, NULL).leased +
              counts_of(broker, NULL).delayed ==
          0);
}

/* ---- accepted ---- */

static void a_send_is_accepted_under_an_id_and_runs(void **state)
{
    (void)state;
    fixture       f;
    patio_id      id     = {{0}};
    patio_id      none   = {{0}};
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, &id, &f.err), f.err);
    assert_memory_not_equal(&id, &none, sizeof(id));
    AWAIT(atomic_load(&runs) == 1);
    assert_ok(patio_send_start(f.broker, "count", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_OK);
    assert_int_equal(patio_future_level(future), 0);
    assert_null(patio_future_value(future)); /* accepted; a send has no result */
    assert_int_equal(patio_future_kind(future), 0);
    patio_future_destroy(future);
    AWAIT(atomic_load(&runs) == 2);
    assert_int_equal(stats_of(f.broker).sends_accepted, 2);
    assert_int_equal(stats_of(f.broker).calls_started, 0);
    fixture_close(&f);
}

static void a_duplicate_is_told_by_the_id_of_the_first(void **state)
{
    (void)state;
    fixture            f;
    patio_id           first   = {{0}};
    patio_id           second  = {{0}};
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .dedup_key = "once",
                                  .dedup_window_ms = 60000};
    fixture_open(&f, NULL);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &options, &first, &f.err), f.err);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &options, &second, &f.err), f.err);
    assert_memory_equal(&first, &second, sizeof(first));
    assert_ok(patio_send_start(f.broker, "count", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_OK);
    const patio_value *original = patio_future_value(future);
    assert_non_null(original);
    assert_status(patio_id_parse(original->as.string, &second), PATIO_OK);
    assert_memory_equal(&first, &second, sizeof(first));
    patio_future_destroy(future);
    AWAIT(atomic_load(&runs) == 1);
    await_empty(f.broker);
    assert_int_equal(atomic_load(&runs), 1);
    fixture_close(&f);
}

static void a_send_waits_for_a_worker_that_knows_its_task(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, NULL, SETTINGS("broker=memory://meet"));
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    send(f.broker, "nobody.knows", PATIO_NO_ARGS, NULL);
    assert_int_equal(counts_of(f.broker, NULL).ready, 2);
    patio_broker *worker = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    AWAIT(atomic_load(&runs) == 1);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(counts_of(f.broker, NULL).ready, 1); /* the other waits on */
    patio_broker_destroy(worker);
    fixture_close(&f);
}

static void a_delayed_send_is_held_by_the_transport(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_call_options soon  = {PATIO_SIZED(patio_call_options), .delay_ms = 30};
    patio_call_options never = {PATIO_SIZED(patio_call_options), .delay_ms = 86400000};
    send(f.broker, "count", PATIO_NO_ARGS, &soon);
    send(f.broker, "count", PATIO_NO_ARGS, &never);
    assert_in_range(counts_of(f.broker, NULL).delayed, 1, 2);
    AWAIT(atomic_load(&runs) == 1);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    fixture_close(&f);
}

static void a_queue_of_ones_own_keeps_its_own_counts(void **state)
{
    (void)state;
    fixture            f;
    patio_task_options mine = {PATIO_SIZED(patio_task_options), .queue = "mine"};
    fixture_init(&f);
    add_common_tasks(f.registry);
    add_task(f.registry, "in_mine", task_gate, &mine);
    f.broker = start_broker(&f, f.registry, NULL);
    send(f.broker, "in_mine", PATIO_NO_ARGS, NULL);
    AWAIT_ARRIVED(&the_gate, 1);
    assert_int_equal(counts_of(f.broker, "mine").leased, 1);
    assert_int_equal(counts_of(f.broker, "mine").consumers, 1);
    assert_int_equal(counts_of(f.broker, NULL).leased, 0);
    assert_int_equal(counts_of(f.broker, "nowhere").consumers, 0);
    /* this broker takes "in_mine" from its own queue only */
    patio_call_options elsewhere = {PATIO_SIZED(patio_call_options), .queue = "elsewhere"};
    assert_status(patio_call(f.broker, "in_mine", PATIO_NO_ARGS, &elsewhere, NULL, NULL),
                  PATIO_NO_ROUTE);
    fixture_close(&f);
}

/* ---- order ---- */

static void higher_priorities_run_sooner(void **state)
{
    (void)state;
    fixture f;
    open_with_note(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < 20; i++) { /* each level twice, mixed */
        int                level   = i * 7 % 10;
        patio_call_options options = {PATIO_SIZED(patio_call_options),
                                      .priority = PATIO_PRIORITY(level)};
        send(f.broker, "note", PATIO_ARGS(level), &options);
    }
    send(f.broker, "note", PATIO_ARGS(4), NULL); /* the default lies in the middle */
    gate_open(&the_gate);
    AWAIT(count_ordered() == 21);
    for (unsigned i = 1; i < 21; i++) {
        assert_true(order[i] <= order[i - 1]);
    }
    patio_future_destroy(held);
    fixture_close(&f);
}

static void sends_of_one_priority_run_in_their_order(void **state)
{
    (void)state;
    fixture f;
    open_with_note(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < 100; i++) {
        send(f.broker, "note", PATIO_ARGS(i), NULL);
    }
    gate_open(&the_gate);
    AWAIT(count_ordered() == 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(order[i], i);
    }
    patio_future_destroy(held);
    fixture_close(&f);
}

/* ---- refused ---- */

static void a_full_transport_refuses_until_there_is_room(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, SETTINGS("executor.workers=1", "transport.max_queued=3"));
    patio_future *held = hold_worker(f.broker);
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), PATIO_FULL);
    assert_contains(f.err.message, "max_queued");
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_FULL);
    assert_int_equal(stats_of(f.broker).sends_refused, 1);
    gate_open(&the_gate);
    AWAIT(atomic_load(&runs) == 2);
    await_empty(f.broker);
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    AWAIT(atomic_load(&runs) == 3);
    patio_future_destroy(held);
    fixture_close(&f);
}

static void the_body_limit_is_exact(void **state)
{
    (void)state;
    fixture f;
    char    body[1001] = {0};
    fixture_open(&f, SETTINGS("max_body_bytes=1000"));
    send(f.broker, "count", PATIO_RAW("x/y", body, 1000), NULL);
    assert_status(patio_send(f.broker, "count", PATIO_RAW("x/y", body, 1001), NULL, NULL, &f.err),
                  PATIO_TOO_LARGE);
    assert_contains(f.err.message, "max_body_bytes");
    assert_contains(f.err.message, "1001");
    AWAIT(atomic_load(&runs) == 1);
    fixture_close(&f);
}

static _Atomic uint32_t warned;

static void on_log(void *self, const patio_log_line *line)
{
    (void)self;
    atomic_fetch_add(&warned, strstr(line->text, "more than half of max_body_bytes") != NULL);
}

static void half_of_the_body_limit_is_said_once(void **state)
{
    (void)state;
    fixture               f;
    char                  body[1000] = {0};
    patio_runtime_options options    = {PATIO_SIZED(patio_runtime_options),
                                        .log_level = PATIO_LOG_WARN, .log = on_log};
    fixture_init(&f);
    patio_runtime_destroy(f.runtime);
    options.allocator = &f.memory.mem;
    assert_ok(patio_runtime_create(&options, &f.runtime, &f.err), f.err);
    add_common_tasks(f.registry);
    atomic_store(&warned, 0);
    f.broker = start_broker(&f, f.registry, SETTINGS("max_body_bytes=1000"));
    send(f.broker, "count", PATIO_RAW("x/y", body, 300), NULL);
    assert_int_equal(atomic_load(&warned), 0);
    for (int i = 0; i < 3; i++) {
        send(f.broker, "count", PATIO_RAW("x/y", body, 600), NULL);
    }
    assert_int_equal(atomic_load(&warned), 1);
    AWAIT(atomic_load(&runs) == 4);
    fixture_close(&f);
}

static void what_the_transport_cannot_do_is_refused_by_name(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_call_options level = {PATIO_SIZED(patio_call_options), .level = 2};
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, &level, NULL, &f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(f.err.message, "level");
    assert_string_equal(f.err.origin, "transport.memory");
    fixture_close(&f);
}

/* ---- dedup ---- */

static void a_second_send_of_a_key_is_not_run(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options o = {PATIO_SIZED(patio_call_options), .dedup_key = "order 7",
                            .dedup_window_ms = 3600000};
    fixture_open(&f, NULL);
    for (int i = 0; i < 5; i++) {
        assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, NULL, &f.err), f.err);
    }
    o.dedup_key = "order 8";
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, NULL, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_ok == 2);
    assert_int_equal(atomic_load(&runs), 2);
    fixture_close(&f);
}

static void a_dropped_call_hears_so_and_an_attached_one_gets_the_result(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *first  = NULL;
    patio_future      *second = NULL;
    patio_future      *third  = NULL;
    patio_call_options o      = {PATIO_SIZED(patio_call_options), .dedup_key = "k",
                                 .dedup_window_ms = 3600000};
    fixture_open(&f, NULL);
    assert_ok(patio_start(f.broker, "gate", PATIO_ARGS(41), &o, &first, &f.err), f.err);
    AWAIT_ARRIVED(&the_gate, 1);
    assert_status(patio_call(f.broker, "gate", PATIO_ARGS(42), &o, NULL, &f.err), PATIO_EXISTS);
    assert_contains(f.err.message, "dedup key");
    o.dedup_conflict = PATIO_DEDUP_ATTACH;
    assert_ok(patio_start(f.broker, "gate", PATIO_ARGS(43), &o, &second, &f.err), f.err);
    assert_false(patio_future_done(second));
    gate_open(&the_gate);
    assert_ok(patio_future_wait(second, PATIO_FOREVER), f.err);
    assert_value(patio_future_value(second), PATIO_VALUE(41));
    /* it is over, and its window is not: the result is still there */
    assert_ok(patio_call(f.broker, "gate", PATIO_ARGS(44), &o, &third, &f.err), f.err);
    assert_value(patio_future_value(third), PATIO_VALUE(41));
    assert_int_equal(gate_arrived(&the_gate), 1);
    patio_future_destroy(first);
    patio_future_destroy(second);
    patio_future_destroy(third);
    fixture_close(&f);
}

static void a_replacing_task_takes_the_place_of_the_queued_one(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *old = NULL;
    patio_future      *now = NULL;
    patio_call_options o   = {PATIO_SIZED(patio_call_options), .dedup_key = "k",
                              .dedup_window_ms = 3600000, .dedup_conflict = PATIO_DEDUP_REPLACE};
    fixture_open(&f, SETTINGS("executor.workers=1"));
    patio_future *holder = hold_worker(f.broker);
    assert_ok(patio_start(f.broker, "echo", PATIO_ARGS(1), &o, &old, &f.err), f.err);
    assert_ok(patio_start(f.broker, "echo", PATIO_ARGS(2), &o, &now, &f.err), f.err);
    assert_ok(patio_future_wait(old, PATIO_FOREVER), f.err);
    assert_status(patio_future_status(old, &f.err), PATIO_CANCELLED);
    gate_open(&the_gate);
    assert_ok(patio_future_wait(now, PATIO_FOREVER), f.err);
    assert_value(patio_future_value(now), PATIO_VALUE(2));
    patio_future_destroy(holder);
    patio_future_destroy(old);
    patio_future_destroy(now);
    fixture_close(&f);
}

/* ---- routes ---- */

static void a_call_of_an_unknown_task_fails_at_once(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_status(patio_start(f.broker, "nobody.knows", PATIO_NO_ARGS, NULL, &future, &f.err),
                  PATIO_NO_ROUTE);
    assert_contains(f.err.message, "nobody.knows");
    assert_null(future);
    fixture_close(&f);
}

static void with_wait_route_it_waits_for_a_worker_that_knows_it(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options wait   = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE};
    patio_future      *future = NULL;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, NULL, SETTINGS("broker=memory://meet"));
    assert_string_equal(patio_broker_executor(f.broker), "");
    assert_ok(patio_start(f.broker, "mul", PATIO_ARGS(6, 7), &wait, &future, &f.err), f.err);
    assert_int_equal(counts_of(f.broker, NULL).ready, 1);
    assert_false(patio_future_done(future));
    patio_broker *worker = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    assert_value(patio_future_value(future), patio_int(42));
    patio_future_destroy(future);

    wait.timeout_ms = 20; /* up to the deadline */
    assert_status(patio_call(f.broker, "never", PATIO_NO_ARGS, &wait, NULL, NULL), PATIO_TIMEOUT);
    patio_broker_destroy(worker);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_is_accepted_under_an_id_and_runs),
        cmocka_unit_test(a_duplicate_is_told_by_the_id_of_the_first),
        cmocka_unit_test(a_send_waits_for_a_worker_that_knows_its_task),
        cmocka_unit_test(a_delayed_send_is_held_by_the_transport),
        cmocka_unit_test(a_queue_of_ones_own_keeps_its_own_counts),
        cmocka_unit_test(higher_priorities_run_sooner),
        cmocka_unit_test(sends_of_one_priority_run_in_their_order),
        cmocka_unit_test(a_full_transport_refuses_until_there_is_room),
        cmocka_unit_test(the_body_limit_is_exact),
        cmocka_unit_test(half_of_the_body_limit_is_said_once),
        cmocka_unit_test(what_the_transport_cannot_do_is_refused_by_name),
        cmocka_unit_test(a_second_send_of_a_key_is_not_run),
        cmocka_unit_test(a_dropped_call_hears_so_and_an_attached_one_gets_the_result),
        cmocka_unit_test(a_replacing_task_takes_the_place_of_the_queued_one),
        cmocka_unit_test(a_call_of_an_unknown_task_fails_at_once),
        cmocka_unit_test(with_wait_route_it_waits_for_a_worker_that_knows_it),
    };
    return RUN_TESTS("send", tests);
}
