/* act.h: what cases do all the time. */
#ifndef CONFORM_ACT_H
#define CONFORM_ACT_H

#include "instance.h"

/* ---- act_call.c: as a caller ---- */

patio_id      kit_id(kit *k, uint32_t number);
uint32_t      kit_number(const patio_id *id);
patio_message kit_message(kit *k, uint32_t number, uint32_t flags);
/* Publish, filling in queue, task, body where they are NULL. `body_bytes` of pattern. */
patio_status kit_publish_message(kit_instance *i, patio_message *m, size_t body_bytes,
                                 patio_error *err);
patio_status kit_publish(kit_instance *i, uint32_t number, uint32_t flags);
/* Must be accepted: by return and by receipt. */
void kit_send(kit_instance *i, uint32_t number);
void kit_send_message(kit_instance *i, patio_message *m);
/* A dedup conflict may be refused by name: the capability says that one of them is there. Else it
 * is published. */
bool kit_conflict_is_refused(kit_instance *i, patio_message *m, const char *word);
void kit_call(kit_instance *i, uint32_t number);
/* As the core calls: it hears of nothing but a failure and the reply. */
patio_message kit_quiet_call(kit *k, uint32_t number);
/* Wait for the receipt that says to such a caller: UNKNOWN, for it was CANCELLED. */
void kit_await_cancelled(kit_instance *i, uint32_t number);
/* Wait for the receipt of a number; its outcome. */
uint32_t kit_outcome(kit_instance *i, uint32_t number);
uint64_t kit_receipts_of(kit_instance *i, uint32_t number);
uint64_t kit_replies_of(kit_instance *i, uint32_t number);

/* ---- act_work.c: as a worker ---- */

patio_status kit_try_subscribe(kit_instance *i, const char *queue, uint32_t credit,
                               const char *const *tasks, size_t count);
void         kit_subscribe(kit_instance *i, uint32_t credit); /* queue "q", task "t" */
void         kit_unsubscribe(kit_instance *i);
/* The n-th delivery of this instance, from 0; waits for it. */
kit_delivery kit_delivered(kit_instance *i, uint32_t n);
kit_delivery kit_delivered_within(kit_instance *i, uint32_t n, uint64_t within_ms);
uint32_t     kit_delivered_count(kit_instance *i);
/* Nothing comes for a moment: for what must not happen. */
void kit_quiet(kit_instance *i, uint32_t delivered, uint64_t for_ms);
/* Settle, and keep account of the credit. */
patio_status kit_settle_as(kit_instance *i, patio_tag tag, const patio_settlement *s,
                           patio_error *err);
patio_status kit_settle(kit_instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                        patio_buf *reply, patio_error *err);
/* Must be OK; with a reply of the pattern when reply_bytes >= 0. */
void kit_settle_ok(kit_instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                   int64_t reply_bytes);
void kit_ack(kit_instance *i, patio_tag tag);
/* A thread that settles whatever comes with ACK and a reply. */
void kit_work(kit_instance *i);
void kit_work_stop(kit_instance *i);

/* ---- act.c ---- */

/* Two instances: who publishes and who works. */
typedef struct kit_pair {
    kit_instance *caller;
    kit_instance *worker;
} kit_pair;
kit_pair    kit_pair_open(kit *k, const kit_open *o);
const void *kit_query(kit_instance *i, const char *interface_id);
/* A member of the instance that events write, read under the lock: KIT_GET(i, ups). */
uint32_t kit_get(kit_instance *i, const uint32_t *member);
#define KIT_GET(i, member) kit_get(i, &(i)->member)
/* Counts of queue "q". */
patio_counts kit_counts(kit_instance *i);
/* A count, 0 for one that cannot be known. */
uint64_t kit_known(uint64_t count);
void     kit_await_counts(kit_instance *i, uint64_t ready, uint64_t leased, uint64_t delayed,
                          uint64_t dead);

#endif
