#include "runtime/awaiter.h"

#include <patio/spin.h>

#include <unistd.h>

#include "base/clock.h"
#include "runtime/run.h"

/* An executor may switch stacks below us, but never the thread of a task: so the address of this is
 * the same before and after. Its content is not, hence set anew after each suspension. In the
 * static block of the thread, for it is looked at several times in each call. */
static _Thread_local pt_awaiter *current __attribute__((tls_model("initial-exec")));

pt_awaiter *pt_await_current(void)
{
    return current;
}

void pt_await_enter(pt_awaiter *a, const pt_run *run)
{
    a->run   = run;
    a->outer = current;
    current  = a;
}

void pt_await_leave(pt_awaiter *a)
{
    current = a->outer;
    a->run  = NULL;
}

/* ---- tickets ---- */

/* The next number of a word, not resumed. */
static uint64_t renew(_Atomic uint64_t *word)
{
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t next;
    do {
        next = ((old >> 1) + 1) << 1;
    } while (!atomic_compare_exchange_weak(word, &old, next));
    return old;
}

patio_waker pt_await_ticket(pt_awaiter *a, unsigned purpose)
{
    a->issued |= 1u << purpose;
    (void)renew(&a->tickets[purpose]);
    uint64_t number = atomic_load_explicit(&a->tickets[purpose], memory_order_relaxed) >> 1;
    return (patio_waker){.target = a, .ticket = number << 2 | purpose};
}

bool pt_await_void(pt_awaiter *a, unsigned purpose)
{
    return (renew(&a->tickets[purpose]) & 1) != 0;
}

patio_status patio_resume(patio_waker waker)
{
    pt_awaiter *a       = waker.target;
    unsigned    purpose = waker.ticket & 3;
    if (a == NULL || purpose >= PT_TICKETS) {
        return PATIO_STALE;
    }
    uint64_t open = waker.ticket >> 2 << 1;
    /* Pinned first, then looked at; the end voids first, then looks for pins: one sees the other,
     * and what was woken cannot be over before this returns. */
    pt_await_pin(a);
    bool first = atomic_compare_exchange_strong(&a->tickets[purpose], &open, open | 1);
    if (first) {
        pt_await_wake(a);
    }
    pt_await_unpin(a);
    return first ? PATIO_OK : PATIO_STALE;
}

void pt_await_pin(pt_awaiter *a)
{
    atomic_fetch_add(&a->pins, 1);
}

void pt_await_unpin(pt_awaiter *a)
{
    atomic_fetch_sub_explicit(&a->pins, 1, memory_order_release);
}

void pt_await_quiesce(pt_awaiter *a)
{
    for (unsigned i = 0; atomic_load(&a->pins) != 0; i++) {
        if (i < 64) {
            patio_spin_pause();
        } else {
            (void)sched_yield();
        }
    }
}

void pt_await_end(pt_awaiter *a)
{
    /* of what was not issued nobody has a number */
    for (unsigned i = 0; a->issued != 0 && i < PT_TICKETS; i++) {
        (void)renew(&a->tickets[i]);
    }
    a->issued = 0;
    if (atomic_load(&a->pins) != 0) {
        pt_await_quiesce(a);
    }
    atomic_store_explicit(&a->permit, 0, memory_order_relaxed);
}

/* ---- waiting ---- */

void pt_await_wake(pt_awaiter *a)
{
    if (a->ops != NULL) {
        a->ops->wake(a->executor, a->job);
        return;
    }
    if (atomic_exchange(&a->permit, 1) == 0) {
        pt_unpark(&a->permit, 1);
    }
    int fd = atomic_load(&a->wake_fd) - 1;
    if (fd >= 0) {
        uint64_t one = 1;
        /* its counter cannot be full: it is read after each wake */
        (void)!write(fd, &one, sizeof(one));
    }
}

static void park(pt_awaiter *a, uint64_t until_ns)
{
    if (a->ops != NULL) {
        current = NULL; /* others run on this thread meanwhile */
        a->ops->park(a->executor, a->job, until_ns);
        current = a;
    } else if (atomic_exchange(&a->permit, 0) == 0) {
        (void)pt_park(&a->permit, 0, until_ns);
        atomic_store(&a->permit, 0);
    }
}

patio_status pt_await_park_fd(pt_awaiter *a, int fd, uint32_t events, uint64_t until_ns,
                              uint32_t *ready)
{
    current         = NULL;
    patio_status st = a->ops->wait_fd(a->executor, a->job, fd, events, until_ns, ready);
    current         = a;
    return st;
}

uint64_t pt_await_deadline(const pt_awaiter *a)
{
    return a->run->deadline_ns != 0 ? a->run->deadline_ns : UINT64_MAX;
}

static bool told(const pt_awaiter *a)
{
    return a->run->told != NULL && atomic_load_explicit(a->run->told, memory_order_acquire) != 0;
}

patio_status pt_await_told(const pt_awaiter *a, uint64_t now_ns)
{
    if (told(a)) {
        return PATIO_CANCELLED;
    }
    return now_ns >= pt_await_deadline(a) ? PATIO_TIMEOUT : PATIO_OK;
}

patio_status pt_await(pt_awaiter *a, unsigned purpose, uint64_t until_ns, bool shielded)
{
    uint64_t deadline = shielded ? UINT64_MAX : pt_await_deadline(a);
    uint64_t until    = deadline < until_ns ? deadline : until_ns;
    for (;;) {
        if ((atomic_load(&a->tickets[purpose]) & 1) != 0) {
            return PATIO_OK;
        }
        if (!shielded && told(a)) {
            return PATIO_CANCELLED;
        }
        if (until != UINT64_MAX && pt_now_ns() >= until) {
            return PATIO_TIMEOUT;
        }
        park(a, until);
    }
}

/* ---- core/include/patio/await.h ---- */

/* A context in other hands than those of the task that runs here is the caller's mistake. */
static bool is_here(const patio_context *ctx)
{
    return ctx->awaiter == current && current != NULL;
}

patio_status patio_sleep_ms(patio_context *ctx, uint64_t ms)
{
    if (!is_here(ctx)) {
        return PATIO_STATE;
    }
    uint64_t until = pt_after_ms(pt_now_ns(), ms);
    /* a ticket that nobody has: only time and the task's end are waited for */
    (void)pt_await_ticket(ctx->awaiter, PT_TICKET_CALL);
    patio_status st = pt_await(ctx->awaiter, PT_TICKET_CALL, until, false);
    return st == PATIO_TIMEOUT && until <= pt_await_deadline(ctx->awaiter) ? PATIO_OK : st;
}

patio_status patio_yield(patio_context *ctx)
{
    if (!is_here(ctx)) {
        return PATIO_STATE;
    }
    pt_awaiter *a        = ctx->awaiter;
    uint64_t    deadline = pt_await_deadline(a);
    if (told(a)) {
        return PATIO_CANCELLED;
    }
    if (deadline != UINT64_MAX && pt_has_passed(deadline)) {
        return PATIO_TIMEOUT;
    }
    if (a->ops != NULL) {
        current = NULL;
        a->ops->yield(a->executor, a->job);
        current = a;
    } else {
        (void)sched_yield();
    }
    return PATIO_OK;
}

patio_status patio_await_fd(patio_context *ctx, int fd, uint32_t events, uint64_t timeout_ms,
                            uint32_t *ready)
{
    uint32_t any = 0;
    if (!is_here(ctx)) {
        return PATIO_STATE;
    }
    if (fd < 0 || events == 0 || (events & ~(uint32_t)(PATIO_FD_READ | PATIO_FD_WRITE)) != 0) {
        return PATIO_INVALID;
    }
    return pt_await_fd(ctx->awaiter, fd, events, pt_after_ms(pt_now_ns(), timeout_ms),
                       ready != NULL ? ready : &any);
}

patio_waker patio_waker_new(patio_context *ctx)
{
    return pt_await_ticket(ctx->awaiter, PT_TICKET_USER);
}

patio_status patio_suspend(patio_context *ctx, uint64_t timeout_ms, uint32_t flags)
{
    if (!is_here(ctx)) {
        return PATIO_STATE;
    }
    uint64_t until =
        timeout_ms == PATIO_FOREVER ? UINT64_MAX : pt_after_ms(pt_now_ns(), timeout_ms);
    patio_status st =
        pt_await(ctx->awaiter, PT_TICKET_USER, until, (flags & PATIO_SUSPEND_SHIELDED) != 0);
    /* resumed at the last moment is resumed: who resumed it heard OK */
    return pt_await_void(ctx->awaiter, PT_TICKET_USER) ? PATIO_OK : st;
}

struct uv_loop_s *patio_task_loop(const patio_context *ctx)
{
    pt_awaiter *a = ctx->awaiter;
    return a->ops != NULL ? a->ops->loop(a->executor, a->job) : NULL;
}
