/* poller_world.h: a worker of one thread and a caller, over a UNIX socket, and tasks that block,
 * wait and count. */
#ifndef POLLER_WORLD_H
#define POLLER_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { LONG_MS = 60000 };

typedef struct world {
    patio_registry *registry;
    patio_broker   *worker;
    patio_broker   *caller;
} world;

extern const char *executor;        /* of the worker */
extern const char *executor_thread; /* what its threads are called */

/* What the tasks say: is one held, is it to end, how many have counted. */
extern _Atomic uint32_t blocked;
extern _Atomic bool     let_go;
extern _Atomic uint32_t counted;

/* Once, when there is a folder: where the two meet. */
void  meet_here(void);
world open_world(void);
void  close_world(world *w);

patio_future *start(patio_broker *b, const char *task, int64_t n);
void          finish(patio_future *f, patio_status expected);
void          call_doubling(patio_broker *b, const char *task, int64_t n);
void          await_value(_Atomic uint32_t *value, uint32_t wanted);

/* A few calls. Have both sides read by themselves? The I/O threads, of which the worker's would
 * sleep once for each call, then sleep on. */
bool are_guests(world *w);
/* Call until they have. On a machine that is too busy for quick calls it may not come to that. */
void be_guests(world *w);

#endif
