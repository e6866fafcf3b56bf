/* The frames of docs/tcp.md: what is written is read, and every truncation is refused. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "exact.h"
#include "frame_ask.h"

static void header_is_sixteen_little_endian_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[16] = {0x04, 0x03, 0x02, 0x01, 5, 3,    0x02, 0x00,
                                         0x08, 0x07, 0x06, 0x05, 4, 0x03, 0x02, 0x01};
    frame_header         h            = {.size    = 0x01020304,
                                         .type    = FRAME_PUBLISH,
                                         .flags   = FRAME_FIRST | FRAME_MORE,
                                         .channel = 2,
                                         .id      = 0x0102030405060708};
    uint8_t              data[16];
    frame_header         back;
    frame_put_header(data, &h);
    assert_memory_equal(data, expected, sizeof(data));
    frame_get_header(data, &back);
    assert_int_equal(back.size, h.size);
    assert_int_equal(back.type, h.type);
    assert_int_equal(back.flags, h.flags);
    assert_int_equal(back.channel, h.channel);
    assert_true(back.id == h.id);
}

static void headers_are_refused_by_reason(void **state)
{
    (void)state;
    const struct {
        frame_header h;
        bool         open;
        const char  *why; /* NULL: allowed */
    } cases[] = {
        {{.type = FRAME_HELLO, .size = 64}, false, NULL},
        {{.type = FRAME_HELLO, .size = 513}, false, "longer"},
        {{.type = FRAME_HELLO, .size = 64}, true, "belong"},
        {{.type = FRAME_PUBLISH, .size = 64}, false, "belong"},
        {{.type = FRAME_PUBLISH, .size = 64}, true, NULL},
        {{.type = FRAME_PUBLISH, .size = FRAME_BODY_MAX}, true, NULL},
        {{.type = FRAME_PUBLISH, .size = FRAME_BODY_MAX + 1}, true, "longer"},
        {{.type = FRAME_PUBLISH, .size = UINT32_MAX}, true, "longer"},
        {{.type = FRAME_PUBLISH, .size = UINT32_MAX}, false, "longer"},
        {{.type = FRAME_GOODBYE}, true, NULL},
        {{.type = FRAME_GOODBYE}, false, NULL},
        {{.type = 0}, true, "unknown type"},
        {{.type = FRAME_ANSWER + 1}, true, "unknown type"},
        {{.type = FRAME_ASK, .size = FRAME_ASK_BYTES}, true, NULL},
        {{.type = FRAME_ASK, .size = FRAME_ASK_BYTES}, false, "does not belong"},
        {{.type = FRAME_ASK, .flags = FRAME_MORE, .channel = 1}, true, "piece"},
        {{.type = FRAME_ANSWER, .flags = FRAME_MORE, .channel = 1}, true, NULL},
        {{.type = FRAME_PING, .flags = FRAME_MORE, .channel = 1}, true, "piece"},
        {{.type = FRAME_SETTLE, .flags = FRAME_MORE}, true, "piece"},
        {{.type = FRAME_SETTLE, .channel = 5}, true, "piece"},
        {{.type = FRAME_SETTLE, .channel = 4}, true, NULL},
        {{.type = FRAME_SETTLE, .channel = 1, .flags = 4}, true, "flags"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = frame_check_header(&cases[i].h, cases[i].open, 16 << 20);
        if (cases[i].why == NULL) {
            assert_null(why);
        } else {
            assert_non_null(why);
            assert_non_null(strstr(why, cases[i].why));
        }
    }
}

static void hello_survives_no_change_of_size_or_magic(void **state)
{
    (void)state;
    uint8_t     nonce[FRAME_NONCE_BYTES];
    uint8_t     data[FRAME_HELLO_BYTES + 1] = {0};
    frame_hello back;
    memset(nonce, 0xab, sizeof(nonce));
    frame_hello h = {.version_min = 1,
                     .version_max = 3,
                     .connects    = true,
                     .has_key     = true,
                     .max_bytes   = 1u << 24,
                     .incarnation = 0x1122334455667788,
                     .nonce       = nonce};
    frame_put_hello(data, &h);
    assert_true(frame_get_hello((patio_bytes){data, FRAME_HELLO_BYTES}, &back));
    assert_int_equal(back.version_max, 3);
    assert_true(back.connects && back.has_key && back.incarnation == h.incarnation);
    assert_memory_equal(back.nonce, nonce, sizeof(nonce));
    for (size_t size = 0; size <= sizeof(data); size++) {
        patio_bytes cut = exact(data, size);
        assert_int_equal(frame_get_hello(cut, &back), size == FRAME_HELLO_BYTES);
        drop(cut);
    }
    data[0] ^= 1;
    assert_false(frame_get_hello((patio_bytes){data, FRAME_HELLO_BYTES}, &back));
}

static void every_truncation_of_a_publish_is_refused(void **state)
{
    (void)state;
    uint8_t       data[FRAME_PUBLISH_BYTES + 510];
    frame_publish back;
    frame_publish p    = {.flags    = 1,
                          .fence    = 2,
                          .ttl_ms   = 3,
                          .age_ms   = 4,
                          .priority = 9,
                          .attempt  = 6,
                          .crashes  = 7};
    size_t        size = frame_put_publish(data, &p, "a.queue", "a task with a name");
    for (size_t cut = 0; cut < size; cut++) {
        patio_bytes some = exact(data, cut);
        assert_false(frame_get_publish(some, &back));
        drop(some);
    }
    assert_true(frame_get_publish((patio_bytes){data, size}, &back));
    assert_string_equal(back.queue, "a.queue");
    assert_string_equal(back.task, "a task with a name");
    assert_int_equal(back.head_bytes, size);
    assert_true(back.ttl_ms == 3 && back.age_ms == 4 && back.crashes == 7);
    data[40] = 10; /* no such priority */
    assert_false(frame_get_publish((patio_bytes){data, size}, &back));
    data[40]                      = 9;
    data[FRAME_PUBLISH_BYTES + 1] = 0; /* a NUL in a name */
    assert_false(frame_get_publish((patio_bytes){data, size}, &back));
    data[FRAME_PUBLISH_BYTES + 1] = '.';
    data[46]                      = 0; /* an empty name */
    assert_false(frame_get_publish((patio_bytes){data, size}, &back));
}

static void a_settle_with_a_lying_length_is_refused(void **state)
{
    (void)state;
    uint8_t      data[FRAME_SETTLE_BYTES + 8] = {0};
    frame_settle s                            = {
                                   .verdict = PATIO_REJECT, .flags = SETTLE_HAS_REPLY, .delay_ms = 5, .cause = {data, 3}};
    frame_settle back;
    frame_put_settle(data, &s);
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        patio_bytes some = exact(data, cut);
        assert_int_equal(frame_get_settle(some, &back), cut >= FRAME_SETTLE_BYTES + 3);
        drop(some);
    }
    assert_true(frame_get_settle((patio_bytes){data, sizeof(data)}, &back));
    assert_int_equal(back.head_bytes, FRAME_SETTLE_BYTES + 3);
    frame_put32(data + 4, UINT32_MAX);
    assert_false(frame_get_settle((patio_bytes){data, sizeof(data)}, &back));
    frame_put32(data + 4, 0);
    data[0] = 0;
    assert_false(frame_get_settle((patio_bytes){data, sizeof(data)}, &back));
}

static void every_truncation_of_an_announce_is_refused(void **state)
{
    (void)state;
    static const uint8_t data[] = {4, 's', 'h', 'o', 'p', 2, 0, 0, 0, 1, 'q', 8, 0,   0,
                                   0, 2,   0,   0,   0,   5, 0, 0, 0, 1, 'a', 2, 'b', 'c',
                                   1, 'r', 1,   0,   0,   0, 0, 0, 0, 0, 0,   0, 0,   0};
    assert_null(frame_check_announce((patio_bytes){data, sizeof(data)}));
    for (size_t cut = 0; cut < sizeof(data); cut++) {
        patio_bytes some = exact(data, cut);
        assert_non_null(frame_check_announce(some));
        drop(some);
    }
    for (size_t i = 0; i < sizeof(data); i++) {
        /* whatever a byte becomes, nothing beyond the end is read */
        patio_bytes some = exact(data, sizeof(data));
        for (unsigned value = 0; value < 256; value++) {
            ((uint8_t *)(uintptr_t)some.data)[i] = (uint8_t)value;
            (void)frame_check_announce(some);
        }
        drop(some);
    }
}

/* So many names as a peer takes, and one more; of one that says more than it has, no name is read.
 */
static void an_announce_has_its_bounds(void **state)
{
    (void)state;
    enum { HEAD = 2 + 4, QUEUE = 2 + 12 };
    static uint8_t data[HEAD + QUEUE + 2 * (FRAME_TASKS_MAX + 1)] = {1, 'p', 1};
    uint8_t       *queue                                          = data + HEAD;
    memcpy(queue, "\1q", 2);
    for (uint32_t i = 0; i <= FRAME_TASKS_MAX; i++) {
        memcpy(queue + QUEUE + (size_t)2 * i, "\1t", 2);
    }
    for (uint32_t tasks = FRAME_TASKS_MAX; tasks <= FRAME_TASKS_MAX + 1; tasks++) {
        frame_put32(queue + 6, tasks);
        frame_put32(queue + 10, 2 * tasks);
        patio_bytes whole = exact(data, HEAD + QUEUE + (size_t)2 * tasks);
        const char *why   = frame_check_announce(whole);
        assert_true(tasks > FRAME_TASKS_MAX ? why != NULL && strstr(why, "16384") != NULL
                                            : why == NULL);
        drop(whole);
    }
    static const uint8_t queues[HEAD + (FRAME_QUEUES_MAX + 1) * QUEUE] = {1, 'p', 1, 1};
    patio_bytes          many = exact(queues, sizeof(queues)); /* 257, and they have no names */
    const char          *why  = frame_check_announce(many);
    assert_true(why != NULL && strstr(why, "256 queues") != NULL);
    drop(many);
}

/* Names go into the log and to terminals: none of them may forge a line or move a cursor. */
static void a_name_that_no_honest_side_has_is_refused(void **state)
{
    (void)state;
    enum { PROJECT = 2, QUEUE = 11, TASK = 26 };
    uint8_t data[] = {4, 's', 'h', 'o', 'p', 1, 0, 0, 0, 4, 'd', 'e', 'f', '-', 8,
                      0, 0,   0,   1,   0,   0, 0, 4, 0, 0, 0,   3,   'a', ' ', 'b'};
    /* a task may have a space */
    assert_null(frame_check_announce((patio_bytes){data, sizeof(data)}));
    for (unsigned value = 1; value < 256; value++) {
        bool plain    = value < 128 && (isalnum((int)value) || strchr("._-", (int)value) != NULL);
        bool printed  = value >= ' ' && value != 127;
        data[PROJECT] = (uint8_t)value;
        assert_int_equal(frame_check_announce((patio_bytes){data, sizeof(data)}) == NULL, plain);
        data[PROJECT] = 'h';
        data[QUEUE]   = (uint8_t)value;
        assert_int_equal(frame_check_announce((patio_bytes){data, sizeof(data)}) == NULL, plain);
        data[QUEUE]    = 'e';
        data[TASK + 2] = (uint8_t)value;
        assert_int_equal(frame_check_announce((patio_bytes){data, sizeof(data)}) == NULL, printed);
        data[TASK + 2] = ' ';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_sixteen_little_endian_bytes),
        cmocka_unit_test(headers_are_refused_by_reason),
        cmocka_unit_test(hello_survives_no_change_of_size_or_magic),
        cmocka_unit_test(every_truncation_of_a_publish_is_refused),
        cmocka_unit_test(a_settle_with_a_lying_length_is_refused),
        cmocka_unit_test(every_truncation_of_an_announce_is_refused),
        cmocka_unit_test(an_announce_has_its_bounds),
        cmocka_unit_test(a_name_that_no_honest_side_has_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
