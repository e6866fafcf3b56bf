/* The worker's log names what becomes a dead letter, and not without bounds. */
#include "fixture.h"

#include <string.h>

static _Atomic uint32_t named;
static _Atomic uint32_t with_id;
static _Atomic uint32_t of_others;

static void on_log(void *self, const patio_log_line *line)
{
    (void)self;
    if (strstr(line->text, "dead letter: task \"sick\", attempt 1, failed: Sick: not well") !=
        NULL) {
        atomic_fetch_add(&named, 1);
        atomic_fetch_add(&with_id, strlen(line->task_id) == 32 && strcmp(line->topic, "task") == 0);
        atomic_fetch_add(&of_others, strstr(line->text, "(15 others before it") != NULL);
    }
}

static patio_status sick(patio_context *ctx)
{
    return patio_task_fail(ctx, 7, "Sick", "not well");
}

static void send(fixture *f, unsigned count, uint64_t dead)
{
    for (unsigned i = 0; i < count; i++) {
        assert_ok(patio_send(f->broker, "sick", PATIO_NO_ARGS, NULL, NULL, &f->err), f->err);
    }
    AWAIT(counts_of(f->broker, NULL).dead == dead);
}

static void ten_a_second_are_named_and_the_others_counted(void **state)
{
    (void)state;
    fixture               f;
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options),
                                     .log_level = PATIO_LOG_WARN, .log = on_log,
                                     .flags = PATIO_RUNTIME_MANUAL_CLOCK};
    fixture_init(&f);
    patio_runtime_destroy(f.runtime);
    options.allocator = &f.memory.mem;
    assert_ok(patio_runtime_create(&options, &f.runtime, &f.err), f.err);
    assert_ok(PATIO_ADD_AS(f.registry, "sick", sick, &f.err), f.err);
    f.broker = start_broker(&f, f.registry, SETTINGS("executor.workers=2"));
    send(&f, 25, 25);
    assert_int_equal(atomic_load(&named), 10);
    assert_int_equal(atomic_load(&with_id), 10);
    assert_int_equal(atomic_load(&of_others), 0);
    assert_ok(patio_runtime_advance(f.runtime, 1000, 1000, &f.err), f.err);
    send(&f, 1, 26);
    assert_int_equal(atomic_load(&named), 11);
    assert_int_equal(atomic_load(&of_others), 1);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_a_second_are_named_and_the_others_counted),
    };
    return RUN_TESTS("dead_log", tests);
}
