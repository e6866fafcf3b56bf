/* ops.h: the tables of the interfaces by id. */
#ifndef REDIS_OPS_H
#define REDIS_OPS_H

#include <patio/dead.h>
#include <patio/doctor.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>

extern const patio_dead_ops     redis_dead_ops;
extern const patio_queues_ops   redis_queues_ops;
extern const patio_results_ops  redis_results_ops;
extern const patio_presence_ops redis_presence_ops;
extern const patio_doctor_ops   redis_doctor_ops;

/* Queues of the project that have keys and no use, as far as a bounded look finds them. */
patio_status ops_unused_queues(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                               void *arg, patio_error *err);

#endif
