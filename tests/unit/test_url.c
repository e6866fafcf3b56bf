#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/url.h"
#include "failing_alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void parse_ok(const char *text, pt_url *url)
{
    patio_error  err    = PATIO_ERROR_INIT;
    patio_status status = pt_url_parse(&pt_malloc_allocator, text, url, &err);
    if (status != PATIO_OK) {
        fail_msg("%s: %s", text, err.message);
    }
}

static void every_part_is_found_and_decoded(void **state)
{
    (void)state;
    pt_url url;
    parse_ok("AMQP+x://me%3a:p%40ss%2Fw:%25@h1:1,h2,[::1]:65535/a%2Fb/c?max_x=1%262&y=", &url);
    assert_string_equal(url.scheme, "amqp+x");
    assert_string_equal(url.plugin, "amqp");
    assert_string_equal(url.user, "me:");
    assert_string_equal(url.password, "p@ss/w:%");
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.hosts[0].host, "h1");
    assert_int_equal(url.hosts[0].port, 1);
    assert_string_equal(url.hosts[1].host, "h2");
    assert_int_equal(url.hosts[1].port, 0);
    assert_string_equal(url.hosts[2].host, "::1");
    assert_int_equal(url.hosts[2].port, 65535);
    assert_string_equal(url.path, "/a/b/c");
    assert_int_equal(url.query_count, 2);
    assert_string_equal(url.query[0].key, "max_x");
    assert_string_equal(url.query[0].value, "1&2");
    assert_string_equal(url.query[0].origin, "the URL");
    assert_string_equal(url.query[1].key, "y");
    assert_string_equal(url.query[1].value, "");
    assert_string_equal(url.shown, "amqp+x://me%3a:***@h1:1,h2,[::1]:65535/a%2Fb/c?max_x=1%262&y=");
    pt_url_fini(&url);
    assert_null(url.password);
    pt_url_fini(&url);
}

static void absent_parts_are_empty_texts(void **state)
{
    (void)state;
    pt_url url;
    parse_ok("memory://", &url);
    assert_string_equal(url.plugin, "memory");
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "");
    assert_int_equal(url.host_count, 1);
    assert_string_equal(url.hosts[0].host, "");
    assert_int_equal(url.hosts[0].port, 0);
    assert_string_equal(url.path, "");
    assert_int_equal(url.query_count, 0);
    assert_string_equal(url.shown, "memory://");
    pt_url_fini(&url);
}

static void schemes_lead_to_plugins(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *plugin;
    } rows[] = {
        {"tcp://h", "tcp"},        {"tcp+listen://h", "tcp"}, {"tls://h", "tcp"},
        {"tls+listen://h", "tcp"}, {"unix:///run/p", "tcp"},  {"unix+listen:///p", "tcp"},
        {"amqps://h", "amqp"},     {"rediss://h", "redis"},   {"redis://h", "redis"},
        {"my_mq2://h", "my_mq2"},  {"TLS://h", "tcp"},        {"tlsx://h", "tlsx"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        pt_url url;
        parse_ok(rows[i].text, &url);
        assert_string_equal(url.plugin, rows[i].plugin);
        pt_url_fini(&url);
    }
}

static void one_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint32_t    port;
    } rows[] = {
        {"tcp://h:7000", "h", 7000},
        {"tcp://:7000", "", 7000},
        {"tcp://u@h/", "h", 0},
        {"tcp://10.0.0.1:1/", "10.0.0.1", 1},
        {"tcp://[fe80::1%25eth0]:2", "fe80::1%eth0", 2},
        {"tcp://[::ffff:1.2.3.4]", "::ffff:1.2.3.4", 0},
        {"tcp://h:00080", "h", 80},
        {"tcp://b%C3%BCro?x=1", "b\xc3\xbcro", 0},
        {"tcp://b\xc3\xbcro:3", "b\xc3\xbcro", 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        pt_url url;
        parse_ok(rows[i].text, &url);
        assert_int_equal(url.host_count, 1);
        assert_string_equal(url.hosts[0].host, rows[i].host);
        assert_int_equal(url.hosts[0].port, rows[i].port);
        pt_url_fini(&url);
    }
}

static void secrets_are_never_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        {"redis://:hunter2@h", "redis://:***@h"},
        {"redis://me@h", "redis://me@h"},
        {"tcp://u:@h", "tcp://u:***@h"},
        {"tcp://h?password=hunter2", "tcp://h?password=***"},
        {"tcp://h?a=b&auth_token=hunter2&c=d", "tcp://h?a=b&auth_token=***&c=d"},
        {"tcp://h?client_secret=&key=hunter2", "tcp://h?client_secret=***&key=***"},
        {"tcp://h?passphrase=hunter2", "tcp://h?passphrase=***"},
        {"TCP://h/p%0Ax?y=%1b[31m", "tcp://h/p%0Ax?y=%1b[31m"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        pt_url url;
        parse_ok(rows[i].text, &url);
        assert_string_equal(url.shown, rows[i].shown);
        pt_url_fini(&url);
    }
}

static void assert_refused(const char *text, const char *why)
{
    pt_url       url;
    patio_error  err    = PATIO_ERROR_INIT;
    patio_status status = pt_url_parse(&pt_malloc_allocator, text, &url, &err);
    if (status != PATIO_CONFIG || err.status != PATIO_CONFIG) {
        fail_msg("%.60s: status %d", text, status);
    }
    if (strstr(err.message, why) == NULL) {
        fail_msg("%.60s: \"%s\" lacks \"%s\"", text, err.message, why);
    }
    assert_string_equal(err.origin, "config");
    assert_null(strstr(err.message, "hunter"));
    assert_null(url.texts);
    pt_url_fini(&url);
}

static void bad_urls_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "a scheme and \"://\" are missing; write it like tcp://host:port (byte 1)"},
        {"localhost:7000", "\"://\" are missing"},
        {"tcp:/h", "(byte 4)"},
        {"://h", "\"://\" are missing"},
        {"1tcp://h", "scheme \"1tcp\" does not name a transport"},
        {"tcp+://h", "scheme \"tcp+\" does not name"},
        {"+listen://h", "scheme \"+listen\" does not name"},
        {"a-b://h", "scheme \"a-b\" does not name"},
        {"tcp://h:0", "port is not a number from 1 to 65535 (byte 9)"},
        {"tcp://h:65536", "port is not a number"},
        {"tcp://h:99999999999999999999", "port is not a number"},
        {"tcp://h:", "port is not a number"},
        {"tcp://h:7x", "port is not a number"},
        {"tcp://h:-1", "port is not a number"},
        {"tcp://::1", "IPv6 address must stand in brackets"},
        {"tcp://[::1", "\"[\" has no \"]\" (byte 7)"},
        {"tcp://[::1]7", "only a port may follow"},
        {"tcp://[]", "not an IPv6 address"},
        {"tcp://[1.2.3.4]", "not an IPv6 address"},
        {"tcp://[fe80::1%25]", "not an IPv6 address"},
        {"tcp://[0000000000000000000000000000000000000000000000000000::]", "not an IPv6 address"},
        {"tcp://a,,b", "a list of hosts has an empty one"},
        {"tcp://a,", "a list of hosts has an empty one"},
        {"tcp://,:1", "a list of hosts has an empty one"},
        {"tcp://a%2fb", "a character that no host has"},
        {"tcp://a%0ab", "a character that no host has"},
        {"tcp://a\"b", "a character that no host has"},
        {"tcp://h/a b", "white space and control characters must be written as %XX (byte 10)"},
        {"tcp://h/a\nb", "white space"},
        {"tcp://h/\x7f", "white space"},
        {"tcp://h/%", "\"%\" must be followed by two hex digits"},
        {"tcp://h/%4", "\"%\" must be followed by two hex digits"},
        {"tcp://h/%zz", "\"%\" must be followed by two hex digits"},
        {"tcp://h/%00", "and not by 00"},
        {"tcp://h/#x", "\"#\" must be written as %23"},
        {"tcp://h/\xff", "not UTF-8"},
        {"tcp://h?x", "an option is written as name=value"},
        {"tcp://h?x=1&&y=2", "an option is written as name=value"},
        {"tcp://h?x=1&", "an option is missing after \"&\""},
        {"tcp://h?=1", "the name of an option has a-z, 0-9 and _ only"},
        {"tcp://h?X=1", "the name of an option"},
        {"tcp://h?a.b=1", "the name of an option"},
        {"tcp://h?x=1&x=2", "option x is given twice"},
        {"tcp://u:a@b@h", "\"@\" must be written as %40"},
        /* passwords that were not encoded must not show up in the error */
        {"tcp://u:hunter/2@h", "in a user or password \"/\" as %2F and \"?\" as %3F"},
        {"tcp://u:hunter?2@h", "\"@\" must be written as %40"},
        {"tcp://u:123/hunter@h", "\"@\" must be written as %40"},
        {"tcp://u:1?hunter=hunter@h", "\"@\" must be written as %40"},
        {"tcp://u:hunter#@h", "\"#\" must be written as %23"},
        {"tcp://u:hunter %@h", "white space"},
        {"tcp://u:hunter%@h", "two hex digits"},
        {"tcp://u:hunter", "port is not a number"},
        {"tcp://u:hunter@h:hunter", "port is not a number"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(rows[i].text, rows[i].why);
    }
}

static void the_length_is_bounded(void **state)
{
    (void)state;
    pt_url url;
    char  *text = malloc(PT_URL_MAX_BYTES + 2);
    assert_non_null(text);
    memset(text, 'a', PT_URL_MAX_BYTES + 1);
    text[PT_URL_MAX_BYTES + 1] = '\0';
    memcpy(text, "tcp://h/", 8);
    assert_refused(text, "longer than 8192 bytes");
    text[PT_URL_MAX_BYTES] = '\0';
    parse_ok(text, &url);
    assert_int_equal(strlen(url.path), PT_URL_MAX_BYTES - 7);
    pt_url_fini(&url);
    free(text);
}

static void a_host_is_at_most_255_bytes(void **state)
{
    (void)state;
    char text[300] = "tcp://";
    memset(text + 6, 'h', 256);
    assert_refused(text, "longer than 255 bytes");
    text[6 + 255] = '\0';
    pt_url url;
    parse_ok(text, &url);
    pt_url_fini(&url);
}

/* What takes most room in the block of texts: nothing but separators. */
static void thousands_of_hosts_and_options_fit(void **state)
{
    (void)state;
    char   text[PT_URL_MAX_BYTES + 1] = "a://h";
    size_t used                       = strlen(text);
    pt_url url;
    for (; used + 2 < sizeof(text); used += 2) {
        memcpy(text + used, ",h", 3);
    }
    parse_ok(text, &url);
    assert_int_equal(url.host_count, (strlen(text) - 3) / 2);
    pt_url_fini(&url);

    used = (size_t)snprintf(text, sizeof(text), "a://?");
    for (int i = 0; used + 16 < sizeof(text); i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%skey%d=", i > 0 ? "&" : "", i);
    }
    parse_ok(text, &url);
    assert_true(url.query_count > 800);
    assert_string_equal(url.query[800].key, "key800");
    assert_non_null(strstr(url.shown, "&key800=***&"));
    pt_url_fini(&url);
}

static void errors_may_be_ignored(void **state)
{
    (void)state;
    pt_url url;
    assert_int_equal(pt_url_parse(&pt_malloc_allocator, "x", &url, NULL), PATIO_CONFIG);
    assert_int_equal(pt_url_parse(&pt_malloc_allocator, "tcp://h:x", &url, NULL), PATIO_CONFIG);
}

static patio_status parse_and_drop(const patio_allocator *mem, void *arg)
{
    pt_url       url;
    patio_status status = pt_url_parse(mem, arg, &url, NULL);
    pt_url_fini(&url);
    return status;
}

static void parsing_survives_every_failed_allocation(void **state)
{
    (void)state;
    char text[] = "tcp://u:p@a:1,b:2/p?x=1&y=2";
    assert_int_equal(fail_each_allocation(parse_and_drop, text), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_found_and_decoded),
        cmocka_unit_test(absent_parts_are_empty_texts),
        cmocka_unit_test(schemes_lead_to_plugins),
        cmocka_unit_test(one_host_and_port),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(bad_urls_are_refused_with_a_reason),
        cmocka_unit_test(the_length_is_bounded),
        cmocka_unit_test(a_host_is_at_most_255_bytes),
        cmocka_unit_test(thousands_of_hosts_and_options_fit),
        cmocka_unit_test(errors_may_be_ignored),
        cmocka_unit_test(parsing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
