/* When a URL is tried again. reconnect.c from inside, with a loop whose timers and look-ups are in
 * the test's hands: nothing here waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tcp.h"

enum { MIN_MS = 100, MAX_MS = 15000 };
#define NONE UINT64_MAX

/* ---- what reconnect.c calls ---- */

static patio_transport t;
static endpoint        ep;
static uint64_t        random_now;
static uint64_t        paused_ms; /* until it is tried again; NONE: it is not */
static uv_timer_cb     then;
static bool            unknown; /* the name */
static uint32_t        lookups;
static uint32_t        tries; /* addresses that were gone to */

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms)
{
    assert_ptr_equal(timer, &ep.timer);
    assert_int_equal(repeat_ms, 0);
    paused_ms = timeout_ms;
    then      = cb;
    return 0;
}

/* A name that has two addresses, each time; nobody listens there. */
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *lookup, uv_getaddrinfo_cb cb,
                   const char *node, const char *service, const struct addrinfo *hints)
{
    static struct sockaddr_un nobody   = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
    struct addrinfo           found[2] = {{.ai_next = &found[1]}, {.ai_next = NULL}};
    (void)loop;
    (void)service;
    (void)hints;
    assert_string_equal(node, "a.name");
    for (int i = 0; i < 2; i++) {
        found[i].ai_addr    = (struct sockaddr *)&nobody;
        found[i].ai_addrlen = sizeof(nobody);
    }
    lookups++;
    cb(lookup, unknown ? UV_EAI_NONAME : 0, unknown ? NULL : found);
    return 0;
}

void uv_freeaddrinfo(struct addrinfo *found)
{
    (void)found;
}

const char *uv_strerror(int error)
{
    (void)error;
    return "";
}

bool loop_link(patio_transport *of, const patio_error *why)
{
    (void)of;
    (void)why;
    return true;
}

conn *conn_new(patio_transport *of, endpoint *from, int fd, const struct sockaddr *a, bool connects)
{
    (void)of;
    (void)from;
    (void)fd;
    (void)a;
    (void)connects;
    fail_msg("somebody listens at /nowhere/at/all");
    return NULL;
}

void conn_close(conn *c, patio_status status, const char *why)
{
    (void)c;
    (void)status;
    (void)why;
}

void secure_begin(conn *c)
{
    (void)c;
}

void secure_fini(endpoint *of)
{
    (void)of;
}

enum link_family links_family(const struct sockaddr *a)
{
    (void)a;
    tries++; /* it is asked for each address that fails */
    return LINK_UNIX;
}

static patio_status next_random(void *self, void *to, size_t size)
{
    (void)self;
    assert_int_equal(size, sizeof(random_now));
    memcpy(to, &random_now, sizeof(random_now));
    return PATIO_OK;
}

static uint64_t no_time(void *self)
{
    (void)self;
    return 1;
}

static int32_t no_log(void *self, int32_t level)
{
    (void)self;
    (void)level;
    return 0;
}

/* ---- the test's side ---- */

static int begin(void **state)
{
    static const patio_host host = {.random = next_random, .now_ns = no_time, .log_on = no_log};
    (void)state;
    memset(&t, 0, sizeof(t));
    memset(&ep, 0, sizeof(ep));
    (void)pthread_mutex_init(&t.lock, NULL);
    t.host                 = &host;
    t.set.reconnect_min_ms = MIN_MS;
    t.set.reconnect_max_ms = MAX_MS;
    ep.t                   = &t;
    ep.timer.data          = &ep;
    ep.keys[0]             = (char *)(uintptr_t) "";
    (void)snprintf(ep.host, sizeof(ep.host), "a.name");
    lookups = 0;
    tries   = 0;
    return 0;
}

/* A round over all addresses of the name; how long it pauses then. */
static uint64_t fail_round(uint64_t random)
{
    random_now = random;
    paused_ms  = NONE;
    reconnect_now(&ep);
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

static void a_success_begins_anew(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        (void)fail_round(0);
    }
    assert_int_equal(limit_of_round(), MAX_MS);
    reconnect_opened(&ep);
    assert_int_equal(limit_of_round(), MIN_MS);
    assert_int_equal(limit_of_round(), 2 * MIN_MS);
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
    reconnect_opened(&ep);
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
        RECONNECT(these_are_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
