/* liar_tables.c: what is found by the id of an interface. */
#include "liar.h"

/* Of the real one; it is there, for otherwise ours is not. */
static const void *theirs(patio_transport *t, const char *id)
{
    return t->ops->query(t->real, id);
}

/* ---- dead letters ---- */

typedef struct letters {
    patio_dead_visit_fn visit;
    void               *arg;
} letters;

static int32_t visit_letter(void *arg, const patio_dead_letter *d)
{
    letters          *l    = arg;
    patio_dead_letter mine = *d;
    mine.body              = lies(LIE_dead_body_lost) ? NULL : d->body;
    int32_t stop           = l->visit(l->arg, &mine);
    return lies(LIE_dead_visit_goes_on) ? 0 : stop;
}

static patio_status dead_list(patio_transport *t, const char *queue, const patio_id *after,
                              uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit,
                              void *arg, patio_error *err)
{
    const patio_dead_ops *o = theirs(t, PATIO_DEAD_ID);
    letters               l = {visit, arg};
    after                   = lies(LIE_dead_page_ignored) ? NULL : after;
    return o->list(t->real, queue, after, limit, timeout_ms, visit_letter, &l, err);
}

static patio_status dead_get(patio_transport *t, const char *queue, const patio_id *id,
                             uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                             patio_error *err)
{
    const patio_dead_ops *o = theirs(t, PATIO_DEAD_ID);
    letters               l = {visit, arg};
    return o->get(t->real, queue, id, timeout_ms, visit_letter, &l, err);
}

static patio_status say_one(uint64_t *count)
{
    if (count != NULL) {
        *count = 1;
    }
    return PATIO_OK;
}

static patio_status dead_retry(patio_transport *t, const char *queue, const patio_id *id,
                               uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    const patio_dead_ops *o = theirs(t, PATIO_DEAD_ID);
    return lies(LIE_dead_retry_ignored) ? say_one(count)
                                        : o->retry(t->real, queue, id, timeout_ms, count, err);
}

static patio_status dead_drop(patio_transport *t, const char *queue, const patio_id *id,
                              uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    const patio_dead_ops *o = theirs(t, PATIO_DEAD_ID);
    return lies(LIE_dead_drop_ignored) ? say_one(count)
                                       : o->drop(t->real, queue, id, timeout_ms, count, err);
}

static const patio_dead_ops dead_ops = {PATIO_SIZED(patio_dead_ops), .list = dead_list,
                                        .get = dead_get, .retry = dead_retry, .drop = dead_drop};

/* ---- results ---- */

static patio_status result_get(patio_transport *t, const char *queue, const patio_id *id,
                               uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    const patio_results_ops *o  = theirs(t, PATIO_RESULTS_ID);
    patio_status             st = o->get(t->real, queue, id, timeout_ms, out, err);
    bool waits = out->state == PATIO_STATE_QUEUED || out->state == PATIO_STATE_RUNNING;
    bool gone  = out->state == PATIO_STATE_CANCELLED || out->state == PATIO_STATE_DEAD;
    out->state = lies(LIE_gone_forgotten) && gone ? PATIO_STATE_UNKNOWN : out->state;
    out->state = lies(LIE_state_unknown) && waits ? PATIO_STATE_UNKNOWN : out->state;
    return st;
}

static const patio_results_ops results_ops = {PATIO_SIZED(patio_results_ops), .get = result_get};

/* ---- queues ---- */

static patio_status queues_list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                                void *arg, patio_error *err)
{
    const patio_queues_ops *o = theirs(t, PATIO_QUEUES_ID);
    return lies(LIE_no_queue_listed) ? PATIO_OK : o->list(t->real, timeout_ms, visit, arg, err);
}

static patio_status queue_purge(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                uint64_t *count, patio_error *err)
{
    const patio_queues_ops *o = theirs(t, PATIO_QUEUES_ID);
    if (lies(LIE_purge_ignored)) {
        patio_counts c  = {PATIO_SIZED(patio_counts)};
        patio_status st = t->ops->counts(t->real, queue, timeout_ms, &c, err);
        *count          = c.ready + c.delayed;
        return st;
    }
    return o->purge(t->real, queue, timeout_ms, count, err);
}

static uint32_t said_state;

static patio_status queue_set_state(patio_transport *t, const char *queue, uint32_t state,
                                    uint64_t timeout_ms, patio_error *err)
{
    const patio_queues_ops *o = theirs(t, PATIO_QUEUES_ID);
    said_state                = state;
    bool ignored              = (lies(LIE_pause_of_queue_ignored) && state == PATIO_QUEUE_PAUSED) ||
                   (lies(LIE_drain_ignored) && state == PATIO_QUEUE_DRAINING);
    return ignored ? PATIO_OK : o->set_state(t->real, queue, state, timeout_ms, err);
}

static patio_status queue_get_state(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                    uint32_t *state, patio_error *err)
{
    const patio_queues_ops *o  = theirs(t, PATIO_QUEUES_ID);
    patio_status            st = o->get_state(t->real, queue, timeout_ms, state, err);
    *state                     = said_state;
    return st;
}

static uint64_t said_limit;

static patio_status queue_set_limit(patio_transport *t, const char *queue, uint64_t max_in_flight,
                                    uint64_t timeout_ms, patio_error *err)
{
    const patio_queues_ops *o = theirs(t, PATIO_QUEUES_ID);
    said_limit                = max_in_flight + (lies(LIE_limit_mistold) ? 1 : 0);
    return lies(LIE_limit_ignored) ? PATIO_OK
                                   : o->set_limit(t->real, queue, max_in_flight, timeout_ms, err);
}

static patio_status queue_get_limit(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                    uint64_t *max_in_flight, patio_error *err)
{
    const patio_queues_ops *o  = theirs(t, PATIO_QUEUES_ID);
    patio_status            st = o->get_limit(t->real, queue, timeout_ms, max_in_flight, err);
    *max_in_flight             = said_limit;
    return st;
}

static const patio_queues_ops queues_ops = {
    PATIO_SIZED(patio_queues_ops), .list = queues_list,          .purge = queue_purge,
    .set_state = queue_set_state,  .get_state = queue_get_state, .set_limit = queue_set_limit,
    .get_limit = queue_get_limit,
};

/* ---- presence and doctor ---- */

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    const patio_presence_ops *o  = theirs(t, PATIO_PRESENCE_ID);
    patio_status              st = o->announce(t->real, info, err);
    return lies(LIE_present_too_large) ? PATIO_OK : st;
}

static patio_status presence_list(patio_transport *t, uint64_t timeout_ms,
                                  patio_presence_visit_fn visit, void *arg, patio_error *err)
{
    const patio_presence_ops *o = theirs(t, PATIO_PRESENCE_ID);
    return lies(LIE_present_never) ? PATIO_OK : o->list(t->real, timeout_ms, visit, arg, err);
}

static const patio_presence_ops presence_ops = {PATIO_SIZED(patio_presence_ops),
                                                .announce = announce, .list = presence_list};

static patio_status check(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                          void *arg, patio_error *err)
{
    const patio_doctor_ops *o = theirs(t, PATIO_DOCTOR_ID);
    patio_finding           f = {PATIO_SIZED(patio_finding), .severity = PATIO_FINDING_WARN,
                                 .subject = "liar", .finding = "it lies", .advice = ""};
    if (lies(LIE_finding_without_advice)) {
        (void)visit(arg, &f);
    }
    return o->check(t->real, timeout_ms, visit, arg, err);
}

static const patio_doctor_ops doctor_ops = {PATIO_SIZED(patio_doctor_ops), .check = check};

/* ---- poll and peers ---- */

static patio_status poll(patio_transport *t, patio_poll_done_fn done, const void *arg,
                         uint64_t until_ns)
{
    const patio_poll_ops *o = theirs(t, PATIO_POLL_ID);
    until_ns += lies(LIE_poll_lasts) && until_ns != UINT64_MAX ? 12000000000u : 0;
    patio_status st = o->poll(t->real, done, arg, until_ns);
    return lies(LIE_poll_says_ok) ? PATIO_OK : st;
}

static void interrupt(patio_transport *t)
{
    const patio_poll_ops *o = theirs(t, PATIO_POLL_ID);
    o->interrupt(t->real);
}

static const patio_poll_ops poll_ops = {PATIO_SIZED(patio_poll_ops), .poll = poll,
                                        .interrupt = interrupt};

static patio_status peers_list(patio_transport *t, patio_peer_visit_fn visit, void *arg,
                               patio_error *err)
{
    const patio_peers_ops *o = theirs(t, PATIO_PEERS_ID);
    return lies(LIE_peers_lost) ? PATIO_OK : o->list(t->real, visit, arg, err);
}

static patio_status peers_address(patio_transport *t, size_t index, char *text, size_t room,
                                  patio_error *err)
{
    const patio_peers_ops *o = theirs(t, PATIO_PEERS_ID);
    return o->address(t->real, index, text, room, err);
}

static const patio_peers_ops peers_ops = {PATIO_SIZED(patio_peers_ops), .list = peers_list,
                                          .address = peers_address};

const void *liar_query(patio_transport *t, const char *interface_id)
{
    static const struct {
        const char *id;
        const void *table;
    } tables[] = {
        {PATIO_DEAD_ID, &dead_ops},     {PATIO_RESULTS_ID, &results_ops},
        {PATIO_QUEUES_ID, &queues_ops}, {PATIO_PRESENCE_ID, &presence_ops},
        {PATIO_DOCTOR_ID, &doctor_ops}, {PATIO_POLL_ID, &poll_ops},
        {PATIO_PEERS_ID, &peers_ops},
    };
    if (lies(LIE_takes_result_flag) && strcmp(interface_id, PATIO_RESULTS_ID) == 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].id, interface_id) == 0) {
            return theirs(t, interface_id) != NULL ? tables[i].table : NULL;
        }
    }
    return NULL;
}
