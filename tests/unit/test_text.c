#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "failing_alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void text_grows_and_stays_terminated(void **state)
{
    (void)state;
    pt_text text;
    pt_text_init(&text, &pt_malloc_allocator, 10000);
    for (int i = 0; i < 1000; i++) {
        pt_text_printf(&text, "%d,", i % 10);
        assert_int_equal(text.data[text.size], '\0');
    }
    assert_false(text.failed);
    assert_int_equal(text.size, 2000);
    assert_memory_equal(text.data, "0,1,2,3,", 8);
    pt_text_fini(&text);
    assert_null(text.data);
}

static void text_takes_exactly_its_bound(void **state)
{
    (void)state;
    pt_text text;
    pt_text_init(&text, &pt_malloc_allocator, 4);
    pt_text_add(&text, "abcd", 4);
    assert_false(text.failed);
    pt_text_add(&text, "", 0);
    assert_false(text.failed);
    pt_text_add(&text, "e", 1);
    assert_true(text.failed);
    assert_string_equal(text.data, "abcd");
    pt_text_fini(&text);
}

static void text_after_a_failure_ignores_appends(void **state)
{
    (void)state;
    pt_text text;
    pt_text_init(&text, &pt_malloc_allocator, 4);
    pt_text_printf(&text, "%s", "too long");
    assert_true(text.failed);
    pt_text_add(&text, "a", 1);
    pt_text_printf(&text, "b");
    assert_int_equal(text.size, 0);
    pt_text_fini(&text);
}

static patio_status build_text(const patio_allocator *mem, void *arg)
{
    (void)arg;
    pt_text text;
    pt_text_init(&text, mem, 100000);
    for (int i = 0; i < 100; i++) {
        pt_text_printf(&text, "line %d of many\n", i);
    }
    patio_status status = text.failed ? PATIO_NO_MEMORY : PATIO_OK;
    pt_text_fini(&text);
    return status;
}

static void text_survives_every_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(build_text, NULL) > 3);
}

static const char *nearest(const char *wanted, const char *const *candidates)
{
    pt_near near;
    pt_near_init(&near, wanted);
    for (; *candidates != NULL; candidates++) {
        pt_near_try(&near, *candidates);
    }
    return near.best;
}

static void near_names_are_found_and_far_ones_are_not(void **state)
{
    (void)state;
    static const char *const names[] = {"executor", "executors", "broker", "log", "queue", NULL};
    static const struct {
        const char *wanted;
        const char *best;
    } rows[] = {
        {"exectuor", "executor"}, /* neighbours swapped cost one */
        {"executer", "executor"},
        {"executrs", "executors"},
        {"brokr", "broker"},
        {"brkoer", "broker"},
        {"lgo", "log"},
        {"qeueu", NULL},
        {"quee", "queue"},
        {"", NULL},
        {"completely_else", NULL},
        {"log", "log"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *best = nearest(rows[i].wanted, names);
        if (rows[i].best == NULL) {
            assert_null(best);
        } else {
            assert_non_null(best);
            assert_string_equal(best, rows[i].best);
        }
    }
}

static void very_long_names_get_no_suggestion(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1]         = '\0';
    const char *const candidates[] = {name, "a", NULL};
    assert_null(nearest(name, candidates));
    name[64] = '\0';
    assert_null(nearest(name, candidates));
    name[63] = '\0';
    assert_string_equal(nearest(name, candidates), name);
}

static void plain_names_have_few_characters_and_a_bound(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t      max;
        bool        good;
    } rows[] = {
        {"default", 128, true}, {"A-Z.a_z.0-9", 128, true}, {"", 128, false},
        {"a b", 128, false},    {"a/b", 128, false},        {"\xc3\xa4", 128, false},
        {"abcd", 4, true},      {"abcde", 4, false},        {"a\n", 128, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(pt_is_plain_name(rows[i].name, rows[i].max), rows[i].good);
    }
}

static void task_names_are_utf8_up_to_255_bytes(void **state)
{
    (void)state;
    char name[257];
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_false(pt_is_task_name(name));
    name[255] = '\0';
    assert_true(pt_is_task_name(name));
    assert_true(pt_is_task_name("\xc3\xa4pfel sch\xc3\xa4len"));
    assert_false(pt_is_task_name(""));
    assert_false(pt_is_task_name("a\tb"));
    assert_false(pt_is_task_name("a\x7f"));
    assert_false(pt_is_task_name("\xff"));
}

static void utf8_is_checked_by_rfc_3629(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool        good;
    } rows[] = {
        {"", true},
        {"plain", true},
        {"\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},  /* U+10FFFF */
        {"\xf4\x90\x80\x80", false}, /* above it */
        {"\xed\x9f\xbf", true},      /* U+D7FF */
        {"\xed\xa0\x80", false},     /* a surrogate */
        {"\xc0\x80", false},         /* overlong */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf5\x80\x80\x80", false},
        {"\x80", false}, /* a continuation alone */
        {"\xc3", false}, /* cut short */
        {"\xe2\x82", false},
        {"\xf0\x9f\x98", false},
        {"\xc3(", false},
        {"\xe2\x28\xa1", false},
        {"a\xff", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(pt_is_utf8(rows[i].text, strlen(rows[i].text)), rows[i].good);
    }
    assert_true(pt_is_utf8("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(text_takes_exactly_its_bound),
        cmocka_unit_test(text_after_a_failure_ignores_appends),
        cmocka_unit_test(text_survives_every_failed_allocation),
        cmocka_unit_test(near_names_are_found_and_far_ones_are_not),
        cmocka_unit_test(very_long_names_get_no_suggestion),
        cmocka_unit_test(plain_names_have_few_characters_and_a_bound),
        cmocka_unit_test(task_names_are_utf8_up_to_255_bytes),
        cmocka_unit_test(utf8_is_checked_by_rfc_3629),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
