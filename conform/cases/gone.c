/* Cases 167 and 168: what became of a task that was removed, asked by its id. */
#include <patio/dead.h>
#include <patio/queues.h>
#include <patio/results.h>

#include "kit.h"

static uint32_t state_of(kit *k, kit_instance *i, uint32_t number)
{
    const patio_results_ops *results = kit_query(i, PATIO_RESULTS_ID);
    patio_result             r       = {PATIO_SIZED(patio_result)};
    patio_id                 id      = kit_id(k, number);
    KIT_CHECK(k, results != NULL, "\"results\" without its interface");
    KIT_STATUS(k, results->get(i->t, "q", &id, 5000, &r, NULL), PATIO_OK, "get");
    kit_buf_drop(k, r.reply);
    return r.state;
}

static void expect_state(kit *k, kit_instance *i, uint32_t number, uint32_t state)
{
    KIT_AWAIT(k, KIT_SOON_MS, state_of(k, i, number) == state,
              "the state of task %u is %u, expected %u", number, state_of(k, i, number), state);
}

static void send_kept(kit *k, kit_instance *i, uint32_t number)
{
    patio_message m = kit_message(k, number, PATIO_MESSAGE_KEEP_RESULT);
    kit_send_message(i, &m);
}

/* Who names a task wants to know; of a whole queue only those are remembered that somebody asked
 * for. */
static void what_was_cancelled_is_remembered(kit *k)
{
    kit_pair                p  = kit_pair_open(k, NULL);
    patio_id                id = kit_id(k, 1);
    const patio_queues_ops *q  = kit_query(p.caller, PATIO_QUEUES_ID);
    kit_send(p.caller, 1);
    KIT_STATUS(k, k->ops->cancel(p.caller->t, "q", &id, NULL), PATIO_OK, "cancel");
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.caller, cancel_count) == 1, "cancel has no outcome");
    expect_state(k, p.worker, 1, PATIO_STATE_CANCELLED);
    patio_message late = kit_message(k, 2, PATIO_MESSAGE_KEEP_RESULT);
    late.delay_ms      = (k->ops->caps & PATIO_CAP_DELAY) != 0 ? 60000 : 0;
    kit_send_message(p.caller, &late);
    send_kept(k, p.caller, 3);
    kit_send(p.caller, 4);
    uint64_t count = 0;
    if (q == NULL || q->purge(p.caller->t, "q", 5000, &count, NULL) != PATIO_OK) {
        return;
    }
    KIT_EQUAL(k, count, 3, "purged");
    expect_state(k, p.worker, 2, PATIO_STATE_CANCELLED);
    expect_state(k, p.worker, 3, PATIO_STATE_CANCELLED);
    uint32_t other = state_of(k, p.worker, 4);
    KIT_CHECK(k, other == PATIO_STATE_UNKNOWN || other == PATIO_STATE_CANCELLED,
              "a purged task is in state %u", other);
}

static void what_was_dropped_is_remembered(kit *k)
{
    kit_pair              p    = kit_pair_open(k, NULL);
    const patio_dead_ops *dead = kit_query(p.caller, PATIO_DEAD_ID);
    patio_id              id   = kit_id(k, 0);
    kit_subscribe(p.worker, 1);
    for (uint32_t n = 0; n < 2; n++) {
        if (n == 0) {
            kit_send(p.caller, n);
        } else {
            send_kept(k, p.caller, n);
        }
        kit_settle_ok(p.worker, kit_delivered(p.worker, n).tag, PATIO_REJECT, 0, -1);
    }
    kit_await_counts(p.caller, 0, 0, 0, 2);
    expect_state(k, p.caller, 0, PATIO_STATE_DEAD);
    KIT_STATUS(k, dead->drop(p.caller->t, "q", &id, 5000, NULL, NULL), PATIO_OK, "drop");
    expect_state(k, p.caller, 0, PATIO_STATE_DEAD);
    KIT_STATUS(k, dead->drop(p.caller->t, "q", NULL, 5000, NULL, NULL), PATIO_OK, "drop of all");
    kit_await_counts(p.caller, 0, 0, 0, 0);
    expect_state(k, p.caller, 1, PATIO_STATE_DEAD);
}

const kit_case kit_gone_cases[] = {
    {167, 0, "what_was_cancelled_is_remembered", "delivery 13",
     PATIO_CAP_RESULTS | PATIO_CAP_CANCEL, 0, NULL, what_was_cancelled_is_remembered},
    {168, 0, "what_was_dropped_is_remembered", "delivery 13",
     PATIO_CAP_RESULTS | PATIO_CAP_DEAD_LETTERS, 0, NULL, what_was_dropped_is_remembered},
    {0},
};
