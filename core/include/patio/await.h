/* patio/await.h: waiting inside a task.
 *
 * Under an executor with PATIO_EXECUTOR_ASYNC a task that waits gives its thread to other tasks;
 * under any other executor its thread sleeps. The same task function works under both:
 * docs/async.md. patio_call, patio_send and patio_future_wait… wait in the same way when a task
 * calls them.
 *
 * Every function here that takes a context: only inside the task function, on the thread that runs
 * it. Those that wait return early with PATIO_CANCELLED when the task is told to end (cancelled,
 * lease lost, broker stopped), and with PATIO_TIMEOUT when the deadline of its call or of this
 * attempt passes; a task returns such a status as it came.
 */
#ifndef PATIO_AWAIT_H
#define PATIO_AWAIT_H

#include <patio/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Wait for ms milliseconds. OK; CANCELLED, TIMEOUT as above. */
PATIO_API PATIO_CHECKED patio_status patio_sleep_ms(patio_context *ctx, uint64_t ms);
/* Let others run that are ready. OK; CANCELLED, TIMEOUT as above, also without having waited: a
 * long computation that yields now and then needs no other look at them. */
PATIO_API PATIO_CHECKED patio_status patio_yield(patio_context *ctx);

enum {
    PATIO_FD_READ  = 1u << 0, /* there is something to read, or the other side has closed */
    PATIO_FD_WRITE = 1u << 1, /* there is room to write to */
};

/* Wait until a file descriptor is ready for one of `events` (PATIO_FD_…), or timeout_ms have passed
 * (TIMEOUT). *ready (may be NULL) says for which; an error on the descriptor makes it ready for all
 * that was asked. The descriptor stays the task's, which does not close it meanwhile; it may be
 * non-blocking afterwards. EXISTS:
 * another task of the same thread waits for this descriptor. INVALID: it is none, or one that is
 * always ready (a regular file). NO_MEMORY. */
PATIO_API PATIO_CHECKED patio_status patio_await_fd(patio_context *ctx, int fd, uint32_t events,
                                                    uint64_t timeout_ms, uint32_t *ready);

/* ---- awaiting anything that has a callback ---- */

/* A ticket with which one suspension can be ended. A plain value: copy it to where the callback
 * finds it. May be used as long as the broker lives, also when the task is long over. */
typedef struct patio_waker {
    void    *target;
    uint64_t ticket;
} patio_waker;

/* A new ticket; those before it are void. Take it before the operation is started:
 *     patio_waker waker = patio_waker_new(ctx);
 *     request.data = &waker;                    in the callback: patio_resume(*waker)
 *     start(&request, on_done);
 *     status = patio_suspend(ctx, PATIO_FOREVER, 0);                                            */
PATIO_API patio_waker patio_waker_new(patio_context *ctx);
/* End the suspension of this ticket, now or when it begins. Any thread; never blocks, allocates
 * nothing. OK the first time; STALE without effect: it was ended, given up, or the task is over. */
PATIO_API patio_status patio_resume(patio_waker waker);

enum {
    /* Neither a cancel nor the task's deadline ends it: for a callback that will come, and uses
     * what the task has on its stack. */
    PATIO_SUSPEND_SHIELDED = 1u << 0,
};

/* Wait until patio_resume for the newest ticket: OK. timeout_ms have passed: TIMEOUT. After
 * anything but OK the ticket is void, and the operation must be ended before what it uses goes. */
PATIO_API PATIO_CHECKED patio_status patio_suspend(patio_context *ctx, uint64_t timeout_ms,
                                                   uint32_t flags);

/* The libuv loop whose thread runs this task, to start operations on; NULL under an executor
 * without one. Only from this thread, and what is started on it ends before the task does. */
struct uv_loop_s;
PATIO_API struct uv_loop_s *patio_task_loop(const patio_context *ctx);

/* ---- finishing later ---- */

/* A task that is over when somebody says so. */
typedef struct patio_deferred patio_deferred;

/* Have the task end not with its function, but with the handle: once the function has returned
 * PATIO_OK the task waits for exactly one of patio_deferred_return… and patio_deferred_fail.
 * Returns something else than OK from the function, and the task ends with that; the handle must
 * still be used up. At most once per run: EXISTS. NO_MEMORY. */
PATIO_API PATIO_CHECKED patio_status patio_task_defer(patio_context *ctx, patio_deferred **out);

/* Each of these uses the handle up, whatever it returns. Any thread; none blocks. STALE: the task
 * has ended without it (cancelled, deadline, its function failed). TOO_LARGE and INVALID are those
 * of patio_return, and become the task's failure. */
PATIO_API patio_status patio_deferred_return(patio_deferred *deferred, patio_value value);
PATIO_API patio_status patio_deferred_return_payload(patio_deferred      *deferred,
                                                     const patio_payload *payload);
PATIO_API patio_status patio_deferred_fail(patio_deferred *deferred, int32_t code, const char *type,
                                           const char *format, ...) PATIO_PRINTF(4, 5);
/* Has the task ended without it? Then what is in work for it is in vain. Any thread, until the
 * handle is used up. */
PATIO_API bool patio_deferred_ended(const patio_deferred *deferred);

#ifdef __cplusplus
}
#endif
#endif
