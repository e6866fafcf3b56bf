/* A task that waits for others lends its slot: the executor runs one more, and the transport may
 * bring one more, which may be just what is waited for. */
#include "runtime/broker.h"

static pt_executor *executor_of(const pt_awaiter *a)
{
    const pt_job *job = (const pt_job *)a->job;
    return job != NULL && job->end.route != NULL ? job->end.route->executor : NULL;
}

bool pt_lends(const pt_awaiter *a)
{
    const pt_executor *x = executor_of(a);
    return x != NULL && x->lend != NULL;
}

bool pt_lend(const pt_awaiter *a)
{
    pt_executor *x = executor_of(a);
    if (x == NULL || x->lend == NULL || !x->lend->lend(x->instance)) {
        return false;
    }
    atomic_fetch_add(&x->lent, 1);
    pt_queues_lent(x->broker);
    return true;
}

void pt_lend_back(const pt_awaiter *a)
{
    pt_executor *x = executor_of(a);
    atomic_fetch_sub(&x->lent, 1);
    x->lend->back(x->instance);
}
