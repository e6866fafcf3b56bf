/* What a child says. It is believed nothing that could hurt: it may be running wild. */
#include "pool.h"

#include <errno.h>

#include <patio/child_socket.h>

/* ---- what a task says while it runs: its job stays, for this thread alone ends it ---- */

static void hear_log(patio_executor *x, child *c, const patio_child_part *part)
{
    patio_child_log log;
    memcpy(&log, part->body, sizeof(log));
    pthread_mutex_lock(&x->lock);
    const patio_job *job = results_job(c, part->frame.number);
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
    patio_job *job = results_job(c, part->frame.number);
    pthread_mutex_unlock(&x->lock);
    if (job != NULL) {
        job->ops->progress(job, &p);
    }
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
        c->born_ns  = pool_now(x); /* its age is that of its service */
        c->moved_ns = c->born_ns;
        x->failures = 0;
        x->ready++;
        x->ever_ready++;
        x->renewed += x->reloading && c->generation == x->generation ? 1 : 0;
    } else if (x->start_error.status == PATIO_OK) {
        memcpy(&x->start_error, &err, sizeof(err));
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    if (err.status != PATIO_OK) {
        patio_host_log(x->host, PATIO_LOG_ERROR, "%s", err.message);
        reload_failed(x, c->generation, err.message);
        end_kill(c, CAUSE_UNREADY);
    }
    return true;
}

/* ---- frames ---- */

static bool hear_frame(patio_executor *x, child *c, const patio_child_part *part, int fd)
{
    switch (part->frame.type) {
    case PATIO_CHILD_RESULT:
        return results_take(x, c, part, fd);
    case PATIO_CHILD_READY:
        return hear_ready(x, c, part);
    case PATIO_CHILD_LOG:
        hear_log(x, c, part);
        return true;
    case PATIO_CHILD_PROGRESS:
        hear_progress(x, c, part);
        return true;
    case PATIO_CHILD_CALL:
        return calls_publish(x, c, part, fd);
    case PATIO_CHILD_CALL_CANCEL:
        return calls_cancel(x, c, part);
    default:
        return false;
    }
}

static void hear_frames(patio_executor *x, child *c, const uint8_t *packet, size_t size, int fd)
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
    c->packets++;
    hear_frames(x, c, x->inbound, (size_t)size, fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return true;
}
