/* A delivery of a task that this worker does not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>

#include "runtime/worker.h"

static patio_status nothing(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

typedef struct world {
    patio_registry *registry;
    patio_broker   *broker;
} world;

static void open_world(world *w)
{
    assert_int_equal(patio_registry_create(NULL, &w->registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w->registry, "known", nothing, NULL), PATIO_OK);
    assert_int_equal(patio_broker_open(w->registry, "memory://", &w->broker, NULL), PATIO_OK);
    assert_int_equal(patio_broker_start(w->broker, NULL), PATIO_OK);
}

static void close_world(world *w)
{
    patio_broker_destroy(w->broker);
    patio_registry_destroy(w->registry);
}

/* The transport knows no such tag, and refuses what is settled; what the broker wanted is counted.
 */
static patio_broker_stats deliver(world *w, uint64_t fence)
{
    uint8_t           *data = NULL;
    patio_buf         *body = pt_buf_new(w->broker->mem, 1, &data);
    patio_message      m = {PATIO_SIZED(patio_message), .queue = "default", .task = "of tomorrow",
                            .attempt = 1, .body = body};
    patio_delivery     d = {PATIO_SIZED(patio_delivery), .tag = 77, .fence = fence, .message = &m};
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    patio_broker_get_stats(w->broker, &stats);
    uint64_t before = stats.settlements_failed;
    data[0]         = 0;
    pt_worker_delivered(w->broker, &d);
    pt_buf_drop(body);
    do {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        patio_broker_get_stats(w->broker, &stats);
    } while (stats.settlements_failed == before);
    return stats;
}

static void an_unknown_task_goes_back(void **state)
{
    (void)state;
    world w;
    open_world(&w);
    patio_broker_stats stats = deliver(&w, 1);
    assert_int_equal(stats.tasks_returned, 1);
    assert_int_equal(stats.tasks_rejected, 0);
    close_world(&w);
}

static void one_that_nobody_knew_for_long_is_parked(void **state)
{
    (void)state;
    world w;
    open_world(&w);
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    for (uint64_t n = 1; n <= 20; n++) {
        stats = deliver(&w, n);
    }
    assert_int_equal(stats.tasks_returned, 19);
    assert_int_equal(stats.tasks_rejected, 1);
    close_world(&w);
}

/* The fence only grows: on some transports by more than one with each delivery. */
static void a_large_fence_is_no_count(void **state)
{
    (void)state;
    world w;
    open_world(&w);
    patio_broker_stats stats = deliver(&w, UINT64_C(1) << 40);
    assert_int_equal(stats.tasks_returned, 1);
    assert_int_equal(stats.tasks_rejected, 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_task_goes_back),
        cmocka_unit_test(one_that_nobody_knew_for_long_is_parked),
        cmocka_unit_test(a_large_fence_is_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
