/* host.h: the host table of the kit: everything that is given is counted. */
#ifndef CONFORM_HOST_H
#define CONFORM_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <patio/host.h>

typedef struct kit      kit;
typedef struct kit_host kit_host;

struct kit_host {
    patio_host         table;
    kit               *k;
    _Atomic int64_t    live;       /* blocks not freed */
    _Atomic int64_t    live_bytes; /* of these */
    _Atomic int64_t    bufs;       /* buffers not dropped */
    _Atomic uint64_t   allocs;     /* so far */
    _Atomic uint64_t   fail_at;    /* the allocation of this number fails; 0: none */
    struct pt_timers  *timers;
    pthread_mutex_t    lock;
    struct host_timer *pending;
    struct host_share *shares;
    struct patio_buf  *quarantine; /* headers of freed buffers, to notice a drop too many */
};

void kit_host_init(kit_host *h, kit *k);
/* Nothing is left: memory, buffers, timers, shared objects. */
void       kit_host_check_empty(kit_host *h);
void       kit_host_fini(kit_host *h);
patio_buf *kit_buf(kit *k, uint32_t number, uint32_t kind, size_t size);
patio_buf *kit_buf_bytes(kit *k, const void *bytes, size_t size);
void       kit_buf_drop(kit *k, patio_buf *buf);
bool       kit_buf_matches(const patio_buf *buf, uint32_t number, uint32_t kind);
size_t     kit_buf_size(const patio_buf *buf);
enum { KIT_REQUEST = 0, KIT_REPLY = 1, KIT_PARTIAL = 2 };

#endif
