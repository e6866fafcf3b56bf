/* api/memory_bench.h: instances of the memory transport under a fake host, with all their events.
 */
#ifndef API_MEMORY_BENCH_H
#define API_MEMORY_BENCH_H

#include "fake_host.h"

enum { SEEN_MAX = 4096 };

typedef struct seen_delivery {
    patio_tag tag;
    uint64_t  fence;
    uint64_t  ttl_ms;
    patio_id  id;
    uint32_t  flags;
    uint16_t  attempt;
    uint16_t  crashes;
    uint16_t  priority;
    char      task[16];
} seen_delivery;

/* One instance, and what it was told. */
typedef struct instance {
    fake_host                 *host;
    const patio_transport_ops *ops;
    patio_transport           *t;
    patio_transport_events     events;
    pthread_mutex_t            lock;
    seen_delivery              deliveries[SEEN_MAX];
    uint32_t                   delivered;
    uint32_t                   unsettled; /* kept by settle_ok() */
    uint32_t                   most_unsettled;
    uint32_t                   receipts;
    uint32_t                   accepted;
    uint32_t                   replies;
    uint32_t                   partials;
    patio_id                   reply_id;
    uint32_t                   cancel_wanted;
    patio_tag                  cancel_tag;
    uint32_t                   cancels;
    uint32_t                   cancel_outcome;
    uint32_t                   links;
    _Atomic(bool)              stopped;    /* stop has returned */
    _Atomic uint32_t           after_stop; /* events since: must stay 0 */
} instance;

typedef struct instance_options {
    const char *name; /* of memory://NAME */
    const char *project;
    int64_t     max_queued;
    int64_t     max_queued_bytes;
    int64_t     max_dead;
    uint64_t    max_body_bytes;
} instance_options;

/* Zeros in options mean generous defaults; NULL: all of them. Started. */
void instance_open(instance *i, fake_host *host, const instance_options *options);
void instance_stop(instance *i);
void instance_close(instance *i); /* stop if need be, destroy */

/* Numbers in ids: what the tests tell tasks apart by. */
patio_id     id_of(uint32_t number);
uint32_t     number_of(patio_id id);
patio_status publish(instance *i, uint32_t number, const char *task, uint32_t flags,
                     uint64_t delay_ms);
patio_status publish_message(instance *i, patio_message *message); /* queue and body filled in */
void         subscribe(instance *i, uint32_t credit, const char *task, const char *task2);
patio_status settle(instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                    const char *reply);
void         settle_ok(instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms);

/* The n-th delivery so far, from 0; asserts that there is one. */
const seen_delivery *delivery(const instance *i, uint32_t n);
void expect_counts(instance *i, uint64_t ready, uint64_t leased, uint64_t delayed, uint64_t dead);

#endif
