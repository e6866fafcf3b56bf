/* layer/check_executor_inside.h: what the files of a watched executor share.
 *
 *   check_executor.c        its life, its jobs and what it says of them
 *   check_executor_query.c  its interfaces by id
 */
#ifndef PT_CHECK_EXECUTOR_INSIDE_H
#define PT_CHECK_EXECUTOR_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "layer/check.h"
#include "layer/idset.h"

struct pt_check_executor {
    pt_executor_plugin           plugin;
    const pt_executor_plugin    *real;
    patio_executor              *x;
    const patio_host            *host;
    const patio_executor_events *up;
    patio_executor_events        down;
    const patio_suspend_ops     *suspend;
    const patio_relay_ops       *relay;
    const patio_lend_ops        *lend;
    void (*lent)(void *self, uint32_t count); /* the host's */
    void            *lent_self;
    int              mode;
    pthread_mutex_t  lock;
    pt_idmap         jobs;    /* by address: submitted and not done */
    size_t           submits; /* threads inside submit: their jobs may yet be refused */
    _Atomic uint32_t slots;
    _Atomic bool     started;
    _Atomic bool     stopped;
};

typedef struct pt_check_executor check;

static inline check *check_of(patio_executor *x)
{
    return (check *)(void *)x;
}

#define REPORT(c, ...) pt_check_report((c)->host, (c)->mode, __VA_ARGS__)

/* After every slot that may fail: does its error fit its status? */
patio_status pt_check_executor_leave(check *c, const char *slot, patio_status st,
                                     const patio_error *err);
/* The slot `query`: interfaces behind which the check looks on. */
const void *pt_check_executor_query(patio_executor *x, const char *interface_id);

#endif
