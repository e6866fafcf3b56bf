/* A registry under load: many names, many threads, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/registry_state.h"

enum { NAMES = 10000, THREADS = 4, NAMES_PER_THREAD = 500, NAME_ROOM = 32 };

static patio_status mul(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

static patio_status mul2(patio_context *ctx)
{
    (void)ctx;
    return PATIO_TASK_FAILED;
}

static patio_status add_numbered(patio_registry *registry, unsigned number)
{
    char name[NAME_ROOM];
    (void)snprintf(name, sizeof(name), "task-%u", number);
    return patio_registry_add(registry, name, mul, NULL, NULL, NULL, NULL);
}

static const pt_task *find_numbered(const patio_registry *registry, unsigned number)
{
    char name[NAME_ROOM];
    (void)snprintf(name, sizeof(name), "task-%u", number);
    return pt_registry_lookup(registry, name);
}

static patio_registry *make_filled(unsigned names)
{
    patio_registry *registry = NULL;
    assert_int_equal(PATIO_OK, patio_registry_create(NULL, &registry, NULL));
    for (unsigned i = 0; i < names; i++) {
        assert_int_equal(PATIO_OK, add_numbered(registry, i));
    }
    return registry;
}

static void ten_thousand_names_of_one_function(void **state)
{
    (void)state;
    patio_registry *registry = make_filled(NAMES);
    assert_int_equal(NAMES, patio_registry_count(registry));
    for (unsigned i = 0; i < NAMES; i++) {
        assert_int_equal(i, find_numbered(registry, i)->index);
    }
    assert_null(find_numbered(registry, NAMES));
    assert_string_equal("task-0", pt_registry_lookup_fn(registry, mul)->name);
    patio_registry_destroy(registry);
}

static void removing_every_third_leaves_the_others_findable(void **state)
{
    (void)state;
    enum { SOME = 1000 };
    patio_registry *registry = make_filled(SOME);
    for (unsigned i = 0; i < SOME; i += 3) {
        assert_int_equal(PATIO_OK,
                         patio_registry_remove(registry, find_numbered(registry, i)->name, NULL));
    }
    unsigned position = 0;
    for (unsigned i = 0; i < SOME; i++) {
        const pt_task *task = find_numbered(registry, i);
        if (i % 3 == 0) {
            assert_null(task);
        } else {
            assert_int_equal(position++, task->index);
        }
    }
    assert_int_equal(position, patio_registry_count(registry));
    assert_string_equal("task-1", pt_registry_lookup_fn(registry, mul)->name);
    patio_registry_destroy(registry);
}

/* What one thread does, and how it went. CMocka's asserts belong to the main thread. */
typedef struct work {
    patio_registry *registry;
    unsigned        first;
    unsigned        wrong;
} work;

static void run_threads(patio_registry *registry, void *(*run)(void *))
{
    pthread_t threads[THREADS];
    work      works[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        works[i] = (work){.registry = registry, .first = i * NAMES_PER_THREAD};
        assert_int_equal(0, pthread_create(&threads[i], NULL, run, &works[i]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        assert_int_equal(0, works[i].wrong);
    }
}

static void *look_up(void *arg)
{
    work *w = arg;
    for (unsigned i = 0; i < THREADS * NAMES_PER_THREAD; i++) {
        const pt_task  *task = find_numbered(w->registry, i);
        patio_task_info info = {PATIO_SIZED(patio_task_info)};
        if (task == NULL || task->fn != mul || task->index != i ||
            pt_registry_lookup_fn(w->registry, mul) != pt_registry_task(w->registry, 0) ||
            patio_registry_at(w->registry, i, &info, NULL) != PATIO_OK ||
            patio_registry_find(w->registry, "nobody", &info, NULL) != PATIO_NOT_FOUND ||
            patio_registry_count(w->registry) != THREADS * NAMES_PER_THREAD) {
            w->wrong++;
        }
    }
    return NULL;
}

static void locked_look_ups_need_no_mutex(void **state)
{
    (void)state;
    patio_registry *registry = make_filled(THREADS * NAMES_PER_THREAD);
    patio_registry_lock(registry);
    /* whoever wanted the mutex would wait for ever */
    assert_int_equal(0, pthread_mutex_lock(&registry->mutex));
    run_threads(registry, look_up);
    assert_int_equal(0, pthread_mutex_unlock(&registry->mutex));
    patio_registry_destroy(registry);
}

static void *add_and_look_up(void *arg)
{
    work *w = arg;
    for (unsigned i = w->first; i < w->first + NAMES_PER_THREAD; i++) {
        if (add_numbered(w->registry, i) != PATIO_OK || find_numbered(w->registry, i) == NULL ||
            add_numbered(w->registry, i) != PATIO_EXISTS) {
            w->wrong++;
        }
    }
    return NULL;
}

static void threads_may_fill_it_together(void **state)
{
    (void)state;
    patio_registry *registry = make_filled(0);
    run_threads(registry, add_and_look_up);
    assert_int_equal(THREADS * NAMES_PER_THREAD, patio_registry_count(registry));
    patio_registry_destroy(registry);
}

static void *wait_for_lock(void *arg)
{
    work *w = arg;
    while (!patio_registry_is_locked(w->registry)) {
        (void)find_numbered(w->registry, w->first);
    }
    if (find_numbered(w->registry, THREADS * NAMES_PER_THREAD - 1) == NULL) {
        w->wrong++;
    }
    return NULL;
}

static void *add_then_lock(void *arg)
{
    work *w = arg;
    if (w->first != 0) {
        return wait_for_lock(arg);
    }
    for (unsigned i = 0; i < THREADS * NAMES_PER_THREAD; i++) {
        if (add_numbered(w->registry, i) != PATIO_OK) {
            w->wrong++;
        }
    }
    patio_registry_lock(w->registry);
    return NULL;
}

static void who_sees_the_lock_sees_all_names(void **state)
{
    (void)state;
    patio_registry *registry = make_filled(0);
    run_threads(registry, add_then_lock);
    patio_registry_destroy(registry);
}

/* Counts what is held; the allocation number `fail_at` (1, 2, …) fails. */
typedef struct scarce {
    unsigned calls;
    unsigned fail_at;
    int      held;
} scarce;

static void *scarce_resize(void *self, void *pointer, size_t size_bytes)
{
    scarce *s = self;
    if (++s->calls == s->fail_at) {
        return NULL;
    }
    s->held += pointer == NULL ? 1 : 0;
    return realloc(pointer, size_bytes);
}

static void *scarce_alloc(void *self, size_t size_bytes)
{
    return scarce_resize(self, NULL, size_bytes);
}

static void scarce_free(void *self, void *pointer)
{
    scarce *s = self;
    s->held--;
    free(pointer);
}

/* Enough names that everything grows, then look, remove, add again. */
static patio_status live(const patio_allocator *mem)
{
    enum { SOME = 40 };
    patio_registry *registry = NULL;
    patio_status    st       = pt_registry_create(mem, NULL, &registry, NULL);
    size_t          count    = 0;
    for (unsigned i = 0; st == PATIO_OK && i < SOME; i++) {
        st = add_numbered(registry, i);
        count += st == PATIO_OK ? 1 : 0;
        assert_true((find_numbered(registry, i) != NULL) == (st == PATIO_OK));
    }
    if (st == PATIO_OK) {
        assert_int_equal(PATIO_OK, patio_registry_remove(registry, "task-0", NULL));
        st = patio_registry_add(registry, NULL, mul2, "m.c", "mul2", NULL, NULL);
        count -= st == PATIO_OK ? 0 : 1;
    }
    if (registry != NULL) {
        assert_int_equal(count, patio_registry_count(registry));
    }
    patio_registry_destroy(registry);
    return st;
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    patio_status st = PATIO_NO_MEMORY;
    unsigned     n  = 0;
    while (st != PATIO_OK) {
        scarce          s   = {.fail_at = ++n};
        patio_allocator mem = {PATIO_SIZED(patio_allocator), .self = &s, .alloc = scarce_alloc,
                               .resize = scarce_resize, .free = scarce_free};
        st                  = live(&mem);
        assert_int_equal(0, s.held);
        assert_int_equal(s.calls >= s.fail_at ? PATIO_NO_MEMORY : PATIO_OK, st);
    }
    assert_true(n > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_names_of_one_function),
        cmocka_unit_test(removing_every_third_leaves_the_others_findable),
        cmocka_unit_test(locked_look_ups_need_no_mutex),
        cmocka_unit_test(threads_may_fill_it_together),
        cmocka_unit_test(who_sees_the_lock_sees_all_names),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
