/* What came of a child's jobs. It is believed nothing that could hurt: it may be running wild. */
#include "pool.h"

#include <patio/child_socket.h>

/* What was said before a result is heard before it, but a child that says it said more than there
 * is shall not keep the others waiting. */
enum { PACKETS_BEFORE_MAX = 256 };

/* ---- bytes ---- */

typedef struct mapping {
    const patio_host *host;
    void             *at;
    size_t            size;
} mapping;

static void unmap(void *arg)
{
    mapping *m = arg;
    (void)munmap(m->at, m->size);
    m->host->free(m->host->self, m);
}

static patio_buf *map_bytes(const patio_host *host, int fd, uint64_t size)
{
    const uint8_t *at = patio_child_map(fd, size);
    mapping       *m  = at != NULL ? host->alloc(host->self, sizeof(*m)) : NULL;
    patio_buf     *b  = NULL;
    if (m != NULL) {
        *m = (mapping){.host = host, .at = (void *)(uintptr_t)at, .size = (size_t)size};
        b  = host->buf_wrap(host->self, (patio_bytes){at, (size_t)size}, unmap, m);
    }
    if (b == NULL) {
        host->free(host->self, m);
        if (at != NULL) {
            (void)munmap((void *)(uintptr_t)at, (size_t)size);
        }
    }
    return b;
}

patio_buf *results_bytes(const patio_host *host, const patio_child_part *part, int fd)
{
    if ((part->frame.flags & PATIO_CHILD_SHARED) != 0) {
        return map_bytes(host, fd, part->frame.bytes);
    }
    uint8_t   *data = NULL;
    patio_buf *b    = host->buf_new(host->self, (size_t)part->frame.bytes, &data);
    if (b != NULL && part->frame.bytes > 0) {
        memcpy(data, part->bytes, (size_t)part->frame.bytes);
    }
    return b;
}

/* ---- results ---- */

patio_job *results_job(const child *c, uint64_t number)
{
    return number - c->first < c->number - c->first ? c->jobs[number % DEPTH_MAX] : NULL;
}

/* Take the job out of the child's hands; NULL: it has none of that number. */
static patio_job *take_job(patio_executor *x, child *c, uint64_t number, uint64_t took_ns)
{
    pthread_mutex_lock(&x->lock);
    patio_job *job = results_job(c, number);
    if (job != NULL) {
        c->jobs[number % DEPTH_MAX] = NULL;
        c->held--;
        while (c->first < c->number && c->jobs[c->first % DEPTH_MAX] == NULL) {
            c->first++;
        }
        /* a task that wrote over its page has had its say; the next one shall not pay for it */
        if (atomic_load(&c->page->jobs.head) != c->job_at) {
            atomic_store(&c->broken, true);
        }
        c->moved_ns     = pool_now(x);
        c->stuck        = false;
        uint64_t most   = x->average_ns * 8 + 1000;
        x->average_ns   = x->average_ns - x->average_ns / 8 + (took_ns < most ? took_ns : most) / 8;
        c->output_bytes = 0;
    }
    pthread_mutex_unlock(&x->lock);
    return job;
}

bool results_take(patio_executor *x, child *c, const patio_child_part *part, int fd)
{
    patio_child_result r;
    memcpy(&r, part->body, sizeof(r));
    if (r.verdict < PATIO_ACK || r.verdict > PATIO_REJECT) {
        return false;
    }
    patio_job *job = take_job(x, c, part->frame.number, r.took_ns);
    if (job == NULL) {
        return true; /* it was heard before, from the page of a dead child */
    }
    patio_outcome out = {PATIO_SIZED(patio_outcome), .verdict = r.verdict, .status = r.status,
                         .delay_ms = r.delay_ms};
    if ((part->frame.flags & PATIO_CHILD_BYTES) != 0) {
        out.reply = results_bytes(x->host, part, fd);
        if (out.reply == NULL) {
            job->ops->fail(job, PATIO_TASK_RETRY, 0, PATIO_NO_MEMORY, "NO_MEMORY",
                           "its result could not be taken over from the child process", &out);
        }
    }
    pool_done(x, job, &out);
    return true;
}

/* ---- the ring ---- */

static void hear_before(patio_executor *x, child *c, uint32_t after)
{
    uint32_t heard = 0;
    for (int i = 0; i < PACKETS_BEFORE_MAX && (int32_t)(after - c->packets) > 0; i++) {
        heard = c->packets;
        if (c->lost_ns != 0 || !hear_packet(x, c) || c->packets == heard) {
            return;
        }
    }
}

void results_read(patio_executor *x, child *c, uint64_t end)
{
    uint64_t         from = c->result_at;
    patio_child_part part = {.text = ""};
    if (end - from > PATIO_CHILD_RING_BYTES) {
        end_kill(c, CAUSE_PROTOCOL);
        return;
    }
    while (c->result_at != end) {
        patio_child_result result;
        uint64_t           took = patio_child_result_next(c->page, c->result_at, end - c->result_at,
                                                          &part.frame, &result, &part.bytes);
        part.body               = &result;
        if (took > 0) {
            hear_before(x, c, result.after);
        }
        if (took == 0 || !results_take(x, c, &part, -1)) {
            c->result_at = end; /* the rest is noise */
            end_kill(c, CAUSE_PROTOCOL);
            break;
        }
        c->result_at += took;
    }
    atomic_store(&c->page->results.tail, c->result_at);
    if (atomic_load(&c->page->wants_room) != 0) {
        patio_child_wake(c->page);
    }
}
