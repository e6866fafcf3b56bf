/* Cases 150 to 169: results, states of queues, presence, and what else is found by id. */
#include <patio/doctor.h>
#include <patio/peers.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>
#include <patio/topology.h>

#include "kit.h"

static uint32_t state_of(kit *k, kit_instance *i, uint32_t number, uint32_t *reply_bytes)
{
    const patio_results_ops *results = kit_query(i, PATIO_RESULTS_ID);
    patio_result             r       = {PATIO_SIZED(patio_result)};
    patio_id                 id      = kit_id(k, number);
    patio_error              err     = PATIO_ERROR_INIT;
    KIT_CHECK(k, results != NULL, "\"results\" without its interface");
    patio_status st = results->get(i->t, "q", &id, 5000, &r, &err);
    KIT_CHECK(k, st == PATIO_OK, "get returned %s: %s", kit_status_name(st), err.message);
    if (reply_bytes != NULL) {
        *reply_bytes = r.reply != NULL ? (uint32_t)kit_buf_size(r.reply) : 0;
    }
    kit_buf_drop(k, r.reply);
    return r.state;
}

static void settle_with_result(kit *k, kit_instance *i, patio_tag tag, uint32_t number,
                               uint64_t ttl_ms)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK,
                          .result_ttl_ms = ttl_ms, .reply = kit_buf(k, number, KIT_REPLY, 33)};
    KIT_STATUS(k, k->ops->settle(i->t, tag, &s, NULL), PATIO_OK, "settle");
    kit_buf_drop(k, s.reply);
}

static void a_result_is_kept_and_found_from_anywhere(kit *k)
{
    uint32_t      bytes = 0;
    kit_pair      p     = kit_pair_open(k, NULL);
    kit_instance *third = kit_instance_open(k, NULL);
    KIT_EQUAL(k, state_of(k, third, 1, NULL), PATIO_STATE_UNKNOWN, "state of an unknown id");
    kit_send(p.caller, 1);
    KIT_EQUAL(k, state_of(k, p.caller, 1, NULL), PATIO_STATE_QUEUED, "state");
    p.worker->loose_credit = true;
    kit_subscribe(p.worker, 2);
    kit_delivery d = kit_delivered(p.worker, 0);
    KIT_AWAIT(k, KIT_SOON_MS, state_of(k, p.caller, 1, NULL) == PATIO_STATE_RUNNING, "state is %u",
              state_of(k, p.caller, 1, NULL));
    settle_with_result(k, p.worker, d.tag, 1, 60000);
    KIT_AWAIT(k, KIT_SOON_MS, state_of(k, third, 1, &bytes) == PATIO_STATE_DONE, "state is %u",
              state_of(k, third, 1, NULL));
    KIT_EQUAL(k, bytes, 33, "bytes of the result");
}

static void a_result_is_forgotten_in_its_time(kit *k)
{
    kit_pair p             = kit_pair_open(k, NULL);
    p.worker->loose_credit = true;
    kit_subscribe(p.worker, 2);
    kit_send(p.caller, 1);
    settle_with_result(k, p.worker, kit_delivered(p.worker, 0).tag, 1, 1200);
    KIT_AWAIT(k, KIT_SOON_MS, state_of(k, p.caller, 1, NULL) == PATIO_STATE_DONE, "no result");
    KIT_AWAIT(k, KIT_SOON_MS, state_of(k, p.caller, 1, NULL) == PATIO_STATE_UNKNOWN,
              "it is still there");
}

typedef struct names {
    uint32_t count;
    bool     q;
} names;

static int32_t note_queue(void *arg, const char *queue)
{
    names *n = arg;
    n->count++;
    n->q = n->q || strcmp(queue, "q") == 0;
    return 0;
}

static void queues_are_listed(kit *k)
{
    kit_instance           *i = kit_instance_open(k, NULL);
    const patio_queues_ops *q = kit_query(i, PATIO_QUEUES_ID);
    names                   n = {0};
    kit_send(i, 1);
    KIT_STATUS(k, q->list(i->t, 5000, note_queue, &n, NULL), PATIO_OK, "list");
    KIT_EQUAL(k, n.count, 1, "queues of a project that uses one");
    KIT_CHECK(k, n.q, "the queue is not the one");
}

static void purge_removes_what_waits(kit *k)
{
    kit_pair                p = kit_pair_open(k, NULL);
    const patio_queues_ops *q = kit_query(p.caller, PATIO_QUEUES_ID);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 0);
    kit_delivery d = kit_delivered(p.worker, 0);
    for (uint32_t n = 1; n < 6; n++) {
        kit_send(p.caller, n);
    }
    uint64_t     count = 0;
    patio_error  err   = PATIO_ERROR_INIT;
    patio_status st    = q->purge(p.caller->t, "q", 5000, &count, &err);
    if (st == PATIO_UNSUPPORTED) {
        kit_check_error(k, &err, st, "purge");
        kit_skip(k, "it cannot purge, and says so");
    }
    KIT_STATUS(k, st, PATIO_OK, "purge");
    KIT_EQUAL(k, count, 5, "purged");
    kit_await_counts(p.caller, 0, 1, 0, 0);
    kit_ack(p.worker, d.tag);
    kit_quiet(p.worker, 1, 200);
}

static void who_waits_for_what_is_purged_hears_so(kit *k)
{
    kit_pair                p = kit_pair_open(k, NULL);
    const patio_queues_ops *q = kit_query(p.caller, PATIO_QUEUES_ID);
    patio_message           m = kit_quiet_call(k, 1);
    kit_send_message(p.caller, &m);
    m          = kit_quiet_call(k, 2);
    m.delay_ms = 60000;
    kit_send_message(p.caller, &m);
    kit_await_counts(p.caller, 1, 0, 1, 0);
    uint64_t count = 0;
    KIT_STATUS(k, q->purge(p.caller->t, "q", 5000, &count, NULL), PATIO_OK, "purge");
    KIT_EQUAL(k, count, 2, "purged");
    kit_await_cancelled(p.caller, 1);
    kit_await_cancelled(p.caller, 2);
}

static void set_state(kit *k, kit_instance *i, uint32_t state)
{
    const patio_queues_ops *q   = kit_query(i, PATIO_QUEUES_ID);
    patio_error             err = PATIO_ERROR_INIT;
    patio_status            st  = q->set_state(i->t, "q", state, 5000, &err);
    if (st == PATIO_UNSUPPORTED) {
        kit_check_error(k, &err, st, "set_state");
        kit_skip(k, "it knows no states of queues, and says so");
    }
    KIT_CHECK(k, st == PATIO_OK, "set_state returned %s: %s", kit_status_name(st), err.message);
    uint32_t now = 77;
    KIT_STATUS(k, q->get_state(i->t, "q", 5000, &now, NULL), PATIO_OK, "get_state");
    KIT_EQUAL(k, now, state, "state of the queue");
}

static void a_paused_queue_takes_and_gives_nothing(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 3);
    set_state(k, p.caller, PATIO_QUEUE_PAUSED);
    kit_sleep_ms(1500); /* workers follow within a second */
    for (uint32_t n = 0; n < 3; n++) {
        kit_send(p.caller, n);
    }
    kit_quiet(p.worker, 0, 300);
    kit_await_counts(p.caller, 3, 0, 0, 0);
    set_state(k, p.caller, PATIO_QUEUE_OPEN);
    (void)kit_delivered(p.worker, 2);
}

static void a_draining_queue_is_worked_off_and_takes_nothing(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_send(p.caller, 1);
    set_state(k, p.caller, PATIO_QUEUE_DRAINING);
    kit_sleep_ms(1500);
    patio_message m   = kit_message(k, 2, 0);
    patio_error   err = PATIO_ERROR_INIT;
    patio_status  st  = kit_publish_message(p.caller, &m, 10, &err);
    if (st == PATIO_OK) {
        KIT_EQUAL(k, kit_outcome(p.caller, 2), PATIO_REJECTED, "outcome");
        st = p.caller->receipts[p.caller->receipt_count - 1].status;
    }
    KIT_STATUS(k, st, PATIO_BLOCKED, "publish to a queue that drains");
    kit_subscribe(p.worker, 3);
    kit_ack(p.worker, kit_delivered(p.worker, 0).tag);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    set_state(k, p.caller, PATIO_QUEUE_OPEN);
    kit_sleep_ms(1200);
    kit_send(p.caller, 3);
}

static void a_limit_holds_over_all_workers(kit *k)
{
    kit_instance           *caller = kit_instance_open(k, NULL);
    kit_instance           *w[2];
    const patio_queues_ops *q = kit_query(caller, PATIO_QUEUES_ID);
    KIT_CHECK(k, q != NULL, "\"limits\" without the interface of queues");
    KIT_STATUS(k, q->set_limit(caller->t, "q", 2, 5000, NULL), PATIO_OK, "set_limit");
    if (PATIO_HAS(patio_queues_ops, q, get_limit) && q->get_limit != NULL) {
        uint64_t limit = 77;
        KIT_STATUS(k, q->get_limit(caller->t, "q", 5000, &limit, NULL), PATIO_OK, "get_limit");
        KIT_EQUAL(k, limit, 2, "the limit that was set");
    }
    kit_sleep_ms(1500);
    for (uint32_t n = 0; n < 2; n++) {
        w[n] = kit_instance_open(k, NULL);
        kit_subscribe(w[n], 4);
    }
    for (uint32_t n = 0; n < 6; n++) {
        kit_send(caller, n);
    }
    kit_sleep_ms(800);
    KIT_EQUAL(k, kit_delivered_count(w[0]) + kit_delivered_count(w[1]), 2, "leased at once");
    KIT_STATUS(k, q->set_limit(caller->t, "q", 0, 5000, NULL), PATIO_OK, "set_limit");
    KIT_AWAIT(k, KIT_SOON_MS, kit_delivered_count(w[0]) + kit_delivered_count(w[1]) == 6,
              "without a limit all are delivered");
}

typedef struct seen {
    uint32_t count;
    uint32_t matching;
    char     want[16];
} seen;

static int32_t note_presence(void *arg, const patio_presence *p)
{
    seen *s = arg;
    s->count++;
    s->matching +=
        p->info.size == strlen(s->want) && memcmp(p->info.data, s->want, p->info.size) == 0;
    return 0;
}

static uint32_t present(kit *k, kit_instance *i, const char *want)
{
    const patio_presence_ops *p   = kit_query(i, PATIO_PRESENCE_ID);
    seen                      s   = {0};
    patio_error               err = PATIO_ERROR_INIT;
    (void)snprintf(s.want, sizeof(s.want), "%s", want);
    patio_status st = p->list(i->t, 2000, note_presence, &s, &err);
    KIT_CHECK(k, st == PATIO_OK, "list returned %s: %s", kit_status_name(st), err.message);
    return s.matching;
}

static void who_is_there_is_seen_until_it_goes(kit *k)
{
    static uint8_t            large[PATIO_PRESENCE_MAX_BYTES + 1];
    kit_instance             *a   = kit_instance_open(k, NULL);
    kit_instance             *b   = kit_instance_open(k, NULL);
    const patio_presence_ops *p   = kit_query(b, PATIO_PRESENCE_ID);
    patio_error               err = PATIO_ERROR_INIT;
    KIT_STATUS(k, p->announce(b->t, (patio_bytes){(const uint8_t *)"worker b", 8}, NULL), PATIO_OK,
               "announce");
    KIT_AWAIT(k, KIT_SOON_MS, present(k, a, "worker b") == 1, "it is not seen");
    KIT_EQUAL(k, present(k, b, "worker b"), 1, "seen by itself");
    KIT_STATUS(k, p->announce(b->t, (patio_bytes){(const uint8_t *)"changed", 7}, NULL), PATIO_OK,
               "announce");
    KIT_AWAIT(k, KIT_SOON_MS, present(k, a, "changed") == 1, "the change is not seen");
    KIT_EQUAL(k, present(k, a, "worker b"), 0, "the old description");
    KIT_STATUS(k, p->announce(b->t, (patio_bytes){large, sizeof(large)}, &err), PATIO_TOO_LARGE,
               "announce of too much");
    kit_check_error(k, &err, PATIO_TOO_LARGE, "announce");
    KIT_STATUS(k, p->announce(b->t, (patio_bytes){NULL, 0}, NULL), PATIO_OK, "announce of nothing");
    KIT_AWAIT(k, KIT_SOON_MS, present(k, a, "changed") == 0, "it is still visible");
    KIT_STATUS(k, p->announce(b->t, (patio_bytes){(const uint8_t *)"again", 5}, NULL), PATIO_OK,
               "announce");
    KIT_AWAIT(k, KIT_SOON_MS, present(k, a, "again") == 1, "it is not seen");
    kit_instance_stop(b);
    KIT_AWAIT(k, KIT_SOON_MS, present(k, a, "again") == 0, "it has stopped and is still seen");
}

typedef struct findings {
    kit     *k;
    uint32_t count;
} findings;

static int32_t note_finding(void *arg, const patio_finding *f)
{
    findings *all = arg;
    all->count++;
    if (f->subject == NULL || f->subject[0] == '\0' || f->finding == NULL ||
        f->finding[0] == '\0' || f->advice == NULL || f->severity > PATIO_FINDING_ERROR) {
        kit_breach(all->k, "a finding without subject, text or advice");
    } else if (kit_holds_secret(all->k, f->finding) || kit_holds_secret(all->k, f->advice)) {
        kit_breach(all->k, "a finding holds a secret");
    } else if (f->severity >= PATIO_FINDING_WARN && f->advice[0] == '\0') {
        kit_breach(all->k, "finding \"%.60s\" warns without an advice", f->finding);
    }
    return 0;
}

static void the_doctor_says_what_it_looked_at(kit *k)
{
    kit_instance           *i   = kit_instance_open(k, NULL);
    const patio_doctor_ops *d   = kit_query(i, PATIO_DOCTOR_ID);
    findings                f   = {.k = k};
    patio_error             err = PATIO_ERROR_INIT;
    patio_status            st  = d->check(i->t, 10000, note_finding, &f, &err);
    KIT_CHECK(k, st == PATIO_OK, "check returned %s: %s", kit_status_name(st), err.message);
    KIT_CHECK(k, f.count > 0, "it has looked at nothing");
    kit_note(k, "%u findings", f.count);
}

static void the_topology_is_printed_without_a_link(kit *k)
{
    static const char *const  queues[] = {"q", "other"};
    kit_instance             *i        = kit_instance_open(k, &(kit_open){.unstarted = true});
    const patio_topology_ops *t        = kit_query(i, PATIO_TOPOLOGY_ID);
    patio_buf                *out      = NULL;
    KIT_STATUS(k, t->print(i->t, queues, 2, &out, NULL), PATIO_OK, "print");
    KIT_CHECK(k, out != NULL && kit_buf_size(out) > 0, "nothing is printed");
    kit_buf_drop(k, out);
    k->ops->destroy(i->t);
    atomic_store(&i->stopped, true);
    i->t = NULL;
    kit_instance_close(i);
}

static int32_t note_peer(void *arg, const patio_peer *p)
{
    uint32_t *count = arg;
    *count += p->link == PATIO_LINK_UP && p->address != NULL && p->address[0] != '\0';
    return 0;
}

static uint32_t peers(kit *k, kit_instance *i)
{
    const patio_peers_ops *p     = kit_query(i, PATIO_PEERS_ID);
    uint32_t               count = 0;
    KIT_STATUS(k, p->list(i->t, note_peer, &count, NULL), PATIO_OK, "list");
    return count;
}

static void peers_are_listed(kit *k)
{
    kit_instance *a = kit_instance_open(k, NULL);
    kit_instance *b = kit_instance_open(k, NULL);
    KIT_AWAIT(k, KIT_SOON_MS, peers(k, a) == 1 && peers(k, b) == 1, "%u and %u peers", peers(k, a),
              peers(k, b));
    kit_instance_stop(b);
    KIT_AWAIT(k, KIT_SOON_MS, peers(k, a) == 0, "a peer that has stopped is listed as up");
}

const kit_case kit_ops_cases[] = {
    {150, 0, "a_result_is_kept_and_found_from_anywhere", "delivery 13", PATIO_CAP_RESULTS, 0, NULL,
     a_result_is_kept_and_found_from_anywhere},
    {151, 0, "a_result_is_forgotten_in_its_time", "delivery 13", PATIO_CAP_RESULTS, 0, NULL,
     a_result_is_forgotten_in_its_time},
    {152, 0, "queues_are_listed", "queues.h list", 0, KIT_QUERY, PATIO_QUEUES_ID,
     queues_are_listed},
    {153, 0, "purge_removes_what_waits", "queues.h purge", 0, KIT_QUERY, PATIO_QUEUES_ID,
     purge_removes_what_waits},
    {154, 0, "a_paused_queue_takes_and_gives_nothing", "queues.h PAUSED", 0, KIT_QUERY,
     PATIO_QUEUES_ID, a_paused_queue_takes_and_gives_nothing},
    {155, 0, "a_draining_queue_is_worked_off_and_takes_nothing", "queues.h DRAINING", 0, KIT_QUERY,
     PATIO_QUEUES_ID, a_draining_queue_is_worked_off_and_takes_nothing},
    {156, 0, "a_limit_holds_over_all_workers", "queues.h set_limit", PATIO_CAP_LIMITS, KIT_QUERY,
     PATIO_QUEUES_ID, a_limit_holds_over_all_workers},
    {157, 90, "who_is_there_is_seen_until_it_goes", "presence.h", 0, KIT_QUERY, PATIO_PRESENCE_ID,
     who_is_there_is_seen_until_it_goes},
    {158, 0, "the_doctor_says_what_it_looked_at", "doctor.h", 0, KIT_QUERY, PATIO_DOCTOR_ID,
     the_doctor_says_what_it_looked_at},
    {159, 0, "the_topology_is_printed_without_a_link", "topology.h", 0, KIT_QUERY,
     PATIO_TOPOLOGY_ID, the_topology_is_printed_without_a_link},
    {160, 0, "peers_are_listed", "peers.h", 0, KIT_QUERY, PATIO_PEERS_ID, peers_are_listed},
    /* without RESULTS a task is not found by its id, nor is who waits for it */
    {169, 0, "who_waits_for_what_is_purged_hears_so", "transport.h published",
     PATIO_CAP_DELAY | PATIO_CAP_RESULTS, KIT_QUERY, PATIO_QUEUES_ID,
     who_waits_for_what_is_purged_hears_so},
    {0},
};
