/* The memory that a child shares with the executor `process`, and a packet of its socket, as a
 * child that runs wild may leave them, with jobs in its hands: the executor reads nothing outside
 * of what was written, ends each job at most once, and gives back those that had not begun. */
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

#include "pool.h"
#include "ring_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { JOBS_MAX = DEPTH_MAX, NO_SUCH_PROCESS = INT_MAX };

/* What an input begins with; its packet and its results follow. */
typedef struct wild {
    uint64_t turn;
    uint64_t tail; /* of the ring of jobs */
    uint64_t rung;
    uint32_t ahead; /* of results: head less what was read */
    uint32_t crash_bytes;
    int32_t  crash_signal;
    uint32_t lending;
    uint16_t from; /* what was read, in eights */
    uint16_t first;
    uint8_t  held;
    uint8_t  wants_room;
    uint8_t  state;
    uint8_t  heard;
    uint16_t packet_bytes;
    uint16_t written; /* of the ring of jobs, in eights */
    uint32_t reserved;
} wild;

static patio_executor x;
static child         *c;
static patio_job      jobs[JOBS_MAX + 1];
static unsigned       done[JOBS_MAX + 1];
static uint32_t       given;     /* jobs that the child has */
static int            child_end; /* of its socket */

static void note_done(void *self, patio_job *job, const patio_outcome *out)
{
    (void)self;
    size_t at = (size_t)(job - jobs);
    require(at <= JOBS_MAX && ++done[at] == 1);
    require(out->verdict >= PATIO_ACK && out->verdict <= PATIO_REJECT);
    if (out->reply != NULL) {
        ring_read_all(pt_buf_view(out->reply));
        pt_buf_drop(out->reply);
    }
}

static void set_up(void)
{
    static const patio_executor_events events = {PATIO_SIZED(patio_executor_events),
                                                 .done = note_done};
    static child                       one;
    int                                pair[2];
    int                                fd = memfd_create("fuzz", MFD_CLOEXEC);
    c                                     = &one;
    x.host                                = ring_host();
    x.setup                               = ring_setup();
    x.events                              = &events;
    x.workers                             = 4;
    x.useful                              = 1;
    x.shared_bytes                        = 32 * 1024;
    x.children                            = c;
    x.values[OPT_QUEUE_MAX].number        = 1000;
    x.values[OPT_EXTRA].number            = 16;
    x.program                             = (char *)(uintptr_t) "child";
    x.directory                           = (char *)(uintptr_t) "";
    x.packet                              = malloc(PATIO_CHILD_PACKET);
    x.inbound                             = malloc(PATIO_CHILD_PACKET);
    require(pthread_mutex_init(&x.lock, NULL) == 0 && pthread_cond_init(&x.changed, NULL) == 0);
    require(fd >= 0 && ftruncate(fd, PATIO_CHILD_FILE_BYTES) == 0);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
    *c = (child){.page = patio_child_page_map(fd), .jobs_fd = pair[0], .words_fd = -1};
    require(c->page != NULL && x.packet != NULL && x.inbound != NULL);
    child_end = pair[1];
    (void)close(fd);
}

/* As new, but for what is kept of one input for the next. */
static void begin(const wild *w)
{
    static const child_state states[] = {CHILD_READY, CHILD_LEAVING, CHILD_STARTING, CHILD_CLOSED};
    child                    fresh    = {.x           = &x,
                                         .page        = c->page,
                                         .jobs_fd     = c->jobs_fd,
                                         .words_fd    = -1,
                                         .pid         = NO_SUCH_PROCESS,
                                         .pid_fd      = -1,
                                         .statm_fd    = -1,
                                         .bell_fd     = -1,
                                         .incarnation = 1};
    *c                                = fresh;
    require(pthread_mutex_init(&c->words_lock, NULL) == 0);
    c->words_end         = &c->words;
    c->streams[0].fd     = -1;
    c->streams[1].fd     = -1;
    c->state             = states[w->state % 4];
    c->packets           = w->heard;
    c->first             = w->first;
    c->number            = w->first;
    c->result_at         = (uint64_t)w->from * 8;
    c->job_at            = (uint64_t)w->written * 8;
    x.queue              = (patio_job_queue){0};
    x.queued             = 0;
    x.refused            = NULL;
    x.lent               = 0;
    x.ready              = c->state == CHILD_READY ? 1 : 0;
    x.average_ns         = 1000000;
    x.start_error.status = PATIO_OK;
    memset(done, 0, sizeof(done));
    given = w->held % (JOBS_MAX + 1);
    for (uint32_t i = 0; i <= JOBS_MAX; i++) {
        jobs[i] = (patio_job){PATIO_SIZED(patio_job), .task = "task", .request = ring_request(),
                              .ops = &ring_job_ops};
        if (i < given) {
            c->jobs[c->number++ % DEPTH_MAX] = &jobs[i];
            c->held++;
        }
    }
}

static void write_page(const wild *w, const uint8_t *results, size_t size)
{
    patio_child_page *page = c->page;
    memset(patio_child_result_at(page, 0), 0, PATIO_CHILD_RING_BYTES);
    memcpy(patio_child_result_at(page, c->result_at), results, size);
    memset(page->crash, 'x', sizeof(page->crash));
    memcpy(page->crash, results, size < sizeof(page->crash) ? size : sizeof(page->crash));
    page->turn         = w->turn;
    page->lending      = w->lending;
    page->jobs.tail    = w->tail;
    page->results.head = c->result_at + w->ahead;
    page->wants_room   = w->wants_room;
    page->rung         = w->rung;
    page->crash_bytes  = w->crash_bytes;
    page->crash_signal = w->crash_signal;
}

static bool is_one_of_them(const patio_job *job)
{
    return job == NULL || (job >= jobs && job <= &jobs[JOBS_MAX]);
}

/* As the loop does it, in a turn and when the child is dead. */
static void play(const uint8_t *packet, size_t packet_bytes)
{
    uint64_t   number = 0;
    patio_job *extra  = &jobs[JOBS_MAX];
    if (packet_bytes > 0) {
        require(send(child_end, packet, packet_bytes, 0) == (ssize_t)packet_bytes);
        (void)hear_packet(&x, c);
    }
    uint64_t head = atomic_load(&c->page->results.head);
    ring_guard(c->page, c->result_at, head - c->result_at);
    results_read(&x, c, head);
    ring_unguard(c->page);
    require(c->result_at == head || c->killed);
    require(is_one_of_them(watch_running(c, &number)));
    staff_lend(&x);
    require(x.lent <= 16);
    if (c->state == CHILD_READY && deal_places(&x, c) > 0) {
        c->taken = true;
        (void)give_many(&x, c, &extra, 1);
    } else {
        pool_push_front(&x, extra);
    }
    (void)deal_withdraw(&x, c);
    (void)watch_all(&x, pool_now(&x));
    end_child(&x, c);
}

static void check(void)
{
    uint32_t ended = 0;
    for (uint32_t i = 0; i <= JOBS_MAX; i++) {
        ended += done[i];
    }
    for (patio_job *job = pool_pop(&x); job != NULL; job = pool_pop(&x)) {
        size_t at = (size_t)(job - jobs);
        require(at <= JOBS_MAX && ++done[at] == 1);
        ended++;
    }
    require(ended == given + 1 && c->held == 0);
    ring_check_empty();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wild w;
    if (size < sizeof(w) || size > PATIO_CHILD_PACKET) {
        return 0;
    }
    if (c == NULL) {
        set_up();
    }
    memcpy(&w, data, sizeof(w));
    data += sizeof(w);
    size -= sizeof(w);
    size_t packet = w.packet_bytes < size ? w.packet_bytes : size;
    begin(&w);
    write_page(&w, data + packet, size - packet);
    play(data, packet);
    words_fini(&x, c);
    /* what is left in the socket is of this input, not of the next */
    while (recv(c->jobs_fd, x.inbound, PATIO_CHILD_PACKET, MSG_DONTWAIT) > 0) {
    }
    check();
    return 0;
}
