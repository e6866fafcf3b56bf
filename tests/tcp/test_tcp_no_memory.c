/* The life of two brokers, with the n-th allocation of one of them failing, for one n after the
 * other: whatever was asked for ends with a result or an error that says what was wrong, what was
 * accepted is executed or a dead letter, nothing leaks, and all is well again afterwards.
 *
 * NO_MEMORY_STEP=1 leaves no allocation out, NO_MEMORY_FROM and NO_MEMORY_LAST say which ones fail,
 * and NO_MEMORY_TELLS shows every error. */
#include "no_memory_world.h"
#include "tcp_world.h"

#include <stdio.h>
#include <stdlib.h>

enum { NO_MORE_THAN = 5000 };

/* Returns whether an allocation failed. */
static bool live(pair *p, half *victim, size_t n, size_t in_row)
{
    failing_alloc_init(&p->worker.memory, 0);
    failing_alloc_init(&p->caller.memory, 0);
    victim->memory.fail_at = n;
    victim->memory.in_row  = in_row;
    forget_notes();
    pair_begin(p);
    use(p, in_row);
    expect_well(p);
    pair_end(p);
    return atomic_load(&victim->memory.failed);
}

/* A broker that has a task itself, and finds no memory just when it is to give it to itself: when
 * the slab of tasks is full. */
static void what_waits_for_memory_here_goes_on(void **state)
{
    enum { SLAB = 128, TRIES = 40 };
    pair               p;
    patio_error        err   = PATIO_ERROR_INIT;
    patio_call_options later = {PATIO_SIZED(patio_call_options), .delay_ms = 3600000};
    (void)state;
    set_about("one side alone");
    allow_timeouts(false);
    pair_make(&p, "unix");
    half_begin(&p.worker);
    for (int i = 0; i < SLAB - 1; i++) {
        assert_int_equal(patio_send(p.worker.broker, "note", PATIO_ARGS(0), &later, NULL, &err),
                         PATIO_OK);
    }
    for (size_t i = 1; i <= TRIES; i++) {
        p.worker.memory.fail_at = atomic_load(&p.worker.memory.calls) + i;
        call_note(&p.worker, "note", 1, &patient, "call of its own");
    }
    assert_int_equal(patio_queue_purge(p.worker.broker, NULL, 0, NULL, &err), PATIO_OK);
    half_end(&p.worker);
    pair_free(&p);
}

static size_t number_of(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static void sweep(const char *scheme, bool worker, size_t in_row)
{
    pair   p;
    size_t n     = number_of("NO_MEMORY_FROM", 1);
    size_t last  = number_of("NO_MEMORY_LAST", NO_MORE_THAN);
    size_t step  = number_of("NO_MEMORY_STEP", 7);
    size_t count = 0;
    bool   more  = true;
    /* those in a row overlap, and each is waited for: what is given back rests for a second */
    step *= in_row > 1 ? 5 : 1;
    pair_make(&p, scheme);
    for (; more && n <= last; n += step) {
        char text[80];
        (void)snprintf(text, sizeof(text), "%s, %s, %zu from %zu on", scheme,
                       worker ? "worker" : "caller", in_row, n);
        set_about(text);
        more = live(&p, worker ? &p.worker : &p.caller, n, in_row);
        count += more ? 1 : 0;
    }
    assert_true(n < NO_MORE_THAN);
    print_message("%s, %s: %zu runs without memory for %zu\n", scheme, worker ? "worker" : "caller",
                  count, in_row);
    pair_free(&p);
}

static void the_worker_runs_out_of_memory(void **state)
{
    (void)state;
    sweep("unix", true, 1);
}

static void the_caller_runs_out_of_memory(void **state)
{
    (void)state;
    sweep("unix", false, 1);
}

static void the_worker_has_none_for_a_while(void **state)
{
    (void)state;
    sweep("unix", true, 20);
}

static void the_caller_has_none_for_a_while(void **state)
{
    (void)state;
    sweep("unix", false, 20);
}

static void the_worker_runs_out_of_memory_in_tls(void **state)
{
    (void)state;
    sweep("tls", true, 1);
}

static void the_caller_runs_out_of_memory_in_tls(void **state)
{
    (void)state;
    sweep("tls", false, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_for_memory_here_goes_on),
        cmocka_unit_test(the_worker_runs_out_of_memory),
        cmocka_unit_test(the_caller_runs_out_of_memory),
        cmocka_unit_test(the_worker_has_none_for_a_while),
        cmocka_unit_test(the_caller_has_none_for_a_while),
        cmocka_unit_test(the_worker_runs_out_of_memory_in_tls),
        cmocka_unit_test(the_caller_runs_out_of_memory_in_tls),
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests_name("tcp without memory", tests, make_folder, remove_folder);
}
