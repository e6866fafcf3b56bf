/* When a URL is tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reconnect_world.h"

/* A round over all addresses of the name; how long it pauses then. */
static uint64_t fail_round(uint64_t random)
{
    random_now = random;
    paused_ms  = NONE;
    reconnect_now(&ep); /* nothing, if it has begun */
    found(&ep.found);
    while (ep.address_next < ep.address_count) {
        assert_int_equal(paused_ms, 0); /* of the next address */
        paused_ms = NONE;
        then(&ep.timer);
    }
    assert_int_not_equal(paused_ms, NONE);
    return paused_ms;
}

/* The longest pause there may be, for a pause is a random number of it and less. */
static uint64_t limit_of_round(void)
{
    endpoint before  = ep;
    uint64_t longest = 0;
    unknown          = true;
    for (uint64_t r = 0; r <= MAX_MS; r++) {
        ep              = before;
        uint64_t paused = fail_round(r);
        longest         = paused > longest ? paused : longest;
    }
    unknown = false;
    return longest;
}

static void the_pause_doubles_up_to_its_cap(void **state)
{
    (void)state;
    uint64_t expected = MIN_MS;
    for (int round = 1; round <= 10; round++) {
        assert_int_equal(limit_of_round(), expected);
        expected = 2 * expected < MAX_MS ? 2 * expected : MAX_MS;
    }
    assert_int_equal(expected, MAX_MS);
}

static void it_goes_on_for_ever(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        assert_in_range(fail_round((uint64_t)round * 48271u), 0, MAX_MS);
    }
    assert_int_equal(limit_of_round(), MAX_MS);
    ep.attempts = UINT32_MAX - 1; /* centuries later */
    assert_int_equal(limit_of_round(), MAX_MS);
}

/* Of many who lost the same server at once not two in a thousand come back in the same moment. */
static void pauses_are_spread_over_all_of_the_limit(void **state)
{
    (void)state;
    enum { MANY = 1000, PARTS = 10 };
    uint32_t share[PARTS] = {0};
    uint64_t random       = 1;
    for (int round = 0; round < 10; round++) {
        (void)fail_round(0);
    }
    for (int i = 0; i < MANY; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        share[fail_round(random >> 16) * PARTS / (MAX_MS + 1)]++;
    }
    for (int i = 0; i < PARTS; i++) {
        assert_in_range(share[i], MANY / PARTS / 2, MANY / PARTS * 2);
    }
}

/* And be lost again. */
static void succeed(void)
{
    conn c  = {.endpoint = &ep};
    ep.link = &c;
    reconnect_opened(&c);
    ep.link = NULL;
}

/* But not one that is over at once: else who opens and closes is tried without a pause. */
static void a_success_begins_anew(void **state)
{
    (void)state;
    uint64_t expected = MIN_MS;
    for (int link = 0; link < 10; link++) {
        (void)fail_round(0); /* nobody is there, which does not count then */
        succeed();
        clock_ns += UINT64_C(1000000000);
        assert_int_equal(limit_of_round(), expected);
        expected = 2 * expected < MAX_MS ? 2 * expected : MAX_MS;
        assert_int_equal(limit_of_round(), expected);
    }
    succeed();
    clock_ns += UINT64_C(4000000000); /* that was a good one */
    assert_int_equal(limit_of_round(), MIN_MS);
}

static void all_addresses_of_a_name_are_tried_and_it_is_looked_up_each_time(void **state)
{
    (void)state;
    for (uint32_t round = 1; round <= 5; round++) {
        (void)fail_round(0);
        assert_int_equal(lookups, round);
        assert_int_equal(tries, 2 * round);
    }
    (void)fail_round(0);
    succeed();
    (void)fail_round(0);
    assert_int_equal(lookups, 7); /* after a success, too */
}

/* Of a key or certificate that is not good only a person can make another: seldom, not never. */
static void a_refusal_is_tried_seldom(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 10000; random++) {
        patio_error why = {PATIO_SIZED(patio_error), .status = PATIO_AUTH};
        ep.address_next = ep.address_count;
        ep.attempts     = 0;
        random_now      = random * 7919;
        reconnect_later(&ep, &why);
        assert_in_range(paused_ms, MAX_MS - MAX_MS / 4, MAX_MS);
    }
    ep.was_open = true; /* it has worked: what fails now may heal */
    ep.refusal  = (patio_error)PATIO_ERROR_INIT;
    ep.attempts = 0;
    assert_int_equal(limit_of_round(), MIN_MS);
}

/* A first address that drops what is sent to it, as behind a filter. */
static void the_next_address_is_tried_beside_one_that_is_silent(void **state)
{
    (void)state;
    silent = true;
    found(&ep.found);
    assert_int_equal(tried_count, 1);
    assert_int_equal(paused_ms, 250);
    paused_ms = NONE;
    then(&ep.timer);
    assert_int_equal(tried_count, 2);
    assert_int_equal(paused_ms, NONE); /* there is no third */
    ep.link = &tried[1];
    reconnect_opened(&tried[1]);
    assert_ptr_equal(t.conns, &tried[1]); /* the other is closed */
    assert_null(tried[1].next);
    assert_int_equal(paused_ms, NONE);
    conn_close(&tried[1], PATIO_PEER_LOST, "");
    assert_in_range(paused_ms, 0, MIN_MS);
}

static void a_round_is_over_when_its_last_address_has_failed(void **state)
{
    (void)state;
    silent = true;
    found(&ep.found);
    conn_close(&tried[0], PATIO_UNREACHABLE, "");
    assert_int_equal(paused_ms, 0); /* nothing to wait for */
    paused_ms = NONE;
    then(&ep.timer);
    conn_close(&tried[1], PATIO_UNREACHABLE, "");
    assert_in_range(paused_ms, 1, MIN_MS);
    then(&ep.timer);
    assert_int_equal(lookups, 2);
    found(&ep.found);
    then(&ep.timer);
    assert_int_equal(tried_count, 4);
    paused_ms = NONE;
    conn_close(&tried[0], PATIO_UNREACHABLE, "");
    assert_int_equal(paused_ms, NONE); /* the other goes on */
    conn_close(&tried[1], PATIO_UNREACHABLE, "");
    assert_in_range(paused_ms, 1, 2 * MIN_MS);
}

static void these_are_the_defaults(void **state)
{
    (void)state;
    const char *min = "";
    const char *max = "";
    for (size_t i = 0; tcp_options[i] != NULL; i++) {
        const patio_option *o = tcp_options[i];
        min                   = strcmp(o->name, "reconnect_min_ms") == 0 ? o->fallback : min;
        max                   = strcmp(o->name, "reconnect_max_ms") == 0 ? o->fallback : max;
    }
    assert_string_equal(min, "100ms");
    assert_string_equal(max, "15s");
}

int main(void)
{
#define RECONNECT(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        RECONNECT(the_pause_doubles_up_to_its_cap),
        RECONNECT(it_goes_on_for_ever),
        RECONNECT(pauses_are_spread_over_all_of_the_limit),
        RECONNECT(a_success_begins_anew),
        RECONNECT(all_addresses_of_a_name_are_tried_and_it_is_looked_up_each_time),
        RECONNECT(a_refusal_is_tried_seldom),
        RECONNECT(the_next_address_is_tried_beside_one_that_is_silent),
        RECONNECT(a_round_is_over_when_its_last_address_has_failed),
        RECONNECT(these_are_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
