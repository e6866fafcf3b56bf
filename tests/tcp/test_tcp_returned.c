/* How workers end what they were given: back at once, again and again; without a reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "raw_peer.h"
#include "tcp_world.h"

static patio_broker *caller;
static uint8_t       body[FRAME_BODY_MAX];

static int begin(void **state)
{
    char url[128];
    (void)state;
    (void)snprintf(url, sizeof(url), "unix+listen://%s/caller?prefetch=0", folder);
    caller = open_quiet_broker(NULL, url, "1");
    return caller != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    patio_broker_destroy(caller);
    return 0;
}

/* A worker that has task "t", and is known to. */
static int come(uint32_t credit)
{
    char         path[128];
    frame_header h = {.type = 0};
    (void)snprintf(path, sizeof(path), "%s/caller", folder);
    raw_incarnation++; /* it is another process */
    int fd = raw_open(path, "", NULL);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 1, body, raw_announce(body, "t", credit)));
    assert_true(raw_frame(fd, FRAME_PING, 77, NULL, 0));
    while (h.type != FRAME_PONG || h.id != 77) {
        assert_true(raw_read(fd, &h, body));
    }
    return fd;
}

static patio_future *call(void)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000};
    assert_int_equal(patio_start(caller, "t", PATIO_NO_ARGS, &options, &f, NULL), PATIO_OK);
    return f;
}

/* The tag of the next task that comes. */
static uint64_t given(int fd)
{
    frame_header h = {.type = 0};
    while (h.type != FRAME_PUBLISH) {
        assert_true(raw_read(fd, &h, body));
    }
    return h.id;
}

static void settle(int fd, uint64_t tag, uint8_t verdict)
{
    uint8_t      head[FRAME_SETTLE_BYTES];
    frame_settle s = {.verdict = verdict};
    frame_put_settle(head, &s);
    assert_true(raw_frame(fd, FRAME_SETTLE, tag, head, sizeof(head)));
}

/* The first time is free: the one who gave it back may be all there is. */
static void who_gives_back_at_once_waits_for_it_longer_and_longer(void **state)
{
    (void)state;
    enum { TIMES = 7, MS = 100 }; /* 310, were each of them quick */
    int           fd   = come(1);
    patio_future *f    = call();
    uint64_t      from = now_ms();
    for (int i = 0; i < TIMES; i++) {
        settle(fd, given(fd), PATIO_RETURN);
    }
    assert_true(now_ms() >= from + MS);
    settle(fd, given(fd), PATIO_ACK);
    assert_int_equal(patio_future_wait(f, 10000), PATIO_OK);
    patio_future_destroy(f);
    /* it is counted for each task: the next one, which comes back once, is not overtaken */
    uint8_t       id[sizeof(patio_id)];
    patio_future *behind = NULL;
    f                    = call();
    behind               = call();
    uint64_t tag         = given(fd);
    memcpy(id, body, sizeof(id));
    settle(fd, tag, PATIO_RETURN);
    (void)given(fd);
    assert_memory_equal(body, id, sizeof(id));
    patio_future_destroy(f);
    patio_future_destroy(behind);
    (void)close(fd);
}

/* Though that one would have more to do then. */
static void another_worker_gets_what_one_gave_back(void **state)
{
    (void)state;
    enum { TASKS = 8 };
    int           one = come(TASKS);
    patio_future *f[TASKS + 1];
    f[TASKS]       = call();
    uint64_t first = given(one);
    int      other = come(TASKS + 1);
    settle(one, first, PATIO_RETURN);
    (void)given(other);
    for (int i = 0; i < TASKS; i++) { /* now `one` has less to do, and is asked first */
        f[i] = call();
        settle(one, given(one), PATIO_RETURN);
        (void)given(other);
    }
    for (int i = 0; i <= TASKS; i++) {
        patio_future_destroy(f[i]);
    }
    (void)close(one);
    (void)close(other);
}

static void a_call_that_ends_without_a_reply_is_told(void **state)
{
    (void)state;
    static const uint8_t ends[] = {PATIO_ACK, PATIO_REJECT};
    int                  fd     = come(1);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        patio_error   err = PATIO_ERROR_INIT;
        patio_future *f   = call();
        settle(fd, given(fd), ends[i]);
        assert_int_equal(patio_future_wait(f, 10000), PATIO_OK);
        assert_int_equal(patio_future_status(f, &err), PATIO_PROTOCOL);
        assert_non_null(strstr(err.message, "without a reply"));
        patio_future_destroy(f);
    }
    (void)close(fd);
}

int main(void)
{
#define RETURNED(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        RETURNED(who_gives_back_at_once_waits_for_it_longer_and_longer),
        RETURNED(another_worker_gets_what_one_gave_back),
        RETURNED(a_call_that_ends_without_a_reply_is_told),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
