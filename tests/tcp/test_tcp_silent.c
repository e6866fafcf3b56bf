/* Peers that are given, or send, large tasks and read nothing. What they cost an honest process has
 * a bound that follows from its options, others are served meanwhile, and the silent one is put out
 * in time: its calls end, by name, or go to somebody else. */
#include "hostile_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <patio/peers.h>

enum {
    KIB         = 1024,
    MIB         = 1024 * 1024,
    TASK        = 256 * KIB, /* bytes of a large task, and of its result */
    WRITE_QUEUE = 1 * MIB,
    QUEUED      = 16 * MIB,
    SLACK_MS    = 4000, /* of a busy machine */
    DEADLINE_MS = 20000,
    AT_ONCE     = 48, /* calls that wait for their end */
    SERVED      = 8,  /* of them, at least, by the other worker */
    SLOTS       = 2,  /* of the worker */
};

#define LIMITS "write_queue_bytes=1MiB&max_queued_bytes=16MiB&ping_ms=300ms&dead_ms="

/* BESIDE: what an allocator and sockets need beside what is counted. A sanitizer keeps what was
 * freed, and is slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BESIDE = 400 * MIB, DEAD_MS = 4000 };
#define OPTIONS LIMITS "4s"
#else
enum { BESIDE = 8 * MIB, DEAD_MS = 1200 };
#define OPTIONS LIMITS "1200"
#endif

static uint8_t data[TASK];

static void expect_resident(pid_t pid, uint64_t before, uint64_t bound)
{
    uint64_t now = worker_resident_bytes(pid);
    if (now > before + bound + BESIDE) {
        fail_msg("%llu KiB more than before, at most %llu are expected",
                 (unsigned long long)(now - before) / KIB, (unsigned long long)bound / KIB);
    }
}

/* ---- it takes tasks ---- */

typedef struct account {
    uint32_t workers; /* the silent one is among them */
    bool     there;
    uint64_t given; /* tasks that the silent one has, and bytes that were written to it */
    uint64_t written;
} account;

static int32_t look(void *arg, const patio_peer *peer)
{
    account *a = arg;
    a->workers += peer->task_count > 0 ? 1 : 0;
    if (peer->credit == UINT32_MAX) {
        a->there   = true;
        a->given   = peer->in_flight;
        a->written = peer->bytes_out;
    }
    return 0;
}

static account examine(patio_broker *broker)
{
    account a = {0};
    assert_int_equal(patio_broker_peers(broker, look, &a, NULL), PATIO_OK);
    return a;
}

static patio_future *start_large(patio_broker *broker)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS};
    if (patio_start(broker, "echo", PATIO_ARGS(patio_blob(data, TASK)), &options, &f, &err) !=
        PATIO_OK) {
        fail_msg("%s", err.message);
    }
    return f;
}

static patio_status take_end(patio_future **f)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_future_status(*f, &err);
    if (st != PATIO_OK && st != PATIO_PEER_LOST) {
        fail_msg("%s", err.message);
    }
    patio_future_destroy(*f);
    *f = NULL;
    return st;
}

/* Keep so many calls on their way until the silent peer is out; what it had at the last look. */
static account call_until_it_is_out(patio_broker *broker, patio_future **f, uint64_t *lost)
{
    uint64_t served = 0; /* by the other one, while its queue was full */
    account  last   = {0};
    account  now    = examine(broker);
    uint64_t before = worker_resident_bytes(getpid());
    uint64_t end_ms = now_ms() + DEAD_MS + SLACK_MS;
    while (now.there) {
        size_t index = 0;
        for (int i = 0; i < AT_ONCE; i++) {
            f[i] = f[i] == NULL ? start_large(broker) : f[i];
        }
        (void)patio_future_wait_any(f, AT_ONCE, 50, &index);
        for (int i = 0; i < AT_ONCE; i++) {
            if (patio_future_done(f[i])) {
                bool ok = take_end(&f[i]) == PATIO_OK;
                served += ok && now.given * TASK > WRITE_QUEUE ? 1 : 0;
                *lost += ok ? 0 : 1;
            }
        }
        last = now;
        now  = examine(broker);
        /* a full queue gets no more; what it holds more than that is the task that filled it */
        assert_in_range(now.given * TASK, 0, now.written + WRITE_QUEUE + TASK);
        /* the calls and their results; what waits to be written is not held a second time */
        expect_resident(getpid(), before, 2ull * AT_ONCE * TASK);
        assert_true(now_ms() < end_ms);
    }
    assert_true(served >= SERVED);
    return last;
}

static void one_that_takes_tasks_and_reads_nothing(void **state)
{
    patio_future *f[AT_ONCE] = {NULL};
    uint64_t      lost       = 0;
    place_make(&site, *state, OPTIONS, "");
    patio_broker *caller = open_quiet_broker(NULL, site.listen_url, "1");
    assert_non_null(caller);
    worker     = worker_begin((const char *const[]){site.connect_url, NULL});
    int     fd = raw_prove(stranger(), "", NULL);
    account a  = {0};
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "echo", UINT32_MAX)));
    for (int i = 0; i < 1000 && a.workers < 2; i++) {
        usleep(1000);
        a = examine(caller);
    }
    assert_int_equal(a.workers, 2);
    a = call_until_it_is_out(caller, f, &lost);
    for (int i = 0; i < AT_ONCE; i++) {
        if (f[i] != NULL) {
            assert_int_equal(patio_future_wait(f[i], SLACK_MS), PATIO_OK);
            lost += take_end(&f[i]) == PATIO_PEER_LOST ? 1 : 0;
        }
    }
    assert_true(a.given * TASK > WRITE_QUEUE);
    /* what it cannot have, for not all of it was written, went to the other worker */
    assert_in_range(lost, 0, a.written / TASK);
    (void)close(fd);
    patio_broker_destroy(caller);
}

/* ---- it calls ---- */

static size_t put_varint(uint8_t *to, size_t value)
{
    size_t at = 0;
    for (; value > 127; value >>= 7) {
        to[at++] = (uint8_t)(value | 0x80u);
    }
    to[at++] = (uint8_t)value;
    return at;
}

/* A call of "echo" with a raw payload: an Envelope, docs/protocol.md. */
static size_t put_envelope(uint8_t *to, uint64_t number)
{
    static const uint8_t head[] = {0x10, 1, 0x1a, 16}; /* kind, id */
    static const uint8_t rest[] = {
        0x22, 4, 'e', 'c', 'h', 'o',                 /* task */
        0x2a, 7, 'd', 'e', 'f', 'a',  'u', 'l', 't', /* project */
        0x3a, 3, 'x', '/', 'y', 0xa2, 6,             /* content type, payload */
    };
    uint8_t id[16] = {[15] = 1};
    memcpy(id, &number, sizeof(number));
    memcpy(to, head, sizeof(head));
    memcpy(to + sizeof(head), id, sizeof(id));
    memcpy(to + sizeof(head) + sizeof(id), rest, sizeof(rest));
    size_t at = sizeof(head) + sizeof(id) + sizeof(rest);
    at += put_varint(to + at, TASK);
    memset(to + at, 0x5a, TASK);
    return at + TASK;
}

/* In pieces, as every long message. False: the other side has closed. */
static bool call_large(int fd, uint64_t number)
{
    static uint8_t whole[TASK + 256];
    uint8_t        header[FRAME_HEADER_BYTES];
    size_t         size = put_envelope(whole, number);
    size_t         head = raw_publish(body + 4, number, "echo", 0);
    frame_header   h    = {.size    = (uint32_t)head + 4,
                           .type    = FRAME_PUBLISH,
                           .flags   = FRAME_FIRST | FRAME_MORE,
                           .channel = 1,
                           .id      = number};
    frame_put32(body, (uint32_t)size);
    frame_put_header(header, &h);
    bool on = raw_send(fd, header, sizeof(header)) && raw_send(fd, body, h.size);
    for (size_t at = 0; on && at < size; at += h.size) {
        size_t left = size - at;
        h.flags     = left > FRAME_CHUNK_BYTES ? FRAME_MORE : 0;
        h.size      = (uint32_t)(left > FRAME_CHUNK_BYTES ? FRAME_CHUNK_BYTES : left);
        frame_put_header(header, &h);
        on = raw_send(fd, header, sizeof(header)) && raw_send(fd, whole + at, h.size);
    }
    return on;
}

static void one_that_calls_and_reads_nothing(void **state)
{
    /* Tasks in the inbox; replies up to the full queue, and those of what runs then; what runs;
     * and one on its way in. Each task beyond that is refused, by a few bytes that wait as well. */
    enum {
        BOUND   = QUEUED + WRITE_QUEUE + (2 * SLOTS + 1) * TASK,
        REFUSAL = 2 * (FRAME_HEADER_BYTES + FRAME_SETTLE_BYTES), /* in a buffer that doubles */
    };
    serve(*state, OPTIONS);
    expect_service();
    uint64_t before = worker_resident_bytes(worker);
    for (int round = 0; round < 2; round++) {
        uint64_t end_ms = now_ms() + DEAD_MS + SLACK_MS;
        uint64_t number = 1;
        int      fd     = insider();
        assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "", 0)));
        for (; call_large(fd, number); number++) {
            if (number % 4 == 0) {
                expect_service();
                expect_resident(worker, before, BOUND + number * REFUSAL);
            }
            assert_true(now_ms() < end_ms);
        }
        assert_true(number * TASK > BOUND);
        (void)close(fd);
    }
}

int main(void)
{
#define OVER(scheme, name) {#name ", " #scheme, name, NULL, end_service, scheme##_scheme}
    /* Of the worker: what one thread has freed serves the next one, too. It has several that read,
     * and with heaps of their own each could keep a round's memory. */
    (void)setenv("MALLOC_ARENA_MAX", "1", 1);
    static char unix_scheme[] = "unix";
    static char tcp_scheme[]  = "tcp";

    const struct CMUnitTest tests[] = {
        OVER(unix, one_that_takes_tasks_and_reads_nothing),
        OVER(tcp, one_that_takes_tasks_and_reads_nothing),
        OVER(unix, one_that_calls_and_reads_nothing),
        OVER(tcp, one_that_calls_and_reads_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
