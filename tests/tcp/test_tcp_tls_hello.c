/* A ClientHello is whole in one record, whatever parts it comes in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls_hello.h"

enum { HELLO = 1, CERTIFICATE = 11, CHANGE = 20, HANDSHAKE = 22, DATA = 23 };

static uint8_t bytes[40000];
static size_t  count;

static int begin(void **state)
{
    (void)state;
    count = 0;
    return 0;
}

static void record(uint8_t type, size_t body)
{
    const uint8_t head[] = {type, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};
    memcpy(bytes + count, head, sizeof(head));
    memset(bytes + count + sizeof(head), HELLO, body);
    count += sizeof(head) + body;
}

/* In a record of its own, which may hold another number of bytes than it announces. */
static void message(uint8_t type, size_t announced, size_t held)
{
    const uint8_t head[] = {type, (uint8_t)(announced >> 16), (uint8_t)(announced >> 8),
                            (uint8_t)announced};
    record(HANDSHAKE, sizeof(head) + held);
    memcpy(bytes + count - held - sizeof(head), head, sizeof(head));
}

/* The same in parts of each size. */
static void expect(bool fits)
{
    for (size_t part = 1; part <= count; part += part < 20 ? 1 : 997) {
        tls_hello h  = {0};
        bool      on = true;
        for (size_t at = 0; at < count && on; at += part) {
            on = tls_hello_fits(&h, bytes + at, count - at < part ? count - at : part);
        }
        assert_int_equal(on, fits);
    }
}

static void one_that_is_whole_fits(void **state)
{
    (void)state;
    message(HELLO, 16000, 16000);
    record(CHANGE, 1);
    message(HELLO, 300, 300); /* after a HelloRetryRequest */
    record(CHANGE, 1);
    record(DATA, 100);
    expect(true);
}

static void what_follows_another_message_is_not_looked_at(void **state)
{
    (void)state;
    message(HELLO, 300, 300);
    message(CERTIFICATE, 60000, 5000); /* TLS 1.2 */
    record(HANDSHAKE, 2);
    expect(true);
}

static void one_that_announces_more_does_not_fit(void **state)
{
    (void)state;
    message(HELLO, 131000, 16000);
    expect(false);
}

static void one_whose_head_is_divided_does_not_fit(void **state)
{
    (void)state;
    record(HANDSHAKE, 1);
    record(HANDSHAKE, 300);
    expect(false);
}

static void the_second_one_is_looked_at_as_well(void **state)
{
    (void)state;
    message(HELLO, 300, 300);
    record(CHANGE, 1);
    record(DATA, 100); /* early data, which is thrown away */
    message(HELLO, 131000, 100);
    expect(false);
}

static void one_with_something_behind_it_does_not_fit(void **state)
{
    (void)state;
    message(HELLO, 300, 304);
    expect(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_is_whole_fits, begin),
        cmocka_unit_test_setup(what_follows_another_message_is_not_looked_at, begin),
        cmocka_unit_test_setup(one_that_announces_more_does_not_fit, begin),
        cmocka_unit_test_setup(one_whose_head_is_divided_does_not_fit, begin),
        cmocka_unit_test_setup(the_second_one_is_looked_at_as_well, begin),
        cmocka_unit_test_setup(one_with_something_behind_it_does_not_fit, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
