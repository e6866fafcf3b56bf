/* The interfaces of a watched executor, by id: most pass through, and what they say is looked at.
 */
#include <string.h>

#include "layer/check_executor_inside.h"

/* Jobs wait on their thread; the check has nothing to say about that. */
static void pass_park(patio_executor *x, patio_job *job, uint64_t until_ns)
{
    check_of(x)->suspend->park(check_of(x)->x, job, until_ns);
}

static void pass_wake(patio_executor *x, patio_job *job)
{
    check_of(x)->suspend->wake(check_of(x)->x, job);
}

static void pass_yield(patio_executor *x, patio_job *job)
{
    check_of(x)->suspend->yield(check_of(x)->x, job);
}

static patio_status pass_wait_fd(patio_executor *x, patio_job *job, int32_t fd, uint32_t events,
                                 uint64_t until_ns, uint32_t *ready)
{
    return check_of(x)->suspend->wait_fd(check_of(x)->x, job, fd, events, until_ns, ready);
}

static void *pass_loop(patio_executor *x, patio_job *job)
{
    return check_of(x)->suspend->loop(check_of(x)->x, job);
}

static const patio_suspend_ops suspend_ops = {
    PATIO_SIZED(patio_suspend_ops), .park = pass_park, .wake = pass_wake, .yield = pass_yield,
    .wait_fd = pass_wait_fd,        .loop = pass_loop,
};

static int32_t pass_replied(patio_executor *x, const patio_reply *reply)
{
    return check_of(x)->relay->replied(check_of(x)->x, reply);
}

static int32_t pass_published(patio_executor *x, const patio_receipt *receipt)
{
    return check_of(x)->relay->published(check_of(x)->x, receipt);
}

static const patio_relay_ops relay_ops = {PATIO_SIZED(patio_relay_ops), .replied = pass_replied,
                                          .published = pass_published};

static uint32_t pass_most(patio_executor *x)
{
    return check_of(x)->lend->most(check_of(x)->x);
}

static bool pass_lend(patio_executor *x)
{
    return check_of(x)->lend->lend(check_of(x)->x);
}

static void pass_back(patio_executor *x)
{
    check_of(x)->lend->back(check_of(x)->x);
}

static const patio_lend_ops lend_ops = {PATIO_SIZED(patio_lend_ops), .most = pass_most,
                                        .lend = pass_lend, .back = pass_back};

static void check_lent(void *self, uint32_t count)
{
    check *c = self;
    if (c->lend == NULL || count > c->lend->most(c->x)) {
        REPORT(c, "%u slots are lent, more than \"most\" of patio.lend/1", count);
    }
    c->lent(c->lent_self, count);
}

static void pass_listen(patio_executor *x, void (*lent)(void *self, uint32_t count), void *self)
{
    check *c                    = check_of(x);
    c->lent                     = lent;
    c->lent_self                = self;
    const patio_lent_ops *inner = c->real->ops.query(c->x, PATIO_LENT_ID);
    inner->listen(c->x, check_lent, c);
}

static const patio_lent_ops lent_ops = {PATIO_SIZED(patio_lent_ops), .listen = pass_listen};

static void pass_offer(patio_executor *x, const patio_poll_ops *poll, patio_transport *t)
{
    const patio_poller_ops *inner = check_of(x)->real->ops.query(check_of(x)->x, PATIO_POLLER_ID);
    inner->offer(check_of(x)->x, poll, t);
}

static const patio_poller_ops poller_ops = {PATIO_SIZED(patio_poller_ops), .offer = pass_offer};

static patio_status check_reload(patio_executor *x, patio_error *err)
{
    check                  *c     = check_of(x);
    const patio_reload_ops *inner = c->real->ops.query(c->x, PATIO_RELOAD_ID);
    return pt_check_executor_leave(c, "reload", inner->reload(c->x, err), err);
}

static uint32_t check_reload_state(patio_executor *x)
{
    check                  *c     = check_of(x);
    const patio_reload_ops *inner = c->real->ops.query(c->x, PATIO_RELOAD_ID);
    uint32_t                state = inner->state(c->x);
    if (state > PATIO_RELOAD_FAILED) {
        REPORT(c, "\"state\" of patio.reload/1 is %u, which it has no word for", state);
    }
    return state;
}

static const patio_reload_ops reload_ops = {PATIO_SIZED(patio_reload_ops), .reload = check_reload,
                                            .state = check_reload_state};

const void *pt_check_executor_query(patio_executor *x, const char *interface_id)
{
    check *c = check_of(x);
    if (strcmp(interface_id, PATIO_RELAY_ID) == 0) {
        c->relay = c->real->ops.query(c->x, interface_id);
        return c->relay != NULL ? &relay_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_LEND_ID) == 0) {
        c->lend = c->real->ops.query(c->x, interface_id);
        return c->lend != NULL ? &lend_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_LENT_ID) == 0) {
        return c->real->ops.query(c->x, interface_id) != NULL ? &lent_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_POLLER_ID) == 0) {
        return c->real->ops.query(c->x, interface_id) != NULL ? &poller_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_RELOAD_ID) == 0) {
        return c->real->ops.query(c->x, interface_id) != NULL ? &reload_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_SUSPEND_ID) != 0) {
        return NULL;
    }
    c->suspend = c->real->ops.query(c->x, interface_id);
    return c->suspend != NULL ? &suspend_ops : NULL;
}
