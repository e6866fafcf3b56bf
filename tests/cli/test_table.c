/* Tables for people: what strangers put into them does nothing to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "table.h"

static void control_characters_are_shown_as_nothing_else(void **state)
{
    (void)state;
    char      text[256];
    int       pipes[2];
    cli_table table = {0};
    CLI_ROW(&table, "TASK", "ERROR");
    CLI_ROW(&table, "a\x1b[2Jb\x7f", "two\nlines \xc2\x9b caf\xc3\xa9");
    CLI_ROW(&table, NULL, "\xc2");
    assert_int_equal(pipe(pipes), 0);
    int old = dup(STDOUT_FILENO);
    (void)fflush(stdout);
    (void)dup2(pipes[1], STDOUT_FILENO);
    cli_table_print(&table, "");
    (void)fflush(stdout);
    (void)dup2(old, STDOUT_FILENO);
    (void)close(old);
    (void)close(pipes[1]);
    ssize_t got = read(pipes[0], text, sizeof(text) - 1);
    (void)close(pipes[0]);
    assert_true(got > 0);
    text[got] = '\0';
    assert_non_null(strstr(text, "a?[2Jb?  two lines ?"));
    assert_non_null(strstr(text, " caf\xc3\xa9\n"));
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\x7f'));
    assert_null(strstr(text, "\xc2\x9b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_shown_as_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
