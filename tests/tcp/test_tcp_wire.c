/* What stands on the wire, seen by a peer made by hand: numbers that wrap around, and the order in
 * which a side ends. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "raw_peer.h"
#include "tcp_world.h"

enum { TRIES = 600 };

static pid_t   worker;
static uint8_t body[FRAME_BODY_MAX];

static int end_worker(void **state)
{
    (void)state;
    if (worker > 0) {
        worker_end(worker);
    }
    worker = 0;
    return 0;
}

/* Numbers that a publisher gives its tasks are its own, and may go over their end. */
static void ids_may_wrap_around(void **state)
{
    (void)state;
    char         path[64];
    char         url[128];
    frame_header h        = {0};
    uint64_t     answered = 0;
    (void)snprintf(path, sizeof(path), "%s/w", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s", path);
    worker = worker_begin((const char *const[]){url, NULL});
    int fd = raw_open(path, "", NULL);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "", 0)));
    for (uint64_t i = 0; i < 8; i++) {
        uint64_t id   = UINT64_MAX - 3 + i;             /* … UINT64_MAX, 0, 1 … */
        size_t   size = raw_publish(body, i, "mul", 4); /* undecodable: answered with an error */
        assert_true(raw_frame(fd, FRAME_PUBLISH, id, body, size));
    }
    while (answered != 0xff && raw_read(fd, &h, body)) {
        uint64_t i = h.id - (UINT64_MAX - 3);
        if (h.type == FRAME_SETTLE) {
            assert_true(i < 8 && (answered >> i & 1u) == 0);
            answered |= UINT64_C(1) << i;
        }
    }
    assert_int_equal(answered, 0xff);
    (void)close(fd);
}

typedef struct reader {
    int      fd;
    uint8_t  last_type;
    uint64_t last_id;
    uint64_t frames;
} reader;

static void *read_to_the_end(void *arg)
{
    static uint8_t in[FRAME_BODY_MAX];
    reader        *r = arg;
    frame_header   h = {0};
    while (raw_read(r->fd, &h, in)) {
        r->last_type = h.type;
        r->last_id   = h.id;
        r->frames++;
    }
    return NULL;
}

static int32_t count_tasks(void *arg, const patio_peer *peer)
{
    size_t *sum = arg;
    *sum += peer->task_count;
    return 0;
}

/* A side that stops says so behind all that it still had to write. */
static void a_goodbye_comes_behind_what_is_still_on_its_way(void **state)
{
    (void)state;
    enum { CALLS = 3000, BYTES = 1000 };
    static uint8_t     data[BYTES];
    static char        path[64];
    char               url[128];
    pthread_t          thread;
    size_t             tasks   = 0;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000};
    (void)snprintf(path, sizeof(path), "%s/g", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s", path);
    patio_broker *broker = NULL;
    assert_int_equal(patio_broker_open(NULL, url, &broker, NULL), PATIO_OK);
    assert_int_equal(patio_broker_start(broker, NULL), PATIO_OK);
    reader r = {.fd = raw_open(path, "", NULL)};
    assert_true(raw_frame(r.fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "mul", UINT32_MAX)));
    for (int i = 0; i < TRIES && tasks == 0; i++) {
        usleep(10 * 1000);
        assert_int_equal(patio_broker_peers(broker, count_tasks, &tasks, NULL), PATIO_OK);
    }
    for (int i = 0; i < CALLS; i++) { /* far more than a socket holds, and nobody reads yet */
        patio_future *f = NULL;
        assert_int_equal(
            patio_start(broker, "mul", PATIO_ARGS(patio_blob(data, BYTES)), &options, &f, NULL),
            PATIO_OK);
        patio_future_destroy(f);
    }
    assert_int_equal(pthread_create(&thread, NULL, read_to_the_end, &r), 0);
    patio_broker_destroy(broker);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(r.frames > CALLS);
    assert_int_equal(r.last_type, FRAME_GOODBYE);
    assert_int_equal(r.last_id, GOODBYE_STOPPED);
    (void)close(r.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ids_may_wrap_around, end_worker),
        cmocka_unit_test(a_goodbye_comes_behind_what_is_still_on_its_way),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
