/* The frames of version 2, docs/tcp.md: questions of operators and their answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "exact.h"
#include "frame_ask.h"

static void every_truncation_of_a_question_is_refused(void **state)
{
    (void)state;
    uint8_t   data[FRAME_ASK_BYTES + 255 + 1];
    frame_ask back;
    frame_ask a    = {.what       = ASK_DEAD_LIST,
                      .flags      = ASK_RELAY | ASK_HAS_ID,
                      .state      = 2,
                      .limit      = 100,
                      .timeout_ms = 5000,
                      .origin     = 0x1122334455667788,
                      .number     = 42,
                      .id         = {{1, 2, 3}},
                      .queue      = "a.queue"};
    size_t    size = frame_put_ask(data, &a);
    for (size_t cut = 0; cut <= size + 1; cut++) {
        patio_bytes some = exact(data, cut);
        assert_int_equal(frame_get_ask(some, &back), cut == size);
        drop(some);
    }
    assert_true(frame_get_ask((patio_bytes){data, size}, &back));
    assert_true(back.what == a.what && back.flags == a.flags && back.state == 2);
    assert_true(back.limit == 100 && back.timeout_ms == 5000 && back.number == 42);
    assert_true(back.origin == a.origin && memcmp(&back.id, &a.id, sizeof(a.id)) == 0);
    assert_string_equal(back.queue, "a.queue");
    data[FRAME_ASK_BYTES + 2] = 0; /* a NUL in a name */
    assert_false(frame_get_ask((patio_bytes){data, size}, &back));
    data[FRAME_ASK_BYTES + 2] = '\n'; /* it would be a queue of that name */
    assert_false(frame_get_ask((patio_bytes){data, size}, &back));
}

static void an_answer_with_a_lying_length_is_refused(void **state)
{
    (void)state;
    uint8_t      data[FRAME_ANSWER_BYTES + 8] = {0};
    frame_answer back;
    frame_answer a = {.what        = ASK_COUNTS,
                      .flags       = ANSWER_LAST | ANSWER_TAIL,
                      .status      = PATIO_FULL,
                      .others      = 7,
                      .incarnation = 9,
                      .number      = 11,
                      .rows        = {data, 5}};
    frame_put_answer(data, &a);
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        patio_bytes some = exact(data, cut);
        assert_int_equal(frame_get_answer(some, &back), cut >= FRAME_ANSWER_BYTES + 5);
        drop(some);
    }
    assert_true(frame_get_answer((patio_bytes){data, sizeof(data)}, &back));
    assert_true(back.status == PATIO_FULL && back.others == 7 && back.incarnation == 9);
    assert_true(back.number == 11 && back.rows.size == 5);
    assert_int_equal(back.head_bytes, FRAME_ANSWER_BYTES + 5);
    frame_put32(data + 24, UINT32_MAX);
    assert_false(frame_get_answer((patio_bytes){data, sizeof(data)}, &back));
}

static void every_truncation_of_a_letter_is_refused(void **state)
{
    (void)state;
    uint8_t           data[2 * (FRAME_LETTER_BYTES + 64)];
    char              task[256];
    patio_dead_letter back;
    patio_dead_letter one  = {.attempts = 3,
                              .crashes  = 4,
                              .id       = {{9, 8, 7}},
                              .task     = "mail.send",
                              .dead_ms  = 77,
                              .cause    = {(const uint8_t *)"why", 3}};
    size_t            size = frame_letter_size(&one);
    frame_put_letter(data, &one);
    frame_put_letter(data + size, &one);
    for (size_t cut = 0; cut < size; cut++) {
        patio_bytes some = exact(data, cut);
        patio_bytes rest = some;
        assert_false(frame_next_letter(&rest, &back, task));
        drop(some);
    }
    patio_bytes rest = {data, 2 * size};
    for (int i = 0; i < 2; i++) {
        assert_true(frame_next_letter(&rest, &back, task));
        assert_true(back.attempts == 3 && back.crashes == 4 && back.dead_ms == 77);
        assert_string_equal(back.task, "mail.send");
        assert_true(back.cause.size == 3 && memcmp(back.cause.data, "why", 3) == 0);
        assert_memory_equal(&back.id, &one.id, sizeof(one.id));
    }
    assert_int_equal(rest.size, 0);
    frame_put32(data + 28, UINT32_MAX); /* of the cause */
    rest = (patio_bytes){data, size};
    assert_false(frame_next_letter(&rest, &back, task));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_of_a_question_is_refused),
        cmocka_unit_test(an_answer_with_a_lying_length_is_refused),
        cmocka_unit_test(every_truncation_of_a_letter_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
