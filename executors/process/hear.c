/* What a child says. It is believed nothing that could hurt: it may be running wild. */
#include "pool.h"

#include <errno.h>

#include <patio/child_socket.h>

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

static patio_buf *bytes_of(const patio_host *host, const patio_child_part *part, int fd)
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

static patio_job *job_of(const child *c, uint64_t number)
{
    return number - c->first < c->number - c->first ? c->jobs[number % DEPTH_MAX] : NULL;
}

/* Take the job out of the child's hands; NULL: it has none of that number. */
static patio_job *take_job(patio_executor *x, child *c, uint64_t number, uint64_t took_ns)
{
    pthread_mutex_lock(&x->lock);
    patio_job *job = job_of(c, number);
    if (job != NULL) {
        c->jobs[number % DEPTH_MAX] = NULL;
        c->held--;
        while (c->first < c->number && c->jobs[c->first % DEPTH_MAX] == NULL) {
            c->first++;
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

static bool hear_result(patio_executor *x, child *c, const patio_child_part *part, int fd)
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
        out.reply = bytes_of(x->host, part, fd);
        if (out.reply == NULL) {
            job->ops->fail(job, PATIO_TASK_RETRY, 0, PATIO_NO_MEMORY, "NO_MEMORY",
                           "its result could not be taken over from the child process", &out);
        }
    }
    pool_done(x, job, &out);
    return true;
}

/* ---- what a task says while it runs: its job stays, for this thread alone ends it ---- */

static void hear_log(patio_executor *x, child *c, const patio_child_part *part)
{
    patio_child_log log;
    memcpy(&log, part->body, sizeof(log));
    pthread_mutex_lock(&x->lock);
    const patio_job *job = job_of(c, part->frame.number);
    pthread_mutex_unlock(&x->lock);
    if (log.level < PATIO_LOG_TRACE || log.level > PATIO_LOG_ERROR) {
        return;
    }
    if (job != NULL) {
        job->ops->log(job, log.level, part->text);
    } else {
        patio_host_log(x->host, log.level, "child %d: %s", (int)c->pid, part->text);
    }
}

static void hear_progress(patio_executor *x, child *c, const patio_child_part *part)
{
    patio_progress p;
    memcpy(&p, part->body, sizeof(p));
    p.struct_size              = sizeof(p);
    p.note[sizeof(p.note) - 1] = '\0';
    pthread_mutex_lock(&x->lock);
    patio_job *job = job_of(c, part->frame.number);
    pthread_mutex_unlock(&x->lock);
    if (job != NULL) {
        job->ops->progress(job, &p);
    }
}

/* ---- its calls ---- */

static bool is_own_id(const child *c, const patio_id *id)
{
    uint64_t half;
    memcpy(&half, id->bytes, sizeof(half));
    return half == c->incarnation;
}

static void refuse_call(patio_executor *x, child *c, const patio_id *id, patio_status st,
                        const char *why)
{
    patio_child_answer a = {.id = *id, .outcome = PATIO_REJECTED, .status = st};
    a.text_bytes         = (uint32_t)strlen(why) + 1;
    give_word(x, c, PATIO_CHILD_RECEIPT, 0, &a, why, (patio_bytes){NULL, 0});
}

static bool hear_call(patio_executor *x, child *c, const patio_child_part *part, int fd)
{
    patio_child_call call;
    memcpy(&call, part->body, sizeof(call));
    const char *queue = part->text;
    const char *task  = queue + strlen(queue) + 1;
    size_t      used  = (size_t)(task - part->text);
    if (used >= part->text_bytes || !is_own_id(c, &call.id)) {
        return false;
    }
    const char *key = task + strlen(task) + 1;
    used            = (size_t)(key - part->text);
    if (used + call.dedup_bytes + 1 != part->text_bytes || call.priority > PATIO_PRIORITY_MAX) {
        return false;
    }
    patio_error   err     = PATIO_ERROR_INIT;
    patio_message message = {
        PATIO_SIZED(patio_message),
        .flags           = call.flags,
        .id              = call.id,
        .queue           = queue,
        .task            = task,
        .dedup_key       = {(const uint8_t *)key, call.dedup_bytes},
        .dedup_window_ms = call.dedup_window_ms,
        .dedup_conflict  = call.dedup_conflict,
        .ttl_ms          = call.ttl_ms,
        .delay_ms        = call.delay_ms,
        .priority        = call.priority,
        .attempt         = 1,
        .level           = call.level,
        .body            = bytes_of(x->host, part, fd),
    };
    patio_status st = message.body != NULL
                          ? x->setup->publish(x->setup->self, &message, &err)
                          : patio_fail(&err, PATIO_NO_MEMORY, 0, "call %s: out of memory", task);
    x->host->buf_drop(x->host->self, message.body);
    if (st != PATIO_OK) {
        refuse_call(x, c, &call.id, st, err.message);
    }
    return true;
}

static bool hear_call_cancel(patio_executor *x, child *c, const patio_child_part *part)
{
    patio_child_answer a;
    memcpy(&a, part->body, sizeof(a));
    if (!is_own_id(c, &a.id)) {
        return false;
    }
    (void)x->setup->cancel(x->setup->self, part->text, &a.id, NULL);
    return true;
}

/* ---- ready ---- */

static bool hear_ready(patio_executor *x, child *c, const patio_child_part *part)
{
    patio_child_ready        r;
    const patio_child_setup *own = x->setup;
    patio_error              err = PATIO_ERROR_INIT;
    memcpy(&r, part->body, sizeof(r));
    if (c->state != CHILD_STARTING) {
        return c->state == CHILD_LEAVING || c->state == CHILD_CLOSED;
    }
    if (r.status != PATIO_OK) {
        (void)patio_fail(&err, r.status, 0, "child process of %s: %s", x->program, part->text);
    } else if (r.fingerprint != own->fingerprint) {
        (void)patio_fail(
            &err, PATIO_CONFIG, 0,
            "child process of %s has another registry: %u tasks there, %u here, and not the same "
            "names and versions. Its tasks must come from task modules, or main must begin with "
            "PATIO_CHILD_MAIN and make the whole registry there (docs/process.md)",
            x->program, r.task_count, own->task_count);
    }
    pthread_mutex_lock(&x->lock);
    if (err.status == PATIO_OK) {
        c->state    = CHILD_READY;
        x->failures = 0;
        x->ready++;
    } else if (x->start_error.status == PATIO_OK) {
        memcpy(&x->start_error, &err, sizeof(err));
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    if (err.status != PATIO_OK) {
        patio_host_log(x->host, PATIO_LOG_ERROR, "%s", err.message);
        end_kill(c, CAUSE_UNREADY);
    }
    return true;
}

/* ---- frames ---- */

static bool hear_frame(patio_executor *x, child *c, const patio_child_part *part, int fd)
{
    switch (part->frame.type) {
    case PATIO_CHILD_RESULT:
        return hear_result(x, c, part, fd);
    case PATIO_CHILD_READY:
        return hear_ready(x, c, part);
    case PATIO_CHILD_LOG:
        hear_log(x, c, part);
        return true;
    case PATIO_CHILD_PROGRESS:
        hear_progress(x, c, part);
        return true;
    case PATIO_CHILD_CALL:
        return hear_call(x, c, part, fd);
    case PATIO_CHILD_CALL_CANCEL:
        return hear_call_cancel(x, c, part);
    default:
        return false;
    }
}

void hear_frames(patio_executor *x, child *c, const uint8_t *packet, size_t size, int fd)
{
    size_t           at = 0;
    patio_child_part part;
    int32_t          more;
    while ((more = patio_child_next(packet, size, &at, &part)) > 0) {
        if (!hear_frame(x, c, &part, fd)) {
            more = -1;
            break;
        }
    }
    if (more < 0) {
        end_kill(c, CAUSE_PROTOCOL);
    }
}

/* One at a time, for what its task wrote to the standard streams before it was said together with
 * it by the same look at what there is, and is read first. */
bool hear_packet(patio_executor *x, child *c)
{
    int     fd = -1;
    ssize_t size =
        patio_child_receive(c->jobs_fd, x->inbound, PATIO_CHILD_PACKET, &fd, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return true;
    }
    if (size < 0 && errno == EMSGSIZE) {
        end_kill(c, CAUSE_PROTOCOL);
        return true;
    }
    if (size <= 0) {
        return false;
    }
    hear_frames(x, c, x->inbound, (size_t)size, fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return true;
}
