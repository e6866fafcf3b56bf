/* How workers end what they were given: without a reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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
    (void)snprintf(url, sizeof(url), "unix+listen://%s/caller", folder);
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
        RETURNED(a_call_that_ends_without_a_reply_is_told),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
