/* Names of tasks and queues: how many there may be, and who says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "raw_peer.h"
#include "store.h"
#include "tcp_world.h"

static patio_status one(patio_context *ctx)
{
    return PATIO_RETURN(ctx, 1);
}

static void a_worker_with_more_tasks_than_a_peer_takes_says_so(void **state)
{
    (void)state;
    char            url[128];
    char           *names    = malloc((size_t)(FRAME_TASKS_MAX + 1) * 8);
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_error     err      = PATIO_ERROR_INIT;
    assert_non_null(names);
    assert_int_equal(patio_registry_create(NULL, &registry, &err), PATIO_OK);
    for (size_t i = 0; i <= FRAME_TASKS_MAX; i++) {
        (void)snprintf(names + i * 8, 8, "t%06zx", i);
        assert_int_equal(PATIO_ADD_AS(registry, names + i * 8, one, &err), PATIO_OK);
    }
    (void)snprintf(url, sizeof(url), "unix+listen://%s/many", folder);
    assert_int_equal(start_quiet_broker(registry, url, "1", &broker, &err), PATIO_FULL);
    assert_non_null(strstr(err.message, "16385 tasks"));
    assert_non_null(strstr(err.message, "at most 16384"));
    patio_registry_destroy(registry);
    free(names);
}

/* ---- peers that come and go ---- */

enum { NAME_BYTES = 7, PEERS_FULL = LANES_MAX / FRAME_TASKS_MAX };

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

static int come(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/caller", folder);
    return raw_open(path, "", NULL);
}

/* What was said before has been looked at. */
static void settle(int fd)
{
    frame_header h = {.type = 0};
    assert_true(raw_frame(fd, FRAME_PING, 77, NULL, 0));
    while (h.type != FRAME_PONG || h.id != 77) {
        assert_true(raw_read(fd, &h, body));
    }
}

static size_t put_queue(uint8_t *to, const char *name, uint32_t first, uint32_t tasks)
{
    size_t at = 1 + strlen(name);
    to[0]     = (uint8_t)strlen(name);
    memcpy(to + 1, name, strlen(name));
    frame_put32(to + at, tasks); /* its credit */
    frame_put32(to + at + 4, tasks);
    frame_put32(to + at + 8, tasks * NAME_BYTES);
    at += 12;
    for (uint32_t i = 0; i < tasks; i++, at += NAME_BYTES) {
        char text[NAME_BYTES + 1];
        (void)snprintf(text, sizeof(text), "%c%06x", NAME_BYTES - 1, first + i);
        memcpy(to + at, text, NAME_BYTES);
    }
    return at;
}

static void announce(int fd, uint32_t first, uint32_t tasks)
{
    memcpy(body, "\7default\1\0\0", 12);
    size_t size = 12 + put_queue(body + 12, "default", first, tasks);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, size));
    settle(fd);
}

static void announce_queues(int fd, uint32_t first)
{
    size_t size = 12;
    memcpy(body, "\7default\0\1\0", size); /* 256 */
    for (uint32_t i = 0; i < FRAME_QUEUES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "q%u", first + i);
        size += put_queue(body + size, name, 0, 1);
    }
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, size));
    settle(fd);
}

static int32_t count_one(void *arg, const patio_peer *peer)
{
    (void)peer;
    ++*(uint32_t *)arg;
    return 0;
}

static void leave(int *fds, uint32_t count, uint32_t left)
{
    uint32_t peers = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
    for (int i = 0; i < 6000 && peers != left; i++) {
        peers = 0;
        assert_int_equal(patio_broker_peers(caller, count_one, &peers, NULL), PATIO_OK);
        usleep(peers != left ? 10 * 1000 : 0);
    }
    assert_int_equal(peers, left);
}

static patio_status send_new(const char *where, patio_error *err)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .queue = where};
    return patio_send(caller, "new", PATIO_ARGS(1), &options, NULL, err);
}

/* The call of that name goes to this peer. */
static void expect_call(int fd, const char *name)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000};
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    frame_header       h       = {.type = 0};
    frame_publish      p;
    if (patio_start(caller, name, PATIO_ARGS(1), &options, &f, &err) != PATIO_OK) {
        fail_msg("%s: %s", name, err.message);
    }
    while (h.type != FRAME_PUBLISH) {
        assert_true(raw_read(fd, &h, body));
    }
    assert_true(frame_get_publish((patio_bytes){body, h.size}, &p));
    assert_string_equal(p.task, name);
    patio_future_destroy(f);
}

static void names_of_peers_that_have_gone_make_room(void **state)
{
    (void)state;
    int         fds[PEERS_FULL];
    patio_error err = PATIO_ERROR_INIT;
    for (uint32_t i = 0; i < PEERS_FULL; i++) {
        fds[i] = come();
        announce(fds[i], i * FRAME_TASKS_MAX, FRAME_TASKS_MAX);
    }
    assert_int_equal(send_new("default", &err), PATIO_FULL);
    assert_non_null(strstr(err.message, "65536 names of tasks"));
    int late = come();
    announce(late, LANES_MAX, 1); /* there is no room for it */
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000};
    assert_int_equal(patio_call(caller, "010000", PATIO_ARGS(1), &options, NULL, &err),
                     PATIO_NO_ROUTE);
    leave(fds, PEERS_FULL, 1);
    assert_int_equal(send_new("default", &err), PATIO_OK);
    announce(late, LANES_MAX, 1);
    expect_call(late, "010000");
    leave(&late, 1, 0);
}

static void names_that_a_peer_has_no_more_make_room(void **state)
{
    (void)state;
    patio_error err = PATIO_ERROR_INIT;
    int         fd  = come();
    for (uint32_t i = 0; i <= 2 * PEERS_FULL; i++) {
        announce(fd, i * FRAME_TASKS_MAX, FRAME_TASKS_MAX);
    }
    assert_int_equal(send_new("default", &err), PATIO_OK);
    expect_call(fd, "023fff"); /* the last one */
    leave(&fd, 1, 0);
}

static void queues_of_peers_that_have_gone_make_room(void **state)
{
    (void)state;
    enum { PEERS = QUEUES_MAX / FRAME_QUEUES_MAX };
    int         fds[PEERS];
    patio_error err = PATIO_ERROR_INIT;
    for (uint32_t i = 0; i < PEERS; i++) {
        fds[i] = come();
        announce_queues(fds[i], i * FRAME_QUEUES_MAX);
    }
    assert_int_equal(send_new("mine", &err), PATIO_FULL);
    assert_non_null(strstr(err.message, "4096 queues"));
    leave(fds, PEERS, 0);
    assert_int_equal(send_new("mine", &err), PATIO_OK);
}

/* The lanes that stay move up; each call still finds who has it, and a task that waits its lane. */
static void others_keep_their_routes_when_one_goes(void **state)
{
    (void)state;
    enum { EACH = 100 };
    int         fds[3];
    char        name[NAME_BYTES];
    patio_error err = PATIO_ERROR_INIT;
    for (uint32_t i = 0; i < 3; i++) {
        fds[i] = come();
    }
    announce(fds[0], 0, EACH);
    assert_int_equal(send_new("default", &err), PATIO_OK); /* it waits between them */
    announce(fds[1], EACH, EACH);
    announce(fds[2], EACH + EACH / 2, EACH); /* half of them two have */
    leave(&fds[0], 1, 2);
    for (uint32_t i = EACH; i < 5 * EACH / 2; i++) {
        (void)snprintf(name, sizeof(name), "%06x", i);
        if (i < 3 * EACH / 2 || i >= 2 * EACH) {
            expect_call(fds[i < 3 * EACH / 2 ? 1 : 2], name);
        }
    }
    leave(&fds[1], 1, 1);
    for (uint32_t i = 3 * EACH / 2; i < 2 * EACH; i++) {
        (void)snprintf(name, sizeof(name), "%06x", i);
        expect_call(fds[2], name);
    }
    size_t       size = raw_announce(body, "new", 1000);
    frame_header h    = {.type = 0};
    assert_true(raw_frame(fds[2], FRAME_ANNOUNCE, 0, body, size));
    while (h.type != FRAME_PUBLISH) {
        assert_true(raw_read(fds[2], &h, body)); /* what waited */
    }
    leave(&fds[2], 1, 0);
}

int main(void)
{
#define WITH_CALLER(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_with_more_tasks_than_a_peer_takes_says_so),
        WITH_CALLER(names_of_peers_that_have_gone_make_room),
        WITH_CALLER(names_that_a_peer_has_no_more_make_room),
        WITH_CALLER(queues_of_peers_that_have_gone_make_room),
        WITH_CALLER(others_keep_their_routes_when_one_goes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
