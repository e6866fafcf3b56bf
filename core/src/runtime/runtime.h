/* runtime/runtime.h: the inside of a runtime, and the host table that each plugin instance gets. */
#ifndef PT_RUNTIME_H
#define PT_RUNTIME_H

#include <patio/host.h>
#include <patio/runtime.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/plugins.h"
#include "runtime/timers.h"

typedef struct pt_shared pt_shared;
typedef struct pt_host   pt_host;

struct patio_runtime {
    patio_allocator  mem;
    pt_log           log;
    pt_plugins      *plugins;
    pt_timers       *timers;
    pt_clock         clock;
    _Atomic uint32_t moving; /* jobs with executors; counted only while the clock is manual */
    bool             seeded;
    _Atomic uint64_t random; /* state, if seeded */
    pthread_mutex_t  share_lock;
    pt_host         *hosts;  /* one per plugin in use; under share_lock */
    pt_shared       *shared; /* objects that plugin instances share (patio_host.share) */
    _Atomic uint32_t brokers;
    /* of a child process: the transport to its parent, in place of a plugin, and what it is made
     * from; tasks are not run by an executor there */
    const pt_transport_plugin *to_parent;
    void                      *child;
};

/* What the instances of one plugin see of their host. */
struct pt_host {
    patio_host     table;
    pt_host       *next;
    patio_runtime *runtime;
    char           topic[48]; /* "transport.memory" */
};

/* The host table for a plugin, made at its first use and kept until the runtime is destroyed; NULL
 * when out of memory. */
const patio_host *pt_runtime_host(patio_runtime *runtime, const char *kind, const char *name);

/* Random bytes, from the system or from the runtime's seed. */
patio_status pt_random(patio_runtime *runtime, void *data, size_t size_bytes);

void *pt_share(patio_runtime *runtime, const char *owner, const char *key, void *(*make)(void *arg),
               void *arg);
void  pt_unshare(patio_runtime *runtime, void *object, void (*destroy)(void *object));

#endif
