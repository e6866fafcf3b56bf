/* Jobs, one after the other, on the main thread. */
#include <patio/child_socket.h>

#include <stdio.h>

#include "base/clock.h"
#include "child/child.h"
#include "runtime/broker.h"

static void tell_progress(void *self, const patio_progress *progress)
{
    pt_child *child = self;
    (void)pt_child_tell(child, PATIO_CHILD_PROGRESS, child->current - 1, progress, NULL, 0,
                        (patio_bytes){NULL, 0});
}

static void tell_log(void *self, const patio_id *id, int32_t level, const char *text)
{
    pt_child       *child = self;
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

/* The descriptor that was sent beside a job that stands in the ring. */
static int take_descriptor(pt_child *child)
{
    int fd = -1;
    (void)patio_child_receive(PATIO_CHILD_FD_JOBS, child->packet, PATIO_CHILD_PACKET, &fd, 0);
    return fd;
}

static bool has_more(const pt_child *child)
{
    return atomic_load(&child->page->jobs.head) != child->job_at;
}

static void finish(pt_child *child, const patio_child_part *part, const patio_outcome *out,
                   uint64_t from_ns)
{
    uint64_t           now    = pt_now_ns();
    patio_child_result result = {
        .verdict  = out->verdict,
        .status   = out->status,
        .delay_ms = out->delay_ms,
        .took_ns  = now - from_ns,
    };
    uint64_t number = part->frame.number;
    child->job_at += part->frame.size; /* the parent hears of it with the ring's tail */
    pt_child_result(child, number, &result, out->reply, now, has_more(child));
}

static void run_job(pt_child *child, const patio_child_part *part)
{
    int fd = (part->frame.flags & PATIO_CHILD_SHARED) != 0 ? take_descriptor(child) : -1;
    if (!begin(child, part->frame.number)) {
        child->job_at += part->frame.size;
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    pthread_mutex_lock(&child->lock);
    child->current = part->frame.number + 1;
    atomic_store(&child->told, 0);
    pthread_mutex_unlock(&child->lock);
    uint64_t      from    = pt_now_ns();
    patio_buf    *request = pt_child_bytes(child, part, fd, false);
    patio_outcome out     = {PATIO_SIZED(patio_outcome)};
    if (fd >= 0) {
        close(fd);
    }
    run(child, part, request, &out);
    (void)fflush(stdout);
    if (pt_child_is_copy()) {
        /* the task has forked, and this is not the one that was asked */
        _exit(0);
    }
    pthread_mutex_lock(&child->lock);
    child->current = 0;
    pthread_mutex_unlock(&child->lock);
    finish(child, part, &out, from);
    pt_buf_drop(out.reply);
    pt_buf_drop(request);
}

/* ---- the ring of jobs ---- */

static bool is_closing(const pt_child *child)
{
    return atomic_load(&child->page->closing) != 0;
}

static bool has_news(const void *arg)
{
    const pt_child *child = arg;
    return has_more(child) || is_closing(child);
}

static void wait_for_news(pt_child *child)
{
    _Atomic uint32_t *sleeps = &child->page->child_sleeps;
    uint64_t          from   = pt_now_ns();
    if (!patio_spin_until(&child->spin, has_news, child)) {
        while (!has_news(child)) {
            atomic_store(sleeps, 1);
            if (!has_news(child)) {
                patio_child_sleep(sleeps, UINT64_MAX);
            }
        }
        atomic_store(sleeps, 0);
    }
    patio_spin_learn(&child->spin, pt_now_ns() - from);
}

void pt_child_work(pt_child *child)
{
    patio_child_page *page = child->page;
    for (;;) {
        if (!has_more(child)) {
            pt_child_ring(child);
            wait_for_news(child);
        }
        uint64_t         left = atomic_load(&page->jobs.head) - child->job_at;
        size_t           at   = 0;
        patio_child_part part;
        if (left == 0) {
            return; /* closing: nothing comes behind it */
        }
        if (left > PATIO_CHILD_RING_BYTES ||
            patio_child_next(patio_child_job_at(page, child->job_at), (size_t)left, &at, &part) <=
                0 ||
            part.frame.type != PATIO_CHILD_JOB) {
            page->crash_signal = PATIO_CHILD_LOST; /* a task wrote over it */
            pt_child_die();
        }
        run_job(child, &part);
        atomic_store_explicit(&page->jobs.tail, child->job_at, memory_order_release);
    }
}
