/* layer/check_inside.h: what the files of a watched transport share.
 *
 *   check_transport.c  its life, and what is put together from the others
 *   check_publish.c    publishes and their outcomes
 *   check_deliver.c    deliveries, their credit, their settlements
 */
#ifndef PT_CHECK_INSIDE_H
#define PT_CHECK_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "layer/check.h"
#include "layer/idset.h"

enum { PT_CHECK_QUEUES = 64, PT_CHECK_NAME_BYTES = 256, PT_CHECK_RECENT = 1024 };

typedef struct pt_check_queue {
    char     name[PT_CHECK_NAME_BYTES];
    uint32_t credit; /* the most it ever had: what is being raised when it becomes less may come */
    uint32_t unsettled;
} pt_check_queue;

typedef struct pt_check {
    pt_layer        layer;
    int             mode;
    pthread_mutex_t lock;
    pt_idmap        publishes; /* by id: outcomes still to come */
    pt_idmap        tags;      /* what became of it | index of its queue << 8 */
    uint64_t        old_tags[PT_CHECK_RECENT];
    size_t          old_at;
    pt_check_queue  queues[PT_CHECK_QUEUES];
    size_t          queue_count;
    uint64_t        cancels; /* without an outcome */
    uint32_t        early;   /* tags that were lost or cancelled, and are still to be delivered */
    uint64_t        max_body_bytes;
    _Atomic bool    started;
    _Atomic bool    stopped;
    _Atomic bool    unwatched; /* memory ran out for a tag: one that is not known may be right */
    _Atomic int     control;   /* control calls now */
} pt_check;

static inline pt_check *pt_check_of(patio_transport *t)
{
    return (pt_check *)(void *)t;
}

#define REPORT(c, ...) pt_check_report((c)->layer.host, (c)->mode, __VA_ARGS__)
#define BELOW(c)       (c)->layer.real->ops

/* Around every slot: is it called where it may be, does its error fit its status? */
void         pt_check_enter(pt_check *check, const char *slot);
patio_status pt_check_leave(pt_check *check, const char *slot, patio_status status,
                            const patio_error *err);
/* The same for control calls, of which there is one at a time. */
void         pt_check_enter_control(pt_check *check, const char *slot);
patio_status pt_check_leave_control(pt_check *check, const char *slot, patio_status status,
                                    const patio_error *err);
/* Inside `delivered` the host calls nothing of this transport. Returns the outer one. */
const pt_check *pt_check_delivering(const pt_check *check);
/* An event is raised: may it be? Does it say why? */
void pt_check_event(pt_check *check, const char *name);
void pt_check_why(pt_check *check, const char *name, const patio_error *why);

/* Put their slots and events into the layer's tables. */
void pt_check_watch_publish(pt_check *check);
void pt_check_watch_deliver(pt_check *check);

#endif
