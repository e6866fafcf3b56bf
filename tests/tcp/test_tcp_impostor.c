/* Who listens is not who it should be, or not in its right mind: who connects shows it nothing
 * before it has proved the key, stays small, and works with the honest one as soon as that is back.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "place.h"
#include "raw_bodies.h"
#include "raw_listener.h"
#include "raw_peer.h"
#include "tcp.h"
#include "tcp_world.h"

#define KEY "open-sesame"

enum { GROWTH_BYTES = 64 * 1024 * 1024, HANDSHAKE_MS = 500 };

static place    at;
static place    own; /* where the worker listens, too */
static pid_t    worker;
static uint64_t before;
static int      listening = -1;
static uint8_t  body[FRAME_BODY_MAX + 64];

/* The honest one listens, and the worker does what it asks. */
static void expect_honest(void)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_broker      *honest  = open_quiet_broker(NULL, at.listen_url, "1");
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 10000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    assert_non_null(honest);
    if (patio_call(honest, "mul", PATIO_ARGS(6, 7), &options, &f, &err) != PATIO_OK) {
        fail_msg("the honest one is not served: %s", err.message);
    }
    assert_int_equal(patio_future_value(f)->as.i64, 42);
    patio_future_destroy(f);
    patio_broker_destroy(honest);
}

/* A worker that has worked with the honest one, in whose place an impostor is now. */
static void begin_with(int handshake_ms)
{
    char connects[96];
    (void)snprintf(connects, sizeof(connects),
                   "key=" KEY "&handshake_ms=%d&reconnect_min_ms=1&reconnect_max_ms=5",
                   handshake_ms);
    place_make(&at, "unix", "key=" KEY, connects);
    place_make(&own, "unix", "key=" KEY, "");
    worker = worker_begin((const char *const[]){at.connect_url, own.listen_url, NULL});
    expect_honest();
    before    = worker_resident_bytes(worker);
    listening = raw_listen(at.path);
}

static int begin(void **state)
{
    (void)state;
    begin_with(20000); /* it is not the clock that ends it */
    return 0;
}

static int begin_hasty(void **state)
{
    (void)state;
    begin_with(HANDSHAKE_MS);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (listening >= 0) {
        (void)close(listening);
        listening = -1;
    }
    worker_end(worker);
    return 0;
}

static void expect_unharmed(void)
{
    (void)close(listening);
    listening = -1;
    (void)unlink(at.path);
    assert_int_equal(waitpid(worker, NULL, WNOHANG), 0);
    uint64_t now = worker_resident_bytes(worker);
    if (now > before + GROWTH_BYTES) {
        fail_msg("the worker has grown by %llu KiB", (unsigned long long)(now - before) / 1024);
    }
    expect_honest();
}

static void expect_kept_out(int fd)
{
    if (!raw_kept_out(fd)) {
        fail_msg("the worker went on without the proof");
    }
    (void)close(fd);
}

static void a_replayed_opening_is_refused(void **state)
{
    (void)state;
    raw_opening first;
    raw_opening again;
    (void)close(raw_let_in(listening, KEY, &first));
    int fd = raw_accept(listening);
    raw_greeted(fd, &again, KEY);
    assert_memory_not_equal(again.theirs, first.theirs, sizeof(first.theirs)); /* a fresh nonce */
    assert_true(raw_frame(fd, FRAME_HELLO, 0, first.own, sizeof(first.own)));
    assert_true(raw_frame(fd, FRAME_AUTH, 0, first.proof, sizeof(first.proof)));
    (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
    expect_kept_out(fd);
    expect_unharmed();
}

static void without_a_proof_there_is_no_welcome(void **state)
{
    (void)state;
    static const uint8_t nothing[FRAME_MAC_BYTES];
    raw_opening          o;
    uint8_t              keyless[FRAME_HELLO_BYTES];
    raw_hello_listens(keyless, "");
    for (int way = 0; way < 4; way++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, KEY);
        if (way == 0) { /* WELCOME and nothing else */
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        } else if (way == 1) { /* instead of the proof */
            (void)raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own));
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        } else if (way == 2) { /* it says that it needs none */
            (void)raw_frame(fd, FRAME_HELLO, 0, keyless, sizeof(keyless));
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        } else { /* a proof of nothing */
            (void)raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own));
            (void)raw_frame(fd, FRAME_AUTH, 0, nothing, sizeof(nothing));
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        }
        expect_kept_out(fd);
    }
    expect_unharmed();
}

/* It has the worker itself prove, at the socket where the worker listens. */
static void what_the_worker_proves_elsewhere_is_no_proof(void **state)
{
    (void)state;
    raw_opening  o;
    frame_header h;
    int          fd = raw_accept(listening);
    raw_greeted(fd, &o, KEY);
    int other = raw_connect(own.path);
    frame_put64(o.theirs + 16, 4711); /* its own incarnation it would not talk to */
    assert_true(raw_frame(other, FRAME_HELLO, 0, o.theirs, sizeof(o.theirs)));
    assert_true(raw_read(other, &h, body) && h.type == FRAME_HELLO);
    memcpy(o.own, body, sizeof(o.own));
    assert_true(raw_read(other, &h, body) && h.type == FRAME_AUTH);
    frame_put64(o.own + 16, 4712);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own)));
    assert_true(raw_frame(fd, FRAME_AUTH, 0, body, h.size));
    expect_kept_out(fd);
    (void)close(other);
    expect_unharmed();
}

/* Its own HELLO comes back: as it is, and as that of a listener. A stranger may not make it believe
 * for ever that the address is its own. */
static void what_it_says_itself_is_not_taken(void **state)
{
    (void)state;
    raw_opening o;
    for (int listens = 0; listens < 2; listens++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, KEY);
        o.theirs[8] = listens != 0 ? 0 : o.theirs[8];
        (void)raw_frame(fd, FRAME_HELLO, 0, o.theirs, sizeof(o.theirs));
        expect_kept_out(fd);
    }
    for (uint64_t reason = 0; reason <= GOODBYE_ALLOW + 1; reason++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, KEY);
        (void)raw_frame(fd, FRAME_GOODBYE, reason, NULL, 0);
        expect_kept_out(fd);
    }
    expect_unharmed();
}

static void every_truncation_of_the_opening_is_survived(void **state)
{
    (void)state;
    raw_opening o;
    uint8_t     whole[2 * FRAME_HEADER_BYTES + FRAME_HELLO_BYTES + FRAME_MAC_BYTES];
    for (size_t cut = 0; cut < sizeof(whole); cut++) {
        frame_header hello = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
        frame_header auth  = {.size = FRAME_MAC_BYTES, .type = FRAME_AUTH};
        int          fd    = raw_accept(listening);
        raw_greeted(fd, &o, KEY);
        frame_put_header(whole, &hello);
        memcpy(whole + FRAME_HEADER_BYTES, o.own, sizeof(o.own));
        frame_put_header(whole + FRAME_HEADER_BYTES + FRAME_HELLO_BYTES, &auth);
        memcpy(whole + 2 * FRAME_HEADER_BYTES + FRAME_HELLO_BYTES, o.proof, sizeof(o.proof));
        assert_true(raw_send(fd, whole, cut));
        (void)shutdown(fd, SHUT_WR);
        expect_kept_out(fd);
    }
    for (size_t cut = 0; cut < FRAME_HELLO_BYTES; cut++) { /* whole frames, too short inside */
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, KEY);
        (void)raw_frame(fd, FRAME_HELLO, 0, o.own, cut < FRAME_MAC_BYTES ? sizeof(o.own) : cut);
        (void)raw_frame(fd, FRAME_AUTH, 0, o.proof, cut < FRAME_MAC_BYTES ? cut : sizeof(o.proof));
        expect_kept_out(fd);
    }
    expect_unharmed();
}

/* One that has the key is let in, and lets the worker down then. */
static void every_truncation_of_every_frame_is_refused(void **state)
{
    (void)state;
    raw_opening o;
    uint8_t     whole[RAW_BODY_ROOM];
    for (uint8_t type = FRAME_ANNOUNCE; type <= FRAME_ANSWER; type++) {
        size_t size = raw_whole_body(type, whole);
        for (size_t cut = 0; cut < raw_body_needs(type); cut++) {
            int fd = raw_let_in(listening, KEY, &o);
            (void)raw_frame(fd, type, 1, whole, cut);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
        for (size_t cut = 0; cut < FRAME_HEADER_BYTES + size; cut++) { /* the stream ends in it */
            frame_header h  = {.size = (uint32_t)size, .type = type, .id = 1};
            int          fd = raw_let_in(listening, KEY, &o);
            frame_put_header(body, &h);
            memcpy(body + FRAME_HEADER_BYTES, whole, size);
            assert_true(raw_send(fd, body, cut));
            (void)shutdown(fd, SHUT_WR);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
    }
    expect_unharmed();
}

static void huge_lengths_are_refused(void **state)
{
    (void)state;
    static const uint32_t sizes[]  = {FRAME_OPENING_MAX + 1, FRAME_BODY_MAX, FRAME_BODY_MAX + 1,
                                      UINT32_MAX};
    static const uint32_t totals[] = {UINT32_MAX, 17 * 1024 * 1024};
    raw_opening           o;
    for (size_t i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        frame_header h  = {.size = sizes[i / 4], .type = (uint8_t)(FRAME_HELLO + i % 4)};
        int          fd = raw_accept(listening);
        raw_greeted(fd, &o, KEY);
        if (h.type != FRAME_HELLO) {
            assert_true(raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own)));
        }
        frame_put_header(body, &h);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES)); /* refused before more has come */
        expect_kept_out(fd);
    }
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) { /* from one with the key */
        frame_header h  = {.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 1};
        int          fd = raw_let_in(listening, KEY, &o);
        frame_put_header(body, &h);
        frame_put32(body + FRAME_HEADER_BYTES, totals[i]);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES + 4));
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    expect_unharmed();
}

static void noise_does_no_harm(void **state)
{
    (void)state;
    raw_opening o;
    uint32_t    seed = 1;
    for (int i = 0; i < 200; i++) {
        bool   inside = i % 4 == 3;
        int    fd     = inside ? raw_let_in(listening, KEY, &o) : raw_accept(listening);
        size_t size   = raw_random(&seed) % 5000 + FRAME_HEADER_BYTES;
        raw_noise(&seed, body, size);
        if (i % 2 == 0) { /* a header that could be one */
            frame_header h = {.size = 64, .type = (uint8_t)(raw_random(&seed) % 16)};
            frame_put_header(body, &h);
        }
        (void)raw_send(fd, body, size);
        (void)shutdown(fd, SHUT_WR);
        assert_true(inside ? raw_closed(fd) : raw_kept_out(fd));
        (void)close(fd);
    }
    expect_unharmed();
}

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Says nothing, or a byte now and then. */
static void a_slow_one_is_given_up_in_time(void **state)
{
    (void)state;
    raw_opening o;
    for (int drip = 0; drip < 2; drip++) {
        int     fd    = raw_accept(listening);
        int64_t begun = now_ms();
        raw_greeted(fd, &o, KEY);
        frame_header h = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
        frame_put_header(body, &h);
        memcpy(body + FRAME_HEADER_BYTES, o.own, sizeof(o.own));
        for (size_t k = 0; drip != 0 && k < FRAME_HEADER_BYTES + sizeof(o.own); k++) {
            if (!raw_send(fd, body + k, 1)) {
                break;
            }
            usleep(20 * 1000); /* the drip itself is what is tested */
        }
        expect_kept_out(fd);
        assert_in_range(now_ms() - begun, 0, HANDSHAKE_MS + 4000);
    }
    expect_unharmed();
}

int main(void)
{
#define IMPOSTOR(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        IMPOSTOR(a_replayed_opening_is_refused),
        IMPOSTOR(without_a_proof_there_is_no_welcome),
        IMPOSTOR(what_the_worker_proves_elsewhere_is_no_proof),
        IMPOSTOR(what_it_says_itself_is_not_taken),
        IMPOSTOR(every_truncation_of_the_opening_is_survived),
        IMPOSTOR(every_truncation_of_every_frame_is_refused),
        IMPOSTOR(huge_lengths_are_refused),
        IMPOSTOR(noise_does_no_harm),
        cmocka_unit_test_setup_teardown(a_slow_one_is_given_up_in_time, begin_hasty, finish),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
