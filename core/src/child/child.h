/* child/child.h: the inside of a child process of the executor `process`.
 *
 *   main.c       who it is: hello, registry, broker; patio_child_main
 *   work.c       jobs, one after the other, on the main thread
 *   out.c        results and everything else on their way to the parent
 *   words.c      a thread for what must be heard while a task runs
 *   transport.c  the transport of the child's broker: calls go to the parent's
 *   crash.c      last words
 *   where.c      what a parent starts as its child
 *
 * There is one of it in a process, and the process is made for it.
 */
#ifndef PT_CHILD_H
#define PT_CHILD_H

#include <patio/broker.h>
#include <patio/child.h>
#include <patio/child_ring.h>
#include <patio/spin.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "plugin/plugins.h"
#include "runtime/run.h"

typedef struct pt_child {
    patio_runtime    *runtime;
    patio_registry   *registry;
    patio_broker     *broker;
    patio_child_page *page;
    patio_child_hello hello;
    char              project[129];

    /* of the transport; NULL until it is made */
    const patio_transport_events *events;

    /* of the main thread */
    uint64_t   job_at;    /* read of the ring of jobs */
    uint64_t   result_at; /* written of the ring of results */
    uint64_t   since_ns;  /* of the oldest result of which the parent may not know */
    uint32_t   unrung;    /* how many of those */
    patio_spin spin;

    pthread_mutex_t  lock;    /* which job runs */
    _Atomic uint64_t current; /* its number, + 1; 0: none. Who logs looks without the lock */
    _Atomic uint32_t said;    /* packets to the parent */
    _Atomic uint32_t told;
    pt_awaiter       awaiter;
    atomic_bool      closing;
    bool             has_words_thread;
    pthread_t        words_thread;
    void            *packet; /* PATIO_CHILD_PACKET bytes */
} pt_child;

/* where.c: this program, if its main has the line for it; else NULL. */
const char *pt_child_program(void);
void        pt_child_note_program(void);
/* The installed helper; "" if it is not there. */
const char *pt_child_helper(void);

/* The child of which `make` makes the registry; with the modules and the project of the hello. */
typedef struct pt_child_make {
    patio_registry_fn fn; /* NULL: from the modules that the parent names */
} pt_child_make;
int pt_child_serve(const pt_child_make *make);

/* work.c: until the parent closes. */
void pt_child_work(pt_child *child);

/* out.c */
/* One frame in a packet of its own, now. body is the struct of its type. Blocks while the parent
 * does not read. NO_MEMORY; what cannot be sent because the parent is gone ends the process. */
patio_status pt_child_tell(pt_child *child, uint32_t type, uint64_t number, const void *body,
                           const char *text, size_t text_bytes, patio_bytes bytes);
/* The main thread's. `more`: other jobs are there, and the parent need not be woken at once. */
void pt_child_result(pt_child *child, uint64_t number, patio_child_result *result, patio_buf *reply,
                     uint64_t now_ns, bool more);
/* Have the parent look, if there are results that it may not know of. The main thread's. */
void pt_child_ring(pt_child *child);
/* The running task waits for others, or goes on. The main thread's. */
void pt_child_lend(pt_child *child, bool lends);
/* The bytes of a frame as a buffer, valid as long as the packet unless they are shared. NULL: out
 * of memory, or the frame lies. */
patio_buf *pt_child_bytes(const pt_child *child, const patio_child_part *part, int fd, bool copy);

/* words.c */
bool pt_child_words_start(pt_child *child);
void pt_child_words_stop(pt_child *child);

/* transport.c */
extern const pt_transport_plugin pt_child_transport;

/* crash.c */
#define PT_CHILD_DEATH_SIGNAL (SIGRTMAX - 1) /* the parent has died */
void pt_child_catch(pt_child *child);
/* Is this a fork of the process that pt_child_catch was called in? */
bool pt_child_is_copy(void);
/* The parent is gone: end this process and all that it has started. */
_Noreturn void pt_child_die(void);

#endif
