/* Whose turn is it? Deliveries as a transport brings them, with what is expected said by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "runtime/worker.h"

enum { HIGH, LOW };

#define FAR_NS (UINT64_C(3600) * 1000 * PT_NS_PER_MS)

static const char *const names[] = {"high", "low"};

static patio_status nothing(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

typedef struct world {
    patio_registry *registry;
    patio_config   *config;
    patio_broker   *broker;
} world;

static void open_world(world *w, const char *order)
{
    static const char *const settings[][2] = {{"broker", "memory://"},
                                              {"executor.workers", "2"},
                                              {"queues.high.weight", "3"},
                                              {"queues.low.weight", "1"}};
    assert_int_equal(patio_registry_create(NULL, &w->registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w->registry, "known", nothing, NULL), PATIO_OK);
    assert_int_equal(patio_config_create(&w->config, NULL), PATIO_OK);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        assert_int_equal(patio_config_set(w->config, settings[i][0], settings[i][1], "test", NULL),
                         PATIO_OK);
    }
    assert_int_equal(patio_config_set(w->config, "queue_order", order, "test", NULL), PATIO_OK);
    assert_int_equal(patio_broker_create(NULL, w->registry, w->config, &w->broker, NULL), PATIO_OK);
    assert_int_equal(patio_broker_start(w->broker, NULL), PATIO_OK);
    for (size_t q = 0; q < 2; q++) {
        assert_string_equal(w->broker->queues[q].name, names[q]);
        atomic_store(&w->broker->queues[q].due_ns, 0);
    }
}

static void close_world(world *w)
{
    patio_broker_destroy(w->broker);
    patio_config_destroy(w->config);
    patio_registry_destroy(w->registry);
}

static void expect(world *w, int queue, bool more)
{
    atomic_store(&w->broker->queues[queue].due_ns, more ? pt_now_ns() + FAR_NS : 0);
}

/* Its run ends as undecodable, and the transport knows no such tag: neither matters here. */
static void deliver(world *w, int queue)
{
    uint8_t       *data = NULL;
    patio_buf     *body = pt_buf_new(w->broker->mem, 1, &data);
    patio_message  m    = {PATIO_SIZED(patio_message), .queue = names[queue], .task = "known",
                           .attempt = 1, .body = body};
    patio_delivery d    = {PATIO_SIZED(patio_delivery), .tag = 77, .fence = 1, .message = &m};
    data[0]             = 0;
    pt_worker_delivered(w->broker, &d);
    pt_buf_drop(body);
}

static bool waits(world *w)
{
    pthread_mutex_lock(&w->broker->lock);
    bool any = w->broker->executors[0].held != NULL;
    pthread_mutex_unlock(&w->broker->lock);
    return any;
}

static void await_started(world *w, uint64_t count)
{
    while (atomic_load(&w->broker->worked.started) < count) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void a_slot_is_kept_for_what_an_earlier_queue_is_about_to_bring(void **state)
{
    (void)state;
    world w;
    open_world(&w, "strict");
    expect(&w, HIGH, true);
    deliver(&w, LOW);
    assert_true(waits(&w));
    deliver(&w, HIGH);
    await_started(&w, 1);
    expect(&w, HIGH, false);
    pt_held_look(w.broker);
    assert_false(waits(&w));
    await_started(&w, 2);
    close_world(&w);
}

static void a_later_queue_holds_nobody_up(void **state)
{
    (void)state;
    world w;
    open_world(&w, "strict");
    expect(&w, LOW, true);
    deliver(&w, HIGH);
    assert_false(waits(&w));
    await_started(&w, 1);
    close_world(&w);
}

static void by_weight_a_slot_is_kept_for_who_is_behind(void **state)
{
    (void)state;
    world w;
    open_world(&w, "weighted");
    expect(&w, HIGH, true);
    expect(&w, LOW, true);
    deliver(&w, HIGH);
    assert_false(waits(&w)); /* nobody is ahead yet */
    deliver(&w, HIGH);
    assert_true(waits(&w)); /* low has had nothing */
    deliver(&w, LOW);
    await_started(&w, 3);
    assert_false(waits(&w));
    close_world(&w);
}

/* Only a queue that has had all of its credit lately has more than what comes anyway. */
static void what_trickles_in_is_not_waited_for(void **state)
{
    (void)state;
    world w;
    open_world(&w, "strict");
    pt_queue *high = &w.broker->queues[HIGH];
    atomic_store(&high->full_ns, 1); /* long ago */
    atomic_store(&high->held, 1);
    pt_queues_gave(w.broker, high);
    deliver(&w, LOW);
    assert_false(waits(&w));
    await_started(&w, 1);
    atomic_store(&high->held, high->credit);
    pt_queues_gave(w.broker, high);
    assert_true(atomic_load(&high->full_ns) > 1);
    assert_true(atomic_load(&high->due_ns) > atomic_load(&high->full_ns));
    atomic_store(&high->held, 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_kept_for_what_an_earlier_queue_is_about_to_bring),
        cmocka_unit_test(a_later_queue_holds_nobody_up),
        cmocka_unit_test(by_weight_a_slot_is_kept_for_who_is_behind),
        cmocka_unit_test(what_trickles_in_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
