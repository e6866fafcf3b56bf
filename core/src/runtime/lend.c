/* A task that waits for others lends its slot: the executor runs one more, and the transport may
 * bring one more, which may be just what is waited for. In a child process it says so to the
 * parent's executor. */
#include "child/child.h"
#include "runtime/worker.h"

static pt_executor *executor_of(const pt_awaiter *a)
{
    const pt_job *job = (const pt_job *)a->job;
    return job != NULL && job->end.route != NULL ? job->end.route->executor : NULL;
}

static pt_child *child_of(const pt_awaiter *a)
{
    return a->job == NULL && a->run != NULL && a->run->broker != NULL
               ? a->run->broker->runtime->child
               : NULL;
}

bool pt_lends(const pt_awaiter *a)
{
    if (child_of(a) != NULL) {
        return true;
    }
    const pt_executor *x = executor_of(a);
    return x != NULL && x->lend != NULL;
}

bool pt_lend(const pt_awaiter *a)
{
    pt_executor *x = executor_of(a);
    if (child_of(a) != NULL) {
        pt_child_lend(child_of(a), true);
        return true;
    }
    if (x == NULL || x->lend == NULL || !x->lend->lend(x->instance)) {
        return false;
    }
    atomic_fetch_add(&x->lent, 1);
    pt_queues_lent(x->broker);
    pt_held_submit(x);
    return true;
}

void pt_lend_back(const pt_awaiter *a)
{
    pt_executor *x = executor_of(a);
    if (child_of(a) != NULL) {
        pt_child_lend(child_of(a), false);
        return;
    }
    atomic_fetch_sub(&x->lent, 1);
    x->lend->back(x->instance);
}

void pt_lent_elsewhere(void *self, uint32_t count)
{
    pt_executor *x = self;
    atomic_store(&x->lent, count);
    pt_queues_lent(x->broker);
    pt_held_submit(x);
}
