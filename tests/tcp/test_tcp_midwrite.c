/* A peer is lost while another thread is writing a task to it: what that thread has handed to the
 * kernel the peer may have begun, also before the write has returned. So the task is lost with the
 * peer, and does not run a second time. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "place.h"
#include "raw_peer.h"
#include "tcp_world.h"

enum { TRIES = 20, TURNS = 10000, LIMIT_MS = 3000 };

static _Thread_local bool stalls; /* this thread, once it has written something */
static _Atomic bool       stalled;
static sem_t              reached; /* it has, or it had nothing to write */
static sem_t              go_on;
static uint8_t            body[FRAME_BODY_MAX];

/* Before the C library's, for the transport as well. */
__attribute__((visibility("default"))) ssize_t send(int fd, const void *data, size_t size,
                                                    int flags)
{
    ssize_t n     = sendto(fd, data, size, flags, NULL, 0);
    int     error = errno;
    if (stalls) {
        stalls = false;
        atomic_store(&stalled, true);
        (void)sem_post(&reached);
        (void)sem_wait(&go_on);
    }
    errno = error;
    return n;
}

typedef struct caller {
    patio_broker *broker;
    patio_future *f;
    patio_status  status;
} caller;

static void *start(void *arg)
{
    caller            *c       = arg;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    stalls                     = true;
    c->status = patio_start(c->broker, "once", PATIO_NO_ARGS, &options, &c->f, NULL);
    stalls    = false;
    (void)sem_post(&reached);
    return NULL;
}

static int32_t count_tasks(void *arg, const patio_peer *peer)
{
    *(size_t *)arg += peer->task_count;
    return 0;
}

static void wait_peers(patio_broker *broker, size_t wanted)
{
    size_t tasks = wanted + 1;
    for (int i = 0; i < TURNS && tasks != wanted; i++) {
        tasks = 0;
        assert_int_equal(patio_broker_peers(broker, count_tasks, &tasks, NULL), PATIO_OK);
        usleep(tasks != wanted ? 1000 : 0);
    }
    assert_int_equal(tasks, wanted);
}

static int worker_of(patio_broker *broker, const place *at)
{
    int fd = raw_open(at->path, "", NULL);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "once", 1)));
    wait_peers(broker, 1);
    return fd;
}

static void read_task(int fd)
{
    frame_header h = {0};
    while (h.type != FRAME_PUBLISH) {
        assert_true(raw_read(fd, &h, body));
    }
}

/* False: it was the I/O thread that wrote the task. */
static bool lose_it_in_between(patio_broker *broker, const place *at)
{
    caller    c = {.broker = broker};
    pthread_t thread;
    int       fd = worker_of(broker, at);
    assert_int_equal(pthread_create(&thread, NULL, start, &c), 0);
    (void)sem_wait(&reached);
    read_task(fd); /* and may begin it */
    bool in_between = atomic_load(&stalled);
    (void)close(fd);
    wait_peers(broker, 0);
    if (in_between) {
        (void)sem_post(&go_on);
    }
    (void)pthread_join(thread, NULL);
    (void)sem_trywait(&reached);
    assert_int_equal(c.status, PATIO_OK);
    fd = worker_of(broker, at);
    if (patio_future_wait(c.f, LIMIT_MS) != PATIO_OK) {
        read_task(fd);
        fail_msg("another worker has the task, too");
    }
    assert_int_equal(patio_future_status(c.f, NULL), PATIO_PEER_LOST);
    patio_future_destroy(c.f);
    (void)close(fd);
    wait_peers(broker, 0);
    return in_between;
}

static void what_is_being_written_is_lost_with_its_peer(void **state)
{
    place at;
    bool  done = false;
    (void)state;
    place_make(&at, "unix", "", "");
    patio_broker *broker = open_quiet_broker(NULL, at.listen_url, "1");
    assert_non_null(broker);
    for (int i = 0; i < TRIES && !done; i++) {
        done = lose_it_in_between(broker, &at);
    }
    assert_true(done);
    patio_broker_destroy(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_being_written_is_lost_with_its_peer),
    };
    (void)sem_init(&reached, 0, 0);
    (void)sem_init(&go_on, 0, 0);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
