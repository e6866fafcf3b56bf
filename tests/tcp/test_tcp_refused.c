/* Who connects is refused by whoever answers there: that is no reason never to come again, for the
 * one who answers need not be the one who is meant. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "raw_peer.h"
#include "tcp_world.h"

#define KEY "open-sesame-and-be-quick"

enum { ECHO = -1 }; /* instead of a GOODBYE: the HELLO of who connects, turned round */

static patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &b) : st;
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

static void expect_service(patio_broker *caller, int how)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    if (patio_call(caller, "add", PATIO_ARGS(6, 7), &options, &f, &err) != PATIO_OK) {
        fail_msg("refused with %d, and never connected again: %s", how, err.message);
    }
    patio_future_destroy(f);
}

static int listen_at(const char *path)
{
    struct timeval     limit = {.tv_sec = 20};
    struct sockaddr_un a     = {.sun_family = AF_UNIX};
    int                fd    = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(path) < sizeof(a.sun_path));
    memcpy(a.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 8), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

/* The next one who connects is refused. */
static void refuse_one(int listener, int how)
{
    static uint8_t body[FRAME_BODY_MAX];
    frame_header   h;
    struct timeval limit = {.tv_sec = 20};
    int            fd    = accept(listener, NULL, NULL);
    if (fd < 0) {
        fail_msg("refused with %d, and nobody came again", how);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO && h.size == FRAME_HELLO_BYTES);
    if (how == ECHO) {
        body[8] = 0; /* the role: it listens */
        assert_true(raw_frame(fd, FRAME_HELLO, 0, body, FRAME_HELLO_BYTES));
    } else {
        assert_true(raw_frame(fd, FRAME_GOODBYE, (uint64_t)how, NULL, 0));
    }
    assert_true(raw_closed(fd));
    (void)close(fd);
}

static void be_refused(patio_registry *registry, int how, bool known)
{
    static int    number;
    char          path[64];
    char          own[128];
    char          there[160];
    char          to[160];
    patio_broker *honest = NULL;
    (void)snprintf(path, sizeof(path), "%s/r%d", folder, ++number);
    (void)snprintf(own, sizeof(own), "unix+listen://%s/o%d?reconnect_max_ms=50", folder, number);
    (void)snprintf(there, sizeof(there), "unix+listen://%s?key=" KEY, path);
    (void)snprintf(to, sizeof(to), "unix://%s?key=" KEY, path);
    honest               = known ? open_quiet_broker(registry, there, "1") : NULL;
    patio_broker *caller = open_both(own, to);
    if (known) {
        assert_non_null(honest);
        expect_service(caller, how);
        patio_broker_destroy(honest);
    }
    int listener = listen_at(path);
    refuse_one(listener, how);
    refuse_one(listener, how);
    (void)close(listener);
    honest = open_quiet_broker(registry, there, "1");
    assert_non_null(honest);
    expect_service(caller, how);
    patio_broker_destroy(caller);
    patio_broker_destroy(honest);
}

static const int ways[] = {ECHO,        GOODBYE_SELF, GOODBYE_AUTH, GOODBYE_NEEDS_KEY,
                           GOODBYE_TLS, GOODBYE_ALLOW};

static void a_stranger_who_refuses_is_tried_again(void **state)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        be_refused(*state, ways[i], false);
    }
}

static void a_stranger_in_the_place_of_a_peer_does_not_end_it(void **state)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        be_refused(*state, ways[i], true);
    }
}

/* A URL where nobody is, and that is not tried again for minutes: who calls hears in time. */
static void a_caller_waits_no_longer_than_it_said(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 300, PATIENCE_MS = 30000 };
    char own[160];
    char to[96];
    (void)snprintf(own, sizeof(own),
                   "unix+listen://%s/own?reconnect_min_ms=20min&reconnect_max_ms=20min", folder);
    (void)snprintf(to, sizeof(to), "unix://%s/nobody", folder);
    patio_broker *caller = open_both(own, to);
    for (int waits = 0; waits < 2; waits++) {
        patio_error        err     = PATIO_ERROR_INIT;
        patio_future      *f       = NULL;
        patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                      .flags = waits != 0 ? PATIO_CALL_WAIT_ROUTE : 0};
        uint64_t           begun   = now_ms();
        patio_status       st = patio_call(caller, "add", PATIO_ARGS(6, 7), &options, &f, &err);
        assert_int_equal(st, waits != 0 ? PATIO_TIMEOUT : PATIO_NO_ROUTE);
        assert_in_range(now_ms() - begun, waits != 0 ? DEADLINE_MS : 0, PATIENCE_MS);
        patio_future_destroy(f);
    }
    patio_broker_destroy(caller);
}

static int make_all(void **state)
{
    patio_registry *registry = NULL;
    if (make_folder(state) != 0 || patio_registry_create(NULL, &registry, NULL) != PATIO_OK ||
        PATIO_ADD_AS(registry, "add", add, NULL) != PATIO_OK) {
        return -1;
    }
    *state = registry;
    return 0;
}

static int remove_all(void **state)
{
    patio_registry_destroy(*state);
    return remove_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_who_refuses_is_tried_again),
        cmocka_unit_test(a_stranger_in_the_place_of_a_peer_does_not_end_it),
        cmocka_unit_test(a_caller_waits_no_longer_than_it_said),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
