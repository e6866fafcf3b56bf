/* The interfaces by id take an instance, too, so they are passed on slot by slot. An interface that
 * is not in this list does not reach through a layer. */
#include <string.h>

#include <patio/dead.h>
#include <patio/doctor.h>
#include <patio/peers.h>
#include <patio/poll.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>
#include <patio/topology.h>

#include "base/error.h"
#include "layer/layer.h"

static const void *below(patio_transport *t, const char *id)
{
    pt_layer *layer = pt_layer_of(t);
    return layer->real->ops.query(layer->t, id);
}

/* Pass a slot on, if the table below has it. */
#define PASS(t, type, id, slot, ...)                                                               \
    const type *ops_ = below(t, id);                                                               \
    if (!PATIO_HAS(type, ops_, slot) || ops_->slot == NULL) {                                      \
        return pt_fail(err, PATIO_UNSUPPORTED, "", "this transport has no \"%s\" in %s", #slot,    \
                       id);                                                                        \
    }                                                                                              \
    return ops_->slot(pt_layer_of(t)->t, __VA_ARGS__)

static patio_status dead_list(patio_transport *t, const char *queue, const patio_id *after,
                              uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit,
                              void *arg, patio_error *err)
{
    PASS(t, patio_dead_ops, PATIO_DEAD_ID, list, queue, after, limit, timeout_ms, visit, arg, err);
}

static patio_status dead_get(patio_transport *t, const char *queue, const patio_id *id,
                             uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                             patio_error *err)
{
    PASS(t, patio_dead_ops, PATIO_DEAD_ID, get, queue, id, timeout_ms, visit, arg, err);
}

static patio_status dead_retry(patio_transport *t, const char *queue, const patio_id *id,
                               uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    PASS(t, patio_dead_ops, PATIO_DEAD_ID, retry, queue, id, timeout_ms, count, err);
}

static patio_status dead_drop(patio_transport *t, const char *queue, const patio_id *id,
                              uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    PASS(t, patio_dead_ops, PATIO_DEAD_ID, drop, queue, id, timeout_ms, count, err);
}

static const patio_dead_ops dead = {PATIO_SIZED(patio_dead_ops), .list = dead_list, .get = dead_get,
                                    .retry = dead_retry, .drop = dead_drop};

static patio_status results_get(patio_transport *t, const char *queue, const patio_id *id,
                                uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    PASS(t, patio_results_ops, PATIO_RESULTS_ID, get, queue, id, timeout_ms, out, err);
}

static const patio_results_ops results = {PATIO_SIZED(patio_results_ops), .get = results_get};

static patio_status queues_list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                                void *arg, patio_error *err)
{
    PASS(t, patio_queues_ops, PATIO_QUEUES_ID, list, timeout_ms, visit, arg, err);
}

static patio_status queues_purge(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                 uint64_t *count, patio_error *err)
{
    PASS(t, patio_queues_ops, PATIO_QUEUES_ID, purge, queue, timeout_ms, count, err);
}

static patio_status queues_set_state(patio_transport *t, const char *queue, uint32_t state,
                                     uint64_t timeout_ms, patio_error *err)
{
    PASS(t, patio_queues_ops, PATIO_QUEUES_ID, set_state, queue, state, timeout_ms, err);
}

static patio_status queues_get_state(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                     uint32_t *state, patio_error *err)
{
    PASS(t, patio_queues_ops, PATIO_QUEUES_ID, get_state, queue, timeout_ms, state, err);
}

static patio_status queues_set_limit(patio_transport *t, const char *queue, uint64_t most,
                                     uint64_t timeout_ms, patio_error *err)
{
    PASS(t, patio_queues_ops, PATIO_QUEUES_ID, set_limit, queue, most, timeout_ms, err);
}

static patio_status queues_get_limit(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                     uint64_t *most, patio_error *err)
{
    PASS(t, patio_queues_ops, PATIO_QUEUES_ID, get_limit, queue, timeout_ms, most, err);
}

static const patio_queues_ops queues = {
    PATIO_SIZED(patio_queues_ops), .list = queues_list,           .purge = queues_purge,
    .set_state = queues_set_state, .get_state = queues_get_state, .set_limit = queues_set_limit,
    .get_limit = queues_get_limit,
};

static patio_status presence_announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    PASS(t, patio_presence_ops, PATIO_PRESENCE_ID, announce, info, err);
}

static patio_status presence_list(patio_transport *t, uint64_t timeout_ms,
                                  patio_presence_visit_fn visit, void *arg, patio_error *err)
{
    PASS(t, patio_presence_ops, PATIO_PRESENCE_ID, list, timeout_ms, visit, arg, err);
}

static const patio_presence_ops presence = {PATIO_SIZED(patio_presence_ops),
                                            .announce = presence_announce, .list = presence_list};

static patio_status doctor_check(patio_transport *t, uint64_t timeout_ms,
                                 patio_finding_visit_fn visit, void *arg, patio_error *err)
{
    PASS(t, patio_doctor_ops, PATIO_DOCTOR_ID, check, timeout_ms, visit, arg, err);
}

static const patio_doctor_ops doctor = {PATIO_SIZED(patio_doctor_ops), .check = doctor_check};

static patio_status topology_print(patio_transport *t, const char *const *names, size_t count,
                                   patio_buf **out, patio_error *err)
{
    PASS(t, patio_topology_ops, PATIO_TOPOLOGY_ID, print, names, count, out, err);
}

static const patio_topology_ops topology = {PATIO_SIZED(patio_topology_ops),
                                            .print = topology_print};

static patio_status peers_list(patio_transport *t, patio_peer_visit_fn visit, void *arg,
                               patio_error *err)
{
    PASS(t, patio_peers_ops, PATIO_PEERS_ID, list, visit, arg, err);
}

static patio_status peers_address(patio_transport *t, size_t index, char *text, size_t room,
                                  patio_error *err)
{
    PASS(t, patio_peers_ops, PATIO_PEERS_ID, address, index, text, room, err);
}

static const patio_peers_ops peers = {PATIO_SIZED(patio_peers_ops), .list = peers_list,
                                      .address = peers_address};

/* A layer's own threads complete what it has held back; whoever polls below is interrupted for it.
 */
static patio_status poll_poll(patio_transport *t, patio_poll_done_fn done, const void *arg,
                              uint64_t until_ns)
{
    const patio_poll_ops *ops = below(t, PATIO_POLL_ID);
    return ops->poll(pt_layer_of(t)->t, done, arg, until_ns);
}

static void poll_interrupt(patio_transport *t)
{
    const patio_poll_ops *ops = below(t, PATIO_POLL_ID);
    ops->interrupt(pt_layer_of(t)->t);
}

static const patio_poll_ops poll_ops = {PATIO_SIZED(patio_poll_ops), .poll = poll_poll,
                                        .interrupt = poll_interrupt};

const void *pt_layer_query(patio_transport *t, const char *interface_id)
{
    static const struct {
        const char *id;
        const void *table;
    } known[] = {
        {PATIO_DEAD_ID, &dead},     {PATIO_RESULTS_ID, &results},
        {PATIO_QUEUES_ID, &queues}, {PATIO_PRESENCE_ID, &presence},
        {PATIO_DOCTOR_ID, &doctor}, {PATIO_TOPOLOGY_ID, &topology},
        {PATIO_PEERS_ID, &peers},   {PATIO_POLL_ID, &poll_ops},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(interface_id, known[i].id) == 0) {
            return below(t, interface_id) != NULL ? known[i].table : NULL;
        }
    }
    return NULL;
}
