/* Names of queues and tasks in the store: found at once, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store.h"
#include "store_host.h"

static const char *name_of(uint32_t number)
{
    static char name[32];
    (void)snprintf(name, sizeof(name), "task.%06x", number);
    return name;
}

static uint32_t longest_chain(const queue *q)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < q->bucket_count; i++) {
        uint32_t length = 0;
        for (const lane *l = q->buckets[i]; l != NULL; l = l->next) {
            length++;
        }
        longest = length > longest ? length : longest;
    }
    return longest;
}

static void many_names_lie_in_short_chains(void **state)
{
    (void)state;
    enum { CHAIN = 16 };
    store_room room;
    store_init(&room, &store_host, NULL);
    queue *q = store_queue(&room, "default", true);
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        assert_null(store_lane(q, name_of(i), false));
        assert_non_null(store_lane(q, name_of(i), true));
    }
    assert_null(store_lane(q, name_of(LANES_MAX), true));
    assert_true(longest_chain(q) <= CHAIN);
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        assert_string_equal(store_lane(q, name_of(i), false)->task, name_of(i));
    }
    store_fini(&room, store_no_queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_names_lie_in_short_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
