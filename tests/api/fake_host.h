/* api/fake_host.h: a host for one plugin, without libpatio: memory that is counted, a clock and
 * timers that move only when the test says so. */
#ifndef API_FAKE_HOST_H
#define API_FAKE_HOST_H

#include "fixture.h"

#include <patio/executor.h>
#include <patio/transport.h>

enum { FAKE_TIMERS = 64, FAKE_SHARED = 8 };

typedef struct fake_timer {
    uint64_t number; /* 0: free */
    uint64_t due_ns;
    patio_fn fn;
    void    *arg;
} fake_timer;

typedef struct fake_shared {
    char     key[256];
    void    *object;
    unsigned users;
} fake_shared;

typedef struct fake_host {
    patio_host       table; /* give &host->table to the plugin */
    failing_alloc    memory;
    pthread_mutex_t  lock;
    _Atomic uint64_t now_ns;
    uint64_t         numbers;
    fake_timer       timers[FAKE_TIMERS];
    fake_shared      shared[FAKE_SHARED];
    _Atomic uint32_t log_lines;
} fake_host;

void fake_host_init(fake_host *host);
/* Asserts that the plugin has left nothing: no memory, no timer, nothing shared. */
void fake_host_check_empty(fake_host *host);
/* Move the clock on, and run what is due, in order. */
void fake_host_advance(fake_host *host, uint64_t ms);

patio_buf *fake_buf(fake_host *host, const char *text);

/* The table of a plugin out of build/…/lib/patio: ("transports", "memory", PATIO_TRANSPORT_ID). */
const void *load_plugin(const char *folder, const char *name, const char *interface_id);
/* The position of an option in a plugin's table. */
size_t option_at(const patio_option *const *table, const char *name);

#endif
