/* Peers that are not honest: the honest ones keep their service, and memory stays bounded. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "frame_ask.h"
#include "raw_peer.h"
#include "tcp_world.h"

#define KEY "open-sesame"

enum { GROWTH_BYTES = 96 * 1024 * 1024 }; /* a sanitizer keeps what was freed for a while */

static char          path[64];
static char          urls[2][160];
static pid_t         worker;
static patio_broker *honest;
static uint8_t       body[FRAME_BODY_MAX + 64];

static void serve(const char *options)
{
    char        url[256];
    char        own[256];
    patio_error err = PATIO_ERROR_INIT;
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?%s", path, options);
    (void)snprintf(own, sizeof(own), "unix://%s?key=" KEY, path);
    worker = worker_begin((const char *const[]){url, NULL});
    int fd = raw_connect(path);
    (void)close(fd);
    if (patio_broker_open(NULL, own, &honest, &err) != PATIO_OK ||
        patio_broker_start(honest, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
}

static void expect_service(void)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 5000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    patio_status       st      = patio_call(honest, "mul", PATIO_ARGS(6, 7), &options, &f, &err);
    if (st != PATIO_OK || patio_future_value(f)->as.i64 != 42) {
        fail_msg("the honest peer is not served: %s", err.message);
    }
    patio_future_destroy(f);
}

static int end_service(void **state)
{
    (void)state;
    patio_broker_destroy(honest);
    honest = NULL;
    if (worker > 0) {
        worker_end(worker);
    }
    worker = 0;
    return 0;
}

static void expect_alive(uint64_t before)
{
    expect_service();
    assert_int_equal(waitpid(worker, NULL, WNOHANG), 0);
    uint64_t now = worker_resident_bytes(worker);
    if (now > before + GROWTH_BYTES) {
        fail_msg("the worker has grown by %llu KiB", (unsigned long long)(now - before) / 1024);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    serve("key=" KEY);
    uint64_t before = worker_resident_bytes(worker);
    uint32_t seed   = 1;
    for (int i = 0; i < 300; i++) {
        int    fd   = i % 2 == 0 ? raw_connect(path) : raw_open(path, KEY, NULL);
        size_t size = next_random(&seed) % 3000;
        for (size_t k = 0; k < size; k++) {
            body[k] = (uint8_t)next_random(&seed);
        }
        if (i % 3 == 0 && size > 16) { /* a header that could be one */
            frame_header h = {.size = 24, .type = (uint8_t)(next_random(&seed) % 16)};
            frame_put_header(body, &h);
        }
        (void)raw_send(fd, body, size);
        (void)close(fd);
    }
    expect_alive(before);
}

/* A well-formed body of each type that may be sent once both sides are open. */
static size_t whole_body(uint8_t type, uint8_t *to)
{
    frame_settle s      = {.verdict = PATIO_ACK, .cause = {(const uint8_t *)"why", 3}};
    frame_ask    ask    = {.what       = ASK_COUNTS,
                           .flags      = ASK_RELAY,
                           .timeout_ms = 1000,
                           .origin     = 1,
                           .number     = 1,
                           .queue      = "default"};
    frame_answer answer = {
        .what = ASK_COUNTS, .flags = ANSWER_LAST, .rows = {(const uint8_t *)"why", 3}};
    switch (type) {
    case FRAME_ANNOUNCE:
        return raw_announce(to, "mul", 3);
    case FRAME_PUBLISH:
        return raw_publish(to, 1, "mul", 20);
    case FRAME_SETTLE:
        frame_put_settle(to, &s);
        memcpy(to + FRAME_SETTLE_BYTES, "why", 3);
        return FRAME_SETTLE_BYTES + 3;
    case FRAME_ASK:
        return frame_put_ask(to, &ask);
    case FRAME_ANSWER:
        frame_put_answer(to, &answer);
        memcpy(to + FRAME_ANSWER_BYTES, "why", 3);
        return FRAME_ANSWER_BYTES + 3;
    case FRAME_CANCEL:
        return 16;
    case FRAME_CANCELLED:
        return 20;
    case FRAME_NOTIFY:
        return 8;
    default:
        return 0;
    }
}

static void every_truncation_of_every_frame_is_survived(void **state)
{
    (void)state;
    uint8_t whole[256];
    serve("key=" KEY);
    uint64_t before = worker_resident_bytes(worker);
    for (uint8_t type = FRAME_ANNOUNCE; type <= FRAME_ANSWER; type++) {
        size_t size = whole_body(type, whole);
        for (size_t cut = 0; cut < size + FRAME_HEADER_BYTES; cut++) {
            /* the stream ends early, and a frame that is whole but shorter than its content */
            frame_header h  = {.size = (uint32_t)size, .type = type, .id = 1};
            int          fd = raw_open(path, KEY, NULL);
            frame_put_header(body, &h);
            memcpy(body + FRAME_HEADER_BYTES, whole, size);
            assert_true(raw_send(fd, body, cut));
            (void)close(fd);
            if (cut < size) {
                fd = raw_open(path, KEY, NULL);
                (void)raw_frame(fd, type, 1, whole, cut);
                (void)close(fd);
            }
        }
    }
    expect_alive(before);
}

static void huge_lengths_are_refused(void **state)
{
    (void)state;
    static const struct {
        frame_header h;
        uint32_t     total;
    } cases[] = {
        {{.size = UINT32_MAX, .type = FRAME_PUBLISH}, 0},
        {{.size = FRAME_BODY_MAX + 1, .type = FRAME_PUBLISH}, 0},
        {{.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 1}, UINT32_MAX},
        {{.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 1}, 17 * 1024 * 1024},
        {{.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 5}, 1000},
        {{.size = 4, .type = FRAME_PING, .flags = 3, .channel = 1}, 1000},
    };
    serve("key=" KEY);
    uint64_t before = worker_resident_bytes(worker);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = raw_open(path, KEY, NULL);
        frame_put_header(body, &cases[i].h);
        frame_put32(body + FRAME_HEADER_BYTES, cases[i].total);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES + 4));
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    int          fd = raw_connect(path); /* before authentication even 513 bytes are too many */
    frame_header h  = {.size = FRAME_OPENING_MAX + 1, .type = FRAME_HELLO};
    frame_put_header(body, &h);
    assert_true(raw_send(fd, body, FRAME_HEADER_BYTES));
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_alive(before);
}

static void a_slow_drip_does_not_outlive_the_handshake(void **state)
{
    (void)state;
    enum { DRIPS = 40 };
    int     fd[DRIPS];
    uint8_t hello[FRAME_HEADER_BYTES + FRAME_HELLO_BYTES];
    int     closed = 0;
    serve("key=" KEY "&handshake_ms=500");
    frame_header h = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
    frame_put_header(hello, &h);
    raw_hello(hello + FRAME_HEADER_BYTES, KEY, 9);
    for (int i = 0; i < DRIPS; i++) {
        fd[i] = raw_connect(path);
    }
    for (size_t k = 0; k < sizeof(hello) && closed < DRIPS; k++) {
        closed = 0;
        for (int i = 0; i < DRIPS; i++) {
            closed += raw_send(fd[i], hello + k, 1) ? 0 : 1;
        }
        expect_service();
        usleep(20 * 1000);
    }
    assert_int_equal(closed, DRIPS);
    for (int i = 0; i < DRIPS; i++) {
        (void)close(fd[i]);
    }
    expect_service();
}

static uint64_t goodbye_of(int fd)
{
    frame_header h = {0};
    while (raw_read(fd, &h, body)) {
        if (h.type == FRAME_GOODBYE) {
            return h.id;
        }
        assert_int_not_equal(h.type, FRAME_WELCOME);
    }
    return UINT64_MAX;
}

static void a_replayed_handshake_is_refused(void **state)
{
    (void)state;
    uint8_t      sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES];
    frame_header h;
    serve("key=" KEY);
    int fd = raw_open(path, KEY, sent);
    (void)close(fd);
    fd = raw_connect(path);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, sent, FRAME_HELLO_BYTES));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO);
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    assert_true(raw_frame(fd, FRAME_AUTH, 0, sent + FRAME_HELLO_BYTES, FRAME_MAC_BYTES));
    assert_int_equal(goodbye_of(fd), GOODBYE_AUTH);
    (void)close(fd);
    expect_service();
}

static void a_reflected_handshake_is_refused(void **state)
{
    (void)state;
    uint8_t      hello[FRAME_HELLO_BYTES];
    frame_header h;
    serve("key=" KEY);
    int fd = raw_connect(path);
    raw_hello(hello, KEY, 1);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello)));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO);
    memcpy(hello, body, sizeof(hello));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    assert_true(raw_frame(fd, FRAME_AUTH, 0, body, h.size)); /* its own proof */
    assert_int_equal(goodbye_of(fd), GOODBYE_AUTH);
    (void)close(fd);
    fd = raw_connect(path);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello))); /* its own HELLO */
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_service();
}

/* In a process of its own, for the descriptors; it ends when the pipe does. */
static pid_t crowd(int count, int ready, int go)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit many;
        (void)getrlimit(RLIMIT_NOFILE, &many);
        many.rlim_cur = many.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &many);
        for (int i = 0; i < count; i++) {
            (void)raw_connect(path);
        }
        char c = 'r';
        (void)!write(ready, &c, 1);
        (void)!read(go, &c, 1);
        _exit(0);
    }
    return pid;
}

static void ten_thousand_that_say_nothing_are_put_out(void **state)
{
    (void)state;
    int  ready[2];
    int  go[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    serve("key=" KEY "&handshake_ms=2s&max_connections=3000");
    uint64_t before = worker_resident_bytes(worker);
    pid_t    pid    = crowd(10000, ready[1], go[0]);
    for (int i = 0; i < 20; i++) {
        expect_service();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    expect_alive(before);
    /* a newcomer gets in as soon as the silent ones are out, though they are all still there */
    int fd = -1;
    for (int i = 0; i < 100 && fd < 0; i++) {
        frame_header h = {0};
        uint8_t      hello[FRAME_HELLO_BYTES];
        fd = raw_connect(path);
        raw_hello(hello, KEY, 1);
        if (!raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello)) || !raw_read(fd, &h, body) ||
            h.type != FRAME_HELLO) {
            (void)close(fd);
            fd = -1;
            usleep(100 * 1000);
        }
    }
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(go[1]);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    expect_alive(before);
    for (int i = 0; i < 2; i++) {
        (void)close(ready[i]);
    }
    (void)close(go[0]);
}

static void one_that_reads_nothing_is_put_out(void **state)
{
    (void)state;
    serve("key=" KEY "&write_queue_bytes=64KiB");
    uint64_t before = worker_resident_bytes(worker);
    int      fd     = raw_open(path, KEY, NULL);
    bool     taken  = true;
    for (uint64_t i = 0; i < 200000 && taken; i++) {
        taken = raw_frame(fd, FRAME_PING, i, NULL, 0); /* each is worth an answer */
        if (i % 20000 == 0) {
            expect_service();
        }
    }
    assert_false(taken);
    (void)close(fd);
    expect_alive(before);
}

static void one_that_sends_beyond_its_credit_fills_nothing(void **state)
{
    (void)state;
    enum { TASKS = 50000, BODY = 2000 };
    serve("key=" KEY "&max_queued=2000&max_queued_bytes=4MiB");
    uint64_t before = worker_resident_bytes(worker);
    int      fd     = raw_open(path, KEY, NULL);
    uint8_t  one[256 + BODY];
    size_t   size = raw_announce(one, "", 0);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, one, size));
    for (uint64_t i = 0; i < TASKS; i++) {
        size = raw_publish(one, i, i % 2 == 0 ? "sleep" : "mul", BODY);
        if (!raw_frame(fd, FRAME_PUBLISH, i + 1, one, size)) {
            break;
        }
        if (i % 10000 == 0) {
            expect_service();
        }
        while (recv(fd, body, sizeof(body), MSG_DONTWAIT) > 0) {
        }
    }
    expect_alive(before);
    (void)close(fd);
    expect_alive(before);
}

static int32_t count_workers(void *arg, const patio_peer *peer)
{
    uint32_t *count = arg;
    *count += peer->task_count > 0 ? 1 : 0;
    return 0;
}

/* It takes all there is, answers nothing, and announces more credit than there are tasks. */
static void one_that_claims_endless_credit_starves_nobody(void **state)
{
    (void)state;
    enum { CALLS = 60 };
    char          listen[160];
    char          near[80];
    patio_broker *caller = NULL;
    patio_future *f[CALLS];
    patio_error   err    = PATIO_ERROR_INIT;
    uint32_t      served = 0;
    (void)snprintf(near, sizeof(near), "%s/c", folder);
    (void)snprintf(listen, sizeof(listen), "unix+listen://%s", near);
    (void)snprintf(urls[0], sizeof(urls[0]), "unix://%s", near);
    assert_int_equal(patio_broker_open(NULL, listen, &caller, &err), PATIO_OK);
    assert_int_equal(patio_broker_start(caller, &err), PATIO_OK);
    int    fd   = raw_open(near, "", NULL);
    size_t size = raw_announce(body, "mul", UINT32_MAX);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, size));
    worker           = worker_begin((const char *const[]){urls[0], NULL});
    uint32_t workers = 0;
    for (int i = 0; i < 6000 && workers < 2; i++) {
        workers = 0;
        usleep(10 * 1000);
        assert_int_equal(patio_broker_peers(caller, count_workers, &workers, NULL), PATIO_OK);
    }
    assert_int_equal(workers, 2);
    /* who does not know questions of operators is named, not left out */
    patio_counts counts = {PATIO_SIZED(patio_counts)};
    assert_int_equal(patio_broker_counts(caller, NULL, 10000, &counts, &err), PATIO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "version 1"));
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 1000};
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(patio_start(caller, "mul", PATIO_ARGS(6, 7), &options, &f[i], NULL),
                         PATIO_OK);
        (void)patio_future_wait(f[i], i % 3 == 0 ? 0 : 50);
    }
    assert_int_equal(patio_future_wait_all(f, CALLS, 10000), PATIO_OK);
    for (int i = 0; i < CALLS; i++) {
        patio_status st = patio_future_status(f[i], NULL);
        served += st == PATIO_OK ? 1 : 0;
        assert_true(st == PATIO_OK || st == PATIO_TIMEOUT);
        patio_future_destroy(f[i]);
    }
    assert_true(served >=
                CALLS / 2); /* fewest outstanding first: the liar gets no more in the end */
    (void)close(fd);
    patio_broker_destroy(caller);
}

int main(void)
{
#define HOSTILE(name) cmocka_unit_test_teardown(name, end_service)
    const struct CMUnitTest tests[] = {
        HOSTILE(random_bytes_do_no_harm),
        HOSTILE(every_truncation_of_every_frame_is_survived),
        HOSTILE(huge_lengths_are_refused),
        HOSTILE(a_slow_drip_does_not_outlive_the_handshake),
        HOSTILE(a_replayed_handshake_is_refused),
        HOSTILE(a_reflected_handshake_is_refused),
        HOSTILE(ten_thousand_that_say_nothing_are_put_out),
        HOSTILE(one_that_reads_nothing_is_put_out),
        HOSTILE(one_that_sends_beyond_its_credit_fills_nothing),
        HOSTILE(one_that_claims_endless_credit_starves_nobody),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
