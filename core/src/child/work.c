/* Jobs, one after the other, on the main thread. */
#include <patio/child_socket.h>

#include <stdio.h>

#include "base/clock.h"
#include "child/child.h"
#include "runtime/broker.h"

static void tell_progress(void *self, const patio_progress *progress)
{
    const pt_child *child = self;
    (void)pt_child_tell(child, PATIO_CHILD_PROGRESS, child->current - 1, progress, NULL, 0,
                        (patio_bytes){NULL, 0});
}

static void tell_log(void *self, const patio_id *id, int32_t level, const char *text)
{
    const pt_child *child = self;
    patio_child_log log   = {.level = level, .text_bytes = (uint32_t)strlen(text) + 1, .id = *id};
    (void)pt_child_tell(child, PATIO_CHILD_LOG, child->current - 1, &log, text, log.text_bytes,
                        (patio_bytes){NULL, 0});
}

/* Begun, or withdrawn by the parent: one of the two, by one word. */
static bool begin(pt_child *child, uint64_t number)
{
    uint64_t turn = atomic_load(&child->page->turn);
    do {
        if ((uint32_t)number - (uint32_t)(turn >> 32) > UINT32_MAX / 2) {
            return false; /* below what was withdrawn */
        }
    } while (!atomic_compare_exchange_weak(
        &child->page->turn, &turn, (turn & ~(uint64_t)UINT32_MAX) | (uint32_t)(number + 1)));
    return true;
}

static void run(pt_child *child, const patio_child_part *part, patio_buf *request,
                patio_outcome *out)
{
    static const pt_run_host host = {.progress = tell_progress, .log = tell_log};
    _Alignas(16) uint8_t     scratch[PT_RUN_SCRATCH_BYTES];
    patio_child_job          job;
    memcpy(&job, part->body, sizeof(job));
    pt_run r = {
        .mem              = &child->runtime->mem,
        .host             = &host,
        .host_self        = child,
        .log              = &child->runtime->log,
        .broker           = child->broker,
        .task             = pt_registry_lookup(child->registry, part->text),
        .project          = child->project,
        .id               = job.id,
        .request          = request,
        .deadline_ns      = job.deadline_ns,
        .fence            = job.fence,
        .attempt          = job.attempt,
        .wants_reply      = (job.flags & PATIO_MESSAGE_CALL) != 0,
        .told             = &child->told,
        .max_body_bytes   = child->hello.max_body_bytes,
        .max_decode_bytes = child->hello.max_decode_bytes,
        .scratch          = scratch,
        .scratch_bytes    = sizeof(scratch),
        .awaiter          = &child->awaiter,
    };
    if (r.task == NULL || request == NULL) {
        *out = (patio_outcome){PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN,
                               .status   = r.task == NULL ? PATIO_NOT_FOUND : PATIO_NO_MEMORY,
                               .delay_ms = 1000};
        return;
    }
    pt_run_task(&r, out);
    pt_await_end(&child->awaiter);
}

static void run_job(pt_child *child, const patio_child_part *part, int fd)
{
    if (!begin(child, part->frame.number)) {
        return;
    }
    pthread_mutex_lock(&child->lock);
    child->current = part->frame.number + 1;
    atomic_store(&child->told, 0);
    pthread_mutex_unlock(&child->lock);
    uint64_t      from    = pt_now_ns();
    patio_buf    *request = pt_child_bytes(child, part, fd, false);
    patio_outcome out     = {PATIO_SIZED(patio_outcome)};
    run(child, part, request, &out);
    (void)fflush(stdout);
    if (getpid() != child->pid) {
        /* the task has forked, and this is not the one that was asked */
        _exit(0);
    }
    patio_child_result result = {
        .verdict  = out.verdict,
        .status   = out.status,
        .delay_ms = out.delay_ms,
        .took_ns  = pt_now_ns() - from,
    };
    pt_child_result(child, part->frame.number, &result, out.reply);
    pt_buf_drop(out.reply);
    pt_buf_drop(request);
}

void pt_child_work(pt_child *child)
{
    for (;;) {
        int     fd   = -1;
        ssize_t size = patio_child_receive(PATIO_CHILD_FD_JOBS, child->packet, PATIO_CHILD_PACKET,
                                           &fd, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            pt_child_flush(child);
            size =
                patio_child_receive(PATIO_CHILD_FD_JOBS, child->packet, PATIO_CHILD_PACKET, &fd, 0);
        }
        if (size <= 0) {
            pt_child_flush(child);
            return;
        }
        size_t           at = 0;
        patio_child_part part;
        while (patio_child_next(child->packet, (size_t)size, &at, &part) > 0) {
            if (part.frame.type == PATIO_CHILD_JOB) {
                run_job(child, &part, fd);
            }
        }
        if (fd >= 0) {
            close(fd);
        }
    }
}
