/* poll_world.h: a worker and a caller whose thread reads its replies itself. */
#ifndef POLL_WORLD_H
#define POLL_WORLD_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { LONG_MS = 60000, ROUNDS = 5, CALLS = 300 };

extern char        connect_url[160];
extern char        listen_url[160];
extern const char *program;
extern const char *io_thread; /* what I/O threads are called */

extern _Atomic uint32_t gate_waits;
extern _Atomic bool     gate_open;

void await_count(_Atomic uint32_t *count, uint32_t wanted);

/* A process that is only the worker, until it is killed. */
int be_worker(const char *url);

typedef struct world {
    patio_registry *registry;
    patio_broker   *worker;
    patio_broker   *caller;
} world;

/* `prefix` stands before the URL that connects. */
world open_world(const char *prefix);
void  close_world(world *w);

typedef struct heard {
    pthread_t        thread;
    _Atomic uint32_t count;
} heard;

/* Tasks: "twice"; "gate", which waits for the gate or its cancellation; "stay", which does not
 * listen. */
patio_status  call(patio_broker *b, const char *task, int64_t n, uint64_t timeout_ms, int64_t *out);
void          call_twice(patio_broker *b, int64_t n);
patio_future *start(patio_broker *b, const char *task, int64_t n, heard *h);
/* Call until the loop is lent. */
void be_guest(patio_broker *b);

/* For another thread. */
typedef struct other {
    world        *w;
    patio_future *f;
    uint32_t      calls;
} other;

/* poll_ends.c */
void a_deadline_comes_while_its_thread_reads(void **state);
void another_thread_cancels_what_its_thread_reads_for(void **state);
void another_thread_stops_the_broker(void **state);
void a_broker_is_stopped_between_two_calls(void **state);
void the_worker_is_killed_while_its_thread_reads(void **state);

/* poll_others.c */
void several_threads_call_at_once(void **state);
void others_are_served_while_one_waits_for_long(void **state);
void callbacks_come_without_anybody_who_waits(void **state);
void a_reply_may_come_from_elsewhere(void **state);

#endif
