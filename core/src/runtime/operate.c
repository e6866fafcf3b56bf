/* Looking after queues and single tasks: core/include/patio/operate.h. */
#include "runtime/operate.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

enum { TIMEOUT_MS = 5000 };

/* The capability or interface that an id stands for, for people. */
static const char *word_of(const char *id)
{
    static const char *const words[][2] = {
        {PATIO_DEAD_ID, "dead_letters"}, {PATIO_RESULTS_ID, "results"},
        {PATIO_QUEUES_ID, "queues"},     {PATIO_PRESENCE_ID, "presence"},
        {PATIO_DOCTOR_ID, "doctor"},     {PATIO_TOPOLOGY_ID, "topology"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i][0], id) == 0) {
            return words[i][1];
        }
    }
    return id;
}

static patio_status find_interface(const patio_broker *b, const char *what, const char *id,
                                   const void **out, patio_error *err)
{
    *out = b->transport_plugin->ops.query(b->transport, id);
    return *out != NULL ? PATIO_OK
                        : pt_fail(err, PATIO_UNSUPPORTED, "broker",
                                  "%s: transport %s has no interface for it (\"%s\")", what,
                                  b->transport_plugin->identity->name, word_of(id));
}

static patio_status check(const patio_broker *b, const char *what, uint64_t *timeout_ms,
                          const char **queue, patio_error *err)
{
    if (b == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "%s: broker is NULL", what);
    }
    if (atomic_load(&b->state) != PT_BROKER_RUNNING) {
        return pt_fail(err, PATIO_STATE, "broker", "%s: the broker is not running", what);
    }
    *timeout_ms = *timeout_ms != 0 ? *timeout_ms : TIMEOUT_MS;
    if (queue != NULL) {
        *queue = *queue != NULL ? *queue : "default";
        if (!pt_is_plain_name(*queue, 255)) {
            return pt_fail(err, PATIO_INVALID, "broker",
                           "%s: \"%.64s\" is not a queue name ([A-Za-z0-9._-], up to 255)", what,
                           *queue);
        }
    }
    return PATIO_OK;
}

patio_status pt_operate(patio_broker *b, const char *what, const char *id, uint64_t *timeout_ms,
                        const char **queue, const void **out, patio_error *err)
{
    patio_status st = check(b, what, timeout_ms, queue, err);
    return st == PATIO_OK ? find_interface(b, what, id, out, err) : st;
}

patio_status pt_operated(const patio_broker *b, patio_status status, patio_error *err)
{
    if (status != PATIO_OK) {
        pt_error_origin(err, "transport.%s", b->transport_plugin->identity->name);
    }
    return status;
}

/* ---- queues ---- */

patio_status patio_queue_list(patio_broker *b, uint64_t timeout_ms, patio_queue_visit_fn visit,
                              void *arg, patio_error *err)
{
    const void  *found = NULL;
    patio_status st = pt_operate(b, "list queues", PATIO_QUEUES_ID, &timeout_ms, NULL, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_queues_ops *ops = found;
    return pt_operated(b, ops->list(b->transport, timeout_ms, visit, arg, err), err);
}

patio_status patio_queue_purge(patio_broker *b, const char *queue, uint64_t timeout_ms,
                               uint64_t *count, patio_error *err)
{
    const void  *found = NULL;
    patio_status st    = pt_operate(b, "purge", PATIO_QUEUES_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_queues_ops *ops = found;
    return pt_operated(b, ops->purge(b->transport, queue, timeout_ms, count, err), err);
}

patio_status patio_queue_set_state(patio_broker *b, const char *queue, uint32_t state,
                                   uint64_t timeout_ms, patio_error *err)
{
    const void  *found = NULL;
    patio_status st =
        pt_operate(b, "set the state", PATIO_QUEUES_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_queues_ops *ops = found;
    return pt_operated(b, ops->set_state(b->transport, queue, state, timeout_ms, err), err);
}

patio_status patio_queue_get_state(patio_broker *b, const char *queue, uint64_t timeout_ms,
                                   uint32_t *state, patio_error *err)
{
    const void  *found = NULL;
    patio_status st =
        pt_operate(b, "get the state", PATIO_QUEUES_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_queues_ops *ops = found;
    return pt_operated(b, ops->get_state(b->transport, queue, timeout_ms, state, err), err);
}

patio_status patio_queue_set_limit(patio_broker *b, const char *queue, uint64_t max_in_flight,
                                   uint64_t timeout_ms, patio_error *err)
{
    const void  *found = NULL;
    patio_status st    = pt_operate(b, "limit", PATIO_QUEUES_ID, &timeout_ms, &queue, &found, err);
    if (st == PATIO_OK && (patio_broker_caps(b) & PATIO_CAP_LIMITS) == 0) {
        st = pt_fail(err, PATIO_UNSUPPORTED, "broker",
                     "limit: transport %s cannot bound the tasks in flight (capability \"limits\")",
                     b->transport_plugin->identity->name);
    }
    if (st != PATIO_OK) {
        return st;
    }
    const patio_queues_ops *ops = found;
    return pt_operated(b, ops->set_limit(b->transport, queue, max_in_flight, timeout_ms, err), err);
}

patio_status patio_queue_get_limit(patio_broker *b, const char *queue, uint64_t timeout_ms,
                                   uint64_t *max_in_flight, patio_error *err)
{
    const void  *found = NULL;
    patio_status st =
        pt_operate(b, "get the limit", PATIO_QUEUES_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_queues_ops *ops = found;
    if ((patio_broker_caps(b) & PATIO_CAP_LIMITS) == 0 ||
        !PATIO_HAS(patio_queues_ops, ops, get_limit) || ops->get_limit == NULL) {
        return pt_fail(err, PATIO_UNSUPPORTED, "broker",
                       "get the limit: transport %s cannot bound the tasks in flight, or say how "
                       "(capability \"limits\")",
                       b->transport_plugin->identity->name);
    }
    return pt_operated(b, ops->get_limit(b->transport, queue, timeout_ms, max_in_flight, err), err);
}

/* ---- cancelling by id ---- */

static void stop_waiting(patio_broker *b, const pt_cancelling *mine)
{
    for (pt_cancelling **at = &b->cancelling; *at != NULL; at = &(*at)->next) {
        if (*at == mine) {
            *at = mine->next;
            return;
        }
    }
}

/* Until the transport has said what became of it. */
static uint32_t wait_for_outcome(patio_broker *b, pt_cancelling *mine, uint64_t timeout_ms)
{
    uint64_t        until = pt_after_ms(pt_now_ns(), timeout_ms);
    struct timespec when  = {.tv_sec  = (time_t)(until / 1000000000u),
                             .tv_nsec = (long)(until % 1000000000u)};
    pthread_mutex_lock(&b->lock);
    while (mine->outcome == 0 && pt_now_ns() < until) {
        pthread_cond_timedwait(&b->changed, &b->lock, &when);
    }
    stop_waiting(b, mine);
    uint32_t outcome = mine->outcome;
    pthread_mutex_unlock(&b->lock);
    return outcome;
}

patio_status patio_cancel(patio_broker *b, const char *queue, patio_id id, uint64_t timeout_ms,
                          uint32_t *outcome, patio_error *err)
{
    patio_status st = check(b, "cancel", &timeout_ms, &queue, err);
    if (st == PATIO_OK && (patio_broker_caps(b) & PATIO_CAP_CANCEL) == 0) {
        st = pt_fail(err, PATIO_UNSUPPORTED, "broker",
                     "cancel: transport %s cannot cancel (capability \"cancel\")",
                     b->transport_plugin->identity->name);
    }
    if (st != PATIO_OK) {
        return st;
    }
    pt_cancelling mine = {.id = id};
    pthread_mutex_lock(&b->lock);
    mine.next     = b->cancelling;
    b->cancelling = &mine;
    pthread_mutex_unlock(&b->lock);
    st            = b->transport_plugin->ops.cancel(b->transport, queue, &id, err);
    uint32_t what = wait_for_outcome(b, &mine, st == PATIO_OK ? timeout_ms : 0);
    if (st != PATIO_OK) {
        return pt_operated(b, st, err);
    }
    if (what == 0) {
        char text[33];
        patio_id_format(id, text);
        return pt_fail(err, PATIO_TIMEOUT, "broker",
                       "cancel %s: no answer within %llu ms; it may be cancelled all the same",
                       text, (unsigned long long)timeout_ms);
    }
    patio_future *own = what == PATIO_CANCEL_REMOVED ? pt_futures_claim(&b->futures, &id) : NULL;
    if (own != NULL) {
        pt_future_give_up(own, PATIO_CANCELLED, "it was cancelled by its id");
    }
    *outcome = what;
    return PATIO_OK;
}

/* ---- what the transport stands on ---- */

patio_status patio_doctor_check(patio_broker *b, uint64_t timeout_ms, patio_finding_visit_fn visit,
                                void *arg, patio_error *err)
{
    const void *found = NULL;
    if (b == NULL || atomic_load(&b->state) == PT_BROKER_NEW) {
        return pt_fail(err, PATIO_STATE, "broker", "doctor: the broker was not started");
    }
    /* not only of one that runs: why it could not be started is the best of questions */
    patio_status st = find_interface(b, "doctor", PATIO_DOCTOR_ID, &found, err);
    timeout_ms      = timeout_ms != 0 ? timeout_ms : TIMEOUT_MS;
    if (st != PATIO_OK) {
        return st;
    }
    const patio_doctor_ops *ops = found;
    return pt_operated(b, ops->check(b->transport, timeout_ms, visit, arg, err), err);
}

patio_status patio_topology_print(patio_broker *b, const char *const *queues, size_t queue_count,
                                  patio_text_fn show, void *arg, patio_error *err)
{
    const void *found = NULL;
    patio_buf  *text  = NULL;
    if (b == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "topology: broker is NULL");
    }
    patio_status st = find_interface(b, "topology", PATIO_TOPOLOGY_ID, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_topology_ops *ops = found;
    st = pt_operated(b, ops->print(b->transport, queues, queue_count, &text, err), err);
    if (st == PATIO_OK) {
        show(arg, pt_buf_view(text));
        pt_buf_drop(text);
    }
    return st;
}
