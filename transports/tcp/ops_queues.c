/* patio.queues/1 and the counts: here, and with the peers. */
#include "tcp.h"

static ask question(uint8_t what, const char *name)
{
    ask    a    = {.question = {.what = what}};
    size_t size = strnlen(name, sizeof(a.question.queue) - 1);
    memcpy(a.question.queue, name, size);
    return a;
}

patio_status tcp_counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err)
{
    patio_counts all = {PATIO_SIZED(patio_counts)};
    ask          a   = question(ASK_COUNTS, name);
    patio_status st  = ask_all(t, &a, timeout_ms, err);
    operate_counts(t, name, &all);
    for (const part *p = a.first; p != NULL; p = p->next) {
        patio_counts one;
        if (frame_get_counts(p->answer.rows, &one)) {
            all.ready += one.ready;
            all.leased += one.leased;
            all.delayed += one.delayed;
            all.dead += one.dead;
            all.consumers += one.consumers;
            all.oldest_age_ms =
                one.oldest_age_ms > all.oldest_age_ms ? one.oldest_age_ms : all.oldest_age_ms;
        }
    }
    ask_forget(t, &a);
    if (st == PATIO_OK) {
        all.struct_size = out->struct_size;
        memcpy(out, &all, out->struct_size < sizeof(all) ? out->struct_size : sizeof(all));
    }
    return st;
}

typedef struct names {
    const patio_host *host;
    char (*all)[256];
    size_t count;
    size_t room;
    bool   failed;
} names;

static int32_t add_name(void *arg, const char *name)
{
    names *n = arg;
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->all[i], name) == 0) {
            return 0;
        }
    }
    if (n->count == n->room) {
        size_t room     = n->room == 0 ? 16 : n->room * 2;
        char(*all)[256] = room <= (size_t)2 * QUEUES_MAX
                              ? n->host->resize(n->host->self, n->all, room * sizeof(*all))
                              : NULL;
        if (all == NULL) {
            n->failed = true;
            return 1;
        }
        n->all  = all;
        n->room = room;
    }
    (void)snprintf(n->all[n->count++], sizeof(n->all[0]), "%s", name);
    return 0;
}

static patio_status queues_list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                                void *arg, patio_error *err)
{
    names        n  = {.host = t->host};
    ask          a  = question(ASK_QUEUES, "");
    patio_status st = ask_all(t, &a, timeout_ms, err);
    n.failed        = !operate_queues(t, add_name, &n) || n.failed;
    for (const part *p = a.first; p != NULL; p = p->next) {
        patio_bytes rest = p->answer.rows;
        char        name[256];
        while (rest.size > 0 && frame_next_name(&rest, name) && add_name(&n, name) == 0) {
        }
    }
    ask_forget(t, &a);
    if (st == PATIO_OK && n.failed) {
        st = patio_fail(err, PATIO_NO_MEMORY, 0, "no room for all names of queues");
    }
    for (size_t i = 0; st == PATIO_OK && i < n.count && visit(arg, n.all[i]) == 0; i++) {
    }
    t->host->free(t->host->self, n.all);
    return st;
}

static patio_status queues_purge(patio_transport *t, const char *name, uint64_t timeout_ms,
                                 uint64_t *count, patio_error *err)
{
    ask          a    = question(ASK_PURGE, name);
    patio_status st   = ask_all(t, &a, timeout_ms, err);
    uint64_t     done = st == PATIO_OK ? operate_purge(t, name) : 0;
    for (const part *p = a.first; p != NULL; p = p->next) {
        done += p->answer.number;
    }
    ask_forget(t, &a);
    if (st == PATIO_OK && count != NULL) {
        *count = done;
    }
    return st;
}

static patio_status queues_set_state(patio_transport *t, const char *name, uint32_t state,
                                     uint64_t timeout_ms, patio_error *err)
{
    ask          a  = question(ASK_SET_STATE, name);
    patio_status st = operate_set_state(t, name, state, err);
    if (st != PATIO_OK) {
        return st;
    }
    a.question.state = (uint8_t)state;
    st               = ask_all(t, &a, timeout_ms, err);
    for (const part *p = a.first; p != NULL && st == PATIO_OK; p = p->next) {
        if (p->answer.status != PATIO_OK) {
            st = patio_fail(err, (patio_status)p->answer.status, 0,
                            "queue %s: a process could not set its state", name);
        }
    }
    ask_forget(t, &a);
    return st;
}

/* Where processes differ, because one came later: what holds tasks back most. */
static uint32_t stricter(uint32_t a, uint32_t b)
{
    static const uint8_t rank[] = {
        [PATIO_QUEUE_OPEN] = 0, [PATIO_QUEUE_DRAINING] = 1, [PATIO_QUEUE_PAUSED] = 2};
    return b <= PATIO_QUEUE_DRAINING && rank[b] > rank[a] ? b : a;
}

static patio_status queues_get_state(patio_transport *t, const char *name, uint64_t timeout_ms,
                                     uint32_t *state, patio_error *err)
{
    ask          a   = question(ASK_GET_STATE, name);
    patio_status st  = ask_all(t, &a, timeout_ms, err);
    uint32_t     all = operate_state(t, name);
    for (const part *p = a.first; p != NULL; p = p->next) {
        all = stricter(all, p->answer.number <= PATIO_QUEUE_DRAINING ? (uint32_t)p->answer.number
                                                                     : PATIO_QUEUE_OPEN);
    }
    ask_forget(t, &a);
    if (st == PATIO_OK) {
        *state = all;
    }
    return st;
}

static patio_status queues_set_limit(patio_transport *t, const char *name, uint64_t max_in_flight,
                                     uint64_t timeout_ms, patio_error *err)
{
    (void)t;
    (void)max_in_flight;
    (void)timeout_ms;
    return patio_fail(err, PATIO_UNSUPPORTED, 0,
                      "queue %s: tcp cannot bound the tasks in flight over all workers (capability "
                      "\"limits\"): each caller gives out its own",
                      name);
}

const patio_queues_ops tcp_queues_ops = {
    PATIO_SIZED(patio_queues_ops), .list = queues_list,           .purge = queues_purge,
    .set_state = queues_set_state, .get_state = queues_get_state, .set_limit = queues_set_limit,
};
