/* patio/poll.h: the I/O of a transport on a thread that waits anyway.
 *
 * An interface of a transport: `query(t, PATIO_POLL_ID)`. A transport with an I/O thread of its own
 * costs who waits for a reply, or for the next task, one change of threads more than the network
 * does: that thread reads, and wakes the one that waits. Here the waiting thread offers to read
 * itself; a thread of an executor does so by patio.poller/1 (patio/executor.h). The transport takes
 * the offer where it pays and nobody else is worse off for it, and refuses it otherwise.
 *
 * Everything that the I/O thread does is done by the thread inside `poll` meanwhile: events are
 * raised on it, and so the host's callbacks run on it, inside the host's own wait.
 */
#ifndef PATIO_POLL_H
#define PATIO_POLL_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_POLL_ID "patio.poll/1"

/* Not 0: what is waited for has come. A look at memory, at any time, by `poll` alone: it must not
 * block, nor call the transport, which may hold a lock of its own. */
typedef uint32_t (*patio_poll_done_fn)(const void *arg);

typedef struct patio_poll_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [any] [blocks] Run the I/O on this thread until done(arg), or until until_ns of
     * CLOCK_MONOTONIC (UINT64_MAX: no limit), or until the transport wants it back, whichever comes
     * first. OK: done(arg). TIMEOUT: the time is over, or so nearly that the host knows better how
     * to wait for the rest. STATE: not now, or not any more; the host waits in its own way, and the
     * I/O goes on without it. Not inside an event: there it is always STATE. Several threads may
     * try at once; at most one of them is taken. */
    patio_status (*poll)(patio_transport *t, patio_poll_done_fn done, const void *arg,
                         uint64_t until_ns);
    /* [any] [non-blocking] done(arg) of somebody who is inside `poll` may have become true by
     * something else than an event that was raised on that thread: look again. Nobody there: it
     * does nothing. Also from inside events. */
    void (*interrupt)(patio_transport *t);
} patio_poll_ops;

#ifdef __cplusplus
}
#endif
#endif
