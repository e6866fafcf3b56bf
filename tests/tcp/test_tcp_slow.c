/* A caller that reads its results slowly is served slowly: it gets all of them, the worker does not
 * pile them up, and others are not kept waiting. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "raw_peer.h"
#include "tcp_world.h"

enum {
    CALLS       = 64,
    RESULT      = 512 * 1024,
    WRITE_QUEUE = 1024 * 1024,
    WORKERS     = 2,
    /* what may be made while nothing is read: the queue, what runs when it is full, and what lies
     * in the kernel's buffers */
    AHEAD       = WRITE_QUEUE / RESULT + WORKERS + 4,
    OTHER_CALLS = 200,
    TRIES       = 20000,
};

static _Atomic int blobs;
static uint8_t     data[RESULT];
static uint8_t     body[FRAME_BODY_MAX];

static patio_status blob(patio_context *ctx)
{
    atomic_fetch_add(&blobs, 1);
    return patio_return(ctx, patio_blob(data, sizeof(data)));
}

static patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &b) : st;
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

typedef struct world {
    patio_registry *registry;
    patio_broker   *worker;
    patio_broker   *other;
    char            path[64];
} world;

static int make_world(void **state)
{
    static world w;
    static int   number;
    char         listens[128];
    char         connects[80];
    memset(&w, 0, sizeof(w));
    atomic_store(&blobs, 0);
    (void)snprintf(w.path, sizeof(w.path), "%s/w%d", folder, ++number);
    (void)snprintf(listens, sizeof(listens), "unix+listen://%s?write_queue_bytes=%d", w.path,
                   WRITE_QUEUE);
    (void)snprintf(connects, sizeof(connects), "unix://%s", w.path);
    if (patio_registry_create(NULL, &w.registry, NULL) != PATIO_OK ||
        PATIO_ADD_AS(w.registry, "blob", blob, NULL) != PATIO_OK ||
        PATIO_ADD_AS(w.registry, "add", add, NULL) != PATIO_OK) {
        return -1;
    }
    w.worker = open_quiet_broker(w.registry, listens, "2");
    w.other  = w.worker != NULL ? open_quiet_broker(NULL, connects, "1") : NULL;
    *state   = &w;
    return w.other != NULL ? 0 : -1;
}

static int end_world(void **state)
{
    world *w = *state;
    patio_broker_destroy(w->other);
    patio_broker_destroy(w->worker);
    patio_registry_destroy(w->registry);
    return 0;
}

static void expect_service(const world *w, int count)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    for (int i = 0; i < count; i++) {
        patio_error   err = PATIO_ERROR_INIT;
        patio_future *f   = NULL;
        if (patio_call(w->other, "add", PATIO_ARGS(6, 7), &options, &f, &err) != PATIO_OK) {
            fail_msg("the other caller is not served: %s", err.message);
        }
        patio_future_destroy(f);
    }
}

/* A PUBLISH of a call of "blob" without arguments: an Envelope, docs/protocol.md. */
static size_t put_call(uint8_t number)
{
    const uint8_t envelope[] = {
        0x10, 1,                                                                   /* kind */
        0x1a, 16, number, 0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 1, /* id */
        0x22, 4,  'b',    'l', 'o', 'b',                                           /* task */
        0x2a, 7,  'd',    'e', 'f', 'a', 'u', 'l', 't',                            /* project */
    };
    size_t size = raw_publish(body, number, "blob", sizeof(envelope));
    memcpy(body + size - sizeof(envelope), envelope, sizeof(envelope));
    return size;
}

/* Who calls with all of them at once, and reads nothing yet. */
static int call_and_stop_reading(const world *w)
{
    int fd = raw_open(w->path, "", NULL);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "", 0)));
    for (uint8_t i = 1; i <= CALLS; i++) {
        assert_true(raw_frame(fd, FRAME_PUBLISH, i, body, put_call(i)));
    }
    for (int i = 0; i < TRIES && atomic_load(&blobs) * RESULT < WRITE_QUEUE; i++) {
        usleep(1000);
    }
    assert_true(atomic_load(&blobs) * RESULT >= WRITE_QUEUE);
    return fd;
}

/* All that comes, until so many results are whole; how many bytes they had. What waited for long
 * behind what runs comes back, and is sent again. */
static uint64_t read_results(int fd, int count)
{
    frame_header h;
    uint64_t     bytes = 0;
    while (count > 0) {
        if (!raw_read(fd, &h, body)) {
            fail_msg("cut off with %d results to come", count);
        }
        if (h.type == FRAME_PING) {
            assert_true(raw_frame(fd, FRAME_PONG, h.id, NULL, 0));
        }
        if (h.type == FRAME_SETTLE && h.channel == 0 && body[0] == PATIO_RETURN) {
            uint8_t number = (uint8_t)((h.id - 1) % CALLS + 1);
            assert_true(raw_frame(fd, FRAME_PUBLISH, h.id + CALLS, body, put_call(number)));
        } else if (h.type == FRAME_SETTLE) {
            bytes += h.size;
            count -= (h.flags & FRAME_MORE) == 0 ? 1 : 0;
        }
    }
    return bytes;
}

static void a_slow_reader_gets_all_its_results(void **state)
{
    const world *w  = *state;
    int          fd = call_and_stop_reading(w);
    expect_service(w, OTHER_CALLS);
    if (atomic_load(&blobs) > AHEAD) {
        fail_msg("%d results of %d bytes were made for a caller that reads nothing",
                 atomic_load(&blobs), RESULT);
    }
    assert_true(read_results(fd, CALLS) >= (uint64_t)CALLS * RESULT);
    assert_int_equal(atomic_load(&blobs), CALLS);
    (void)close(fd);
    expect_service(w, 1);
}

/* What waits for it goes with it. */
static void a_reader_that_goes_leaves_nothing_behind(void **state)
{
    const world *w = *state;
    for (int i = 0; i < 3; i++) {
        atomic_store(&blobs, 0);
        int fd = call_and_stop_reading(w);
        expect_service(w, OTHER_CALLS);
        (void)close(fd);
        expect_service(w, OTHER_CALLS);
    }
}

/* False: the worker takes nothing any more. */
static bool is_served(const world *w)
{
    patio_future *f  = NULL;
    patio_status  st = patio_call(w->other, "add", PATIO_ARGS(6, 7), NULL, &f, NULL);
    patio_future_destroy(f);
    return st == PATIO_OK;
}

static void *stop_worker(void *worker)
{
    (void)patio_broker_stop(worker, 10000, NULL);
    return NULL;
}

/* A worker that drains gives it back, as all that it has not begun. */
static void what_waits_for_a_slow_reader_is_given_back(void **state)
{
    const world *w = *state;
    pthread_t    stopper;
    frame_header h        = {0};
    int          returned = 0;
    int          results  = 0;
    int          fd       = call_and_stop_reading(w);
    expect_service(w, OTHER_CALLS);
    assert_int_equal(pthread_create(&stopper, NULL, stop_worker, w->worker), 0);
    for (int i = 0; i < TRIES && is_served(w); i++) {
        usleep(1000);
    }
    while (returned + results < CALLS && raw_read(fd, &h, body)) {
        if (h.type == FRAME_SETTLE && (h.flags & FRAME_MORE) == 0) {
            bool back = h.channel == 0 && body[0] == PATIO_RETURN;
            returned += back ? 1 : 0;
            results += back ? 0 : 1;
        }
    }
    (void)close(fd);
    (void)pthread_join(stopper, NULL);
    assert_int_equal(returned + results, CALLS);
    assert_true(returned >= CALLS - AHEAD);
}

int main(void)
{
#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_slow_reader_gets_all_its_results),
        IN_WORLD(a_reader_that_goes_leaves_nothing_behind),
        IN_WORLD(what_waits_for_a_slow_reader_is_given_back),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
