#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "failing_alloc.h"

static void small_uses_stay_in_the_owners_memory(void **state)
{
    (void)state;
    failing_alloc fa;
    failing_alloc_init(&fa, 1);
    alignas(max_align_t) uint8_t first[256];
    pt_arena                     arena;
    pt_arena_init(&arena, &fa.mem, first, sizeof(first), 1000);
    uint8_t *p = pt_arena_alloc(&arena, 100);
    uint8_t *q = pt_arena_alloc(&arena, 100);
    assert_ptr_equal(p, first);
    assert_true(q >= p + 100 && q + 100 <= first + sizeof(first));
    assert_int_equal(atomic_load(&fa.calls), 0);
    pt_arena_reset(&arena);
    assert_ptr_equal(pt_arena_alloc(&arena, 1), first);
}

static void everything_is_aligned_and_apart(void **state)
{
    (void)state;
    failing_alloc fa;
    failing_alloc_init(&fa, 0);
    uint8_t  first[100];
    uint8_t *blocks[200];
    pt_arena arena;
    pt_arena_init(&arena, &fa.mem, first + 1, sizeof(first) - 1, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = pt_arena_alloc(&arena, i * 7 + 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)i, i * 7 + 1);
    }
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(blocks[i][0], i);
        assert_int_equal(blocks[i][i * 7], i);
    }
    pt_arena_reset(&arena);
    assert_int_equal(atomic_load(&fa.live), 0);
    assert_int_equal(arena.chunk_bytes, 0);
}

static void the_budget_bounds_the_heap(void **state)
{
    (void)state;
    failing_alloc fa;
    failing_alloc_init(&fa, 0);
    pt_arena arena;
    pt_arena_init(&arena, &fa.mem, NULL, 0, 10000);
    assert_null(pt_arena_alloc(&arena, 10001));
    assert_non_null(pt_arena_alloc(&arena, 10000));
    assert_null(pt_arena_alloc(&arena, 1));
    pt_arena_reset(&arena);
    assert_non_null(pt_arena_alloc(&arena, 10000));
    pt_arena_reset(&arena);
    assert_int_equal(atomic_load(&fa.live), 0);
}

static void a_budget_below_a_chunk_can_be_used_up(void **state)
{
    (void)state;
    pt_arena arena;
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, 100);
    assert_non_null(pt_arena_alloc(&arena, 60));
    assert_non_null(pt_arena_alloc(&arena, 40));
    assert_null(pt_arena_alloc(&arena, 1));
    pt_arena_reset(&arena);
}

static void a_size_near_the_largest_does_not_wrap(void **state)
{
    (void)state;
    uint8_t  first[64];
    pt_arena arena;
    pt_arena_init(&arena, &pt_malloc_allocator, first, sizeof(first), SIZE_MAX);
    assert_null(pt_arena_alloc(&arena, SIZE_MAX));
    assert_null(pt_arena_alloc(&arena, SIZE_MAX - 8));
    assert_non_null(pt_arena_alloc(&arena, 16));
    pt_arena_reset(&arena);
}

static patio_status fill_arena(const patio_allocator *mem, void *arg)
{
    (void)arg;
    pt_arena     arena;
    patio_status status = PATIO_OK;
    pt_arena_init(&arena, mem, NULL, 0, 1 << 20);
    for (int i = 0; i < 10; i++) {
        status = pt_arena_alloc(&arena, 3000) == NULL ? PATIO_NO_MEMORY : status;
    }
    pt_arena_reset(&arena);
    return status;
}

static void arena_survives_every_failed_allocation(void **state)
{
    (void)state;
    assert_int_equal(fail_each_allocation(fill_arena, NULL), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_uses_stay_in_the_owners_memory),
        cmocka_unit_test(everything_is_aligned_and_apart),
        cmocka_unit_test(the_budget_bounds_the_heap),
        cmocka_unit_test(a_budget_below_a_chunk_can_be_used_up),
        cmocka_unit_test(a_size_near_the_largest_does_not_wrap),
        cmocka_unit_test(arena_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
