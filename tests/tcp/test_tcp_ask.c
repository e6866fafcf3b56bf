/* Questions of operators, with a peer made by hand at the other end: what it refuses, what it never
 * answers, what it lies about. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "frame_ask.h"
#include "raw_peer.h"
#include "tcp_world.h"

enum { PATIENCE_MS = 60000 };

static char          path[64];
static patio_broker *broker;
static uint8_t       body[FRAME_BODY_MAX];

static void announce(int fd, const char *task)
{
    size_t size = raw_announce(body, task, 1);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, size));
    /* its answer to a ping comes after it has read the announcement */
    frame_header h = {.type = 0};
    assert_true(raw_frame(fd, FRAME_PING, 4242, NULL, 0));
    while (h.type != FRAME_PONG || h.id != 4242) {
        assert_true(raw_read(fd, &h, body));
    }
}

/* A broker that listens, and a peer of that version that has announced itself. */
static int open_peer(uint8_t version)
{
    char        url[160];
    patio_error err = PATIO_ERROR_INIT;
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?write_queue_bytes=64KiB", path);
    assert_int_equal(patio_broker_open(NULL, url, &broker, &err), PATIO_OK);
    assert_int_equal(patio_broker_start(broker, &err), PATIO_OK);
    raw_version = version;
    int fd      = raw_open(path, "", NULL);
    announce(fd, "");
    return fd;
}

static int end(void **state)
{
    (void)state;
    patio_broker_destroy(broker);
    broker = NULL;
    return 0;
}

typedef struct asking {
    pthread_t    thread;
    uint64_t     timeout_ms;
    patio_status status;
    patio_error  err;
    patio_counts counts;
} asking;

static void *ask_counts(void *arg)
{
    asking *a = arg;
    a->counts = (patio_counts){PATIO_SIZED(patio_counts)};
    a->status = patio_broker_counts(broker, "q", a->timeout_ms, &a->counts, &a->err);
    return NULL;
}

static void begin(asking *a, uint64_t timeout_ms)
{
    *a     = (asking){.timeout_ms = timeout_ms};
    a->err = (patio_error)PATIO_ERROR_INIT;
    assert_int_equal(pthread_create(&a->thread, NULL, ask_counts, a), 0);
}

static void finish(asking *a, patio_status status, const char *text)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
    assert_int_equal(a->status, status);
    if (text != NULL && strstr(a->err.message, text) == NULL) {
        fail_msg("the error does not say \"%s\": %s", text, a->err.message);
    }
}

/* The next question; everything else is passed over. */
static uint64_t read_ask(int fd, frame_ask *ask)
{
    frame_header h = {.type = 0};
    while (h.type != FRAME_ASK) {
        assert_true(raw_read(fd, &h, body));
    }
    assert_true(frame_get_ask((patio_bytes){body, h.size}, ask));
    return h.id;
}

static void answer(int fd, uint64_t id, const frame_answer *a)
{
    frame_put_answer(body, a);
    if (a->rows.size > 0) {
        memcpy(body + FRAME_ANSWER_BYTES, a->rows.data, a->rows.size);
    }
    (void)raw_frame(fd, FRAME_ANSWER, id, body, FRAME_ANSWER_BYTES + a->rows.size);
}

static void numbers_of_all_who_answer_are_added(void **state)
{
    (void)state;
    uint8_t      row[FRAME_COUNTS_BYTES];
    patio_counts one = {
        .ready = 1, .leased = 2, .delayed = 3, .dead = 4, .consumers = 1, .oldest_age_ms = 77};
    int       fd = open_peer(2);
    asking    a;
    frame_ask ask;
    begin(&a, PATIENCE_MS);
    uint64_t id = read_ask(fd, &ask);
    assert_int_equal(ask.what, ASK_COUNTS);
    assert_int_equal(ask.flags, ASK_RELAY);
    assert_string_equal(ask.queue, "q");
    frame_put_counts(row, &one);
    frame_answer in = {.what = ASK_COUNTS, .others = 2, .incarnation = 4711};
    answer(fd, id, &in); /* two more will answer through it */
    in = (frame_answer){
        .what = ASK_COUNTS, .flags = ANSWER_LAST, .incarnation = 4712, .rows = {row, sizeof(row)}};
    answer(fd, id, &in);
    in.incarnation = 4711;
    answer(fd, id, &in);
    in = (frame_answer){
        .what = ASK_COUNTS, .flags = ANSWER_LAST | ANSWER_AGAIN, .incarnation = 4713};
    answer(fd, id, &in);
    finish(&a, PATIO_OK, NULL);
    assert_true(a.counts.ready == 2 && a.counts.leased == 4 && a.counts.delayed == 6);
    assert_true(a.counts.dead == 8 && a.counts.consumers == 2 && a.counts.oldest_age_ms == 77);
    (void)close(fd);
}

static void a_peer_of_an_earlier_version_is_named(void **state)
{
    (void)state;
    int    fd = open_peer(1);
    asking a;
    begin(&a, PATIENCE_MS);
    finish(&a, PATIO_UNSUPPORTED, "version 1");
    (void)close(fd);
}

static void a_refusal_is_an_error_and_no_number(void **state)
{
    (void)state;
    static const struct {
        patio_status status;
        const char  *text;
    } cases[]    = {{PATIO_AUTH, "operate"}, {PATIO_UNSUPPORTED, "question"}, {PATIO_FULL, "room"}};
    int       fd = open_peer(2);
    frame_ask ask;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        asking a;
        begin(&a, PATIENCE_MS);
        uint64_t     id = read_ask(fd, &ask);
        frame_answer in = {.what        = ASK_COUNTS,
                           .flags       = ANSWER_LAST,
                           .incarnation = 4711,
                           .status      = (uint16_t)cases[i].status};
        answer(fd, id, &in);
        finish(&a, cases[i].status, cases[i].text);
    }
    (void)close(fd);
}

static void who_never_answers_costs_the_time_and_no_more(void **state)
{
    (void)state;
    int       fd = open_peer(2);
    frame_ask ask;
    asking    a;
    begin(&a, 300);
    uint64_t id = read_ask(fd, &ask);
    finish(&a, PATIO_TIMEOUT, "did not answer");
    frame_answer late = {.what = ASK_COUNTS, .flags = ANSWER_LAST, .incarnation = 4711};
    answer(fd, id, &late); /* nobody waits for it any more */
    begin(&a, PATIENCE_MS);
    id = read_ask(fd, &ask);
    answer(fd, id, &late);
    finish(&a, PATIO_OK, NULL);
    (void)close(fd);
}

static void who_leaves_while_it_is_asked_holds_nothing_any_more(void **state)
{
    (void)state;
    int       fd = open_peer(2);
    frame_ask ask;
    asking    a;
    begin(&a, PATIENCE_MS);
    (void)read_ask(fd, &ask);
    (void)close(fd);
    finish(&a, PATIO_OK, NULL);
}

/* More answers than were announced, numbers of others that cannot be, answers to no question. */
static void who_lies_about_its_answers_is_put_out(void **state)
{
    (void)state;
    static const uint32_t others[] = {UINT32_MAX, 1u << 20, 0};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        int       fd = open_peer(2);
        frame_ask ask;
        asking    a;
        begin(&a, PATIENCE_MS);
        uint64_t     id = read_ask(fd, &ask);
        frame_answer in = {.what        = ASK_COUNTS,
                           .flags       = others[i] == 0 ? ANSWER_LAST : 0,
                           .others      = others[i],
                           .incarnation = 4711};
        answer(fd, id, &in);
        if (others[i] != 0) {
            assert_true(raw_closed(fd));
        }
        finish(&a, PATIO_OK, NULL);
        answer(fd, id, &in); /* a second last one: it is over, and does no harm */
        answer(fd, UINT64_C(1) << 63, &in);
        answer(fd, UINT64_MAX, &in);
        (void)close(fd);
        (void)end(state);
    }
}

/* It asks and asks, and reads no answer. */
static void who_asks_without_end_is_put_out(void **state)
{
    (void)state;
    int       fd    = open_peer(2);
    frame_ask ask   = {.what = ASK_QUEUES, .flags = ASK_RELAY, .timeout_ms = 60000, .origin = 1};
    bool      taken = true;
    uint32_t  sent  = 0;
    for (; sent < 1000000 && taken; sent++) {
        ask.number  = sent + 1;
        size_t size = frame_put_ask(body, &ask);
        taken       = raw_frame(fd, FRAME_ASK, sent + 1, body, size);
    }
    assert_false(taken);
    (void)close(fd);
    asking a;
    begin(&a, PATIENCE_MS);
    finish(&a, PATIO_OK, NULL);
}

/* It has a task, never answers a cancel, and asks for one again and again. */
static void who_waits_for_many_cancels_gets_no_more(void **state)
{
    enum { MOST = 1024, MORE = 10 };
    frame_answer  in;
    frame_ask     ask = {.what = ASK_CANCEL, .flags = ASK_HAS_ID, .origin = 1, .queue = "default"};
    patio_future *f   = *state;
    frame_header  h   = {.type = 0};
    int           fd  = open_peer(2);
    announce(fd, "held");
    assert_int_equal(patio_start(broker, "held", PATIO_NO_ARGS, NULL, &f, NULL), PATIO_OK);
    while (h.type != FRAME_PUBLISH) {
        assert_true(raw_read(fd, &h, body));
    }
    memcpy(&ask.id, body, sizeof(ask.id));
    while (ask.number++ < MOST + MORE) {
        size_t size = frame_put_ask(body, &ask);
        assert_true(raw_frame(fd, FRAME_ASK, ask.number, body, size));
    }
    for (int full = 0; full < MORE; full += h.type == FRAME_ANSWER) {
        assert_true(raw_read(fd, &h, body));
        assert_true(h.type != FRAME_ANSWER || (frame_get_answer((patio_bytes){body, h.size}, &in) &&
                                               h.id > MOST && in.status == PATIO_FULL));
    }
    patio_future_destroy(f);
    (void)close(fd);
}

int main(void)
{
#define ASKING(name) cmocka_unit_test_teardown(name, end)
    const struct CMUnitTest tests[] = {
        ASKING(numbers_of_all_who_answer_are_added),
        ASKING(a_peer_of_an_earlier_version_is_named),
        ASKING(a_refusal_is_an_error_and_no_number),
        ASKING(who_never_answers_costs_the_time_and_no_more),
        ASKING(who_leaves_while_it_is_asked_holds_nothing_any_more),
        ASKING(who_lies_about_its_answers_is_put_out),
        ASKING(who_asks_without_end_is_put_out),
        ASKING(who_waits_for_many_cancels_gets_no_more),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
