/* Numbers of tasks: each giving has another, also where they go over their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store.h"
#include "store_host.h"

enum { GENERATION_SHIFT = 32 };

/* Whatever is freed is of a lane. */
static void put_into_a_lane(store_room *room, entry *e)
{
    e->lane = store_lane(store_queue(room, "queue", true), "task", true);
    e->lane->held++;
    e->state = ENTRY_OWN;
}

static void a_number_that_has_wrapped_is_a_new_one(void **state)
{
    (void)state;
    store_room room;
    store_init(&room, &store_host, NULL);
    entry   *e    = store_entry_new(&room);
    uint32_t slot = (uint32_t)e->tag;
    assert_non_null(e);
    /* the last generation but one; so many are never made in a test */
    e->tag = (UINT64_C(0xfffffffe) << GENERATION_SHIFT) | slot;
    put_into_a_lane(&room, e);
    store_entry_free(&room, e);
    uint64_t old = 0;
    for (uint64_t i = 0; i < 4; i++) {
        e              = store_entry_new(&room);
        uint64_t wants = ((UINT64_C(0xffffffff) + i) & 0xffffffff) << GENERATION_SHIFT | slot;
        assert_int_equal(e->tag, wants);
        assert_true(e->tag != 0);
        put_into_a_lane(&room, e);
        assert_ptr_equal(store_entry_find(&room, e->tag, ENTRY_OWN), e);
        assert_null(store_entry_find(&room, e->tag, ENTRY_LEASED));
        assert_null(store_entry_find(&room, old, ENTRY_OWN)); /* whoever had the slot before */
        old = e->tag;
        store_entry_free(&room, e);
        assert_null(store_entry_find(&room, old, ENTRY_OWN));
    }
    store_fini(&room, store_no_queue);
}

static void a_number_that_was_never_given_is_nobodys(void **state)
{
    (void)state;
    store_room room;
    store_init(&room, &store_host, NULL);
    entry *e = store_entry_new(&room);
    assert_null(store_entry_find(&room, 0, ENTRY_OWN));
    assert_null(store_entry_find(&room, UINT64_MAX, ENTRY_OWN));
    assert_null(store_entry_find(&room, CHUNK_ENTRIES + 1, ENTRY_FREE));
    put_into_a_lane(&room, e);
    store_entry_free(&room, e);
    store_fini(&room, store_no_queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_that_has_wrapped_is_a_new_one),
        cmocka_unit_test(a_number_that_was_never_given_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
