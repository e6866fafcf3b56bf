/* storm.h: one program of several roles: who sends and calls, who works and is killed, the link
 * that is cut, and who compares what they have written down. scripts/storm plays it.
 */
#ifndef STORM_H
#define STORM_H

#include <patio/patio.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"

typedef struct storm_world {
    patio_runtime  *runtime;
    patio_registry *registry; /* NULL: it only calls */
    patio_broker   *broker;
} storm_world;

/* work.c */
/* A registry with the task "storm"; it writes into the ledger of this process. */
patio_registry *storm_registry(const char *dir);
/* The same for PATIO_CHILD_MAIN: the parent has named the folder in STORM_DIR. */
patio_status storm_child_registry(patio_registry **out, patio_error *err);
/* A started broker; runtime may be NULL. Ends the program on a failure. */
void storm_open(storm_world *w, patio_runtime *runtime, patio_registry *registry, const char *url,
                const char *executor, const char *workers);
/* is_new: it has the task "storm-new", too */
int storm_work(const char *url, const char *dir, const char *workers, bool is_new);

/* front.c */
typedef struct storm_load {
    uint64_t    tasks;
    uint64_t    calls;
    uint64_t    payload_bytes;
    uint64_t    per_s;   /* sends a second at most; 0: as fast as it goes */
    const char *workers; /* it also runs them, on so many threads; NULL: others do */
} storm_load;
/* All of it, or until somebody makes DIR/enough. */
int storm_front(const char *url, const char *dir, const storm_load *load);
/* Send and call through a broker that is there, until all is done. */
bool storm_send_all(patio_broker *broker, storm_ledger *ledger, const storm_load *load);
bool storm_call_all(patio_broker *broker, storm_ledger *ledger, uint64_t calls);
/* Writes down which are dead letters; false: nobody knows. */
bool storm_note_dead(patio_broker *broker, storm_ledger *ledger);
bool storm_drained(patio_broker *broker, uint64_t timeout_s);

/* memory.c: the same over a transport of one process. Half of the workers are child processes, one
 * of which is killed every kill_ms (0: never); the others are brokers that leave and come back. */
#define STORM_MEMORY_THREADS "4" /* of a broker that leaves */
int storm_memory(const char *url, const char *dir, const storm_load *load, uint32_t workers,
                 uint64_t kill_ms, const storm_limits *limits);

void               storm_sleep_ms(uint64_t ms);
extern atomic_bool storm_stop; /* a signal has asked us to end */

#endif
