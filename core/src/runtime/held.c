/* What an executor had no room for. Its deliveries stay unsettled, so the transport brings no more
 * than that: this is how a full executor withholds credit. */
#include "runtime/broker.h"

void pt_held_add(pt_executor *x, pt_job *job)
{
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    pt_job **at = &x->held;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    job->next = NULL;
    *at       = job;
    pthread_mutex_unlock(&b->lock);
    /* room may have come before the job was here */
    pt_held_submit(x);
}

/* NULL: there is none. *rooms: how often there was room so far. */
static pt_job *take(pt_executor *x, uint32_t *rooms)
{
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    pt_job *job = x->held;
    x->held     = job != NULL ? job->next : NULL;
    *rooms      = x->rooms;
    pthread_mutex_unlock(&b->lock);
    return job;
}

/* Back to the front; true if there was room meanwhile, and nobody saw this job. */
static bool put_back(pt_executor *x, pt_job *job, uint32_t rooms)
{
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    job->next  = x->held;
    x->held    = job;
    bool again = x->rooms != rooms;
    pthread_mutex_unlock(&b->lock);
    return again;
}

void pt_held_submit(pt_executor *x)
{
    uint32_t rooms = 0;
    bool     go_on = true;
    for (pt_job *job = take(x, &rooms); job != NULL; job = go_on ? take(x, &rooms) : NULL) {
        patio_status st = x->plugin->ops.submit(x->instance, &job->base, NULL);
        if (st == PATIO_FULL) {
            go_on = put_back(x, job, rooms);
        } else if (st != PATIO_OK) {
            pt_settle_later(job, PATIO_RETURN, st, 0);
        }
    }
}

void pt_worker_room(void *self)
{
    pt_executor *x = self;
    pthread_mutex_lock(&x->broker->lock);
    x->rooms++;
    bool any = x->held != NULL;
    pthread_mutex_unlock(&x->broker->lock);
    if (any) {
        pt_held_submit(x);
    }
}

void pt_held_return(patio_broker *b)
{
    for (size_t i = 0; i < b->executor_count; i++) {
        uint32_t rooms = 0;
        for (pt_job *job = take(&b->executors[i], &rooms); job != NULL;
             job         = take(&b->executors[i], &rooms)) {
            pt_settle_later(job, PATIO_RETURN, PATIO_CLOSED, 0);
        }
    }
}
