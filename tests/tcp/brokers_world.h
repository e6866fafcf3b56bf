/* brokers_world.h: tasks, and brokers on several addresses, for the tests of brokers that meet. */
#ifndef BROKERS_WORLD_H
#define BROKERS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

/* ---- tasks ---- */

extern _Atomic uint32_t runs; /* of add */
extern _Atomic uint32_t gate_waits;
extern _Atomic bool     gate_open;

patio_status add(patio_context *ctx);
patio_status length(patio_context *ctx);
/* Waits for the gate, or for its cancellation. */
patio_status gate(patio_context *ctx);
/* Asks the other side, from inside a task. */
patio_status there(patio_context *ctx);
patio_status second_time(patio_context *ctx);
patio_status broken(patio_context *ctx);

typedef struct named {
    const char   *name;
    patio_task_fn fn;
} named;

extern const named adder[1];
extern const named gated[2];
extern const named caller[1];
extern const named asker[1];

/* ---- brokers ---- */

typedef struct side {
    patio_registry *registry;
    patio_broker   *broker;
} side;

#define URLS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A broker with some tasks on some URLs; %s in a URL stands for the test's folder. */
patio_status open_side(side *s, const named *tasks, size_t count, const char *const *urls,
                       patio_error *err);
void         open_well(side *s, const named *tasks, size_t count, const char *const *urls);
void         close_side(side *s);
patio_status call_add(const side *s, const char *task, int64_t *sum, uint64_t timeout_ms,
                      uint32_t flags);
void         expect_add(const side *s, const char *task);
patio_counts count(const side *s);
/* For `until`: nothing waits or runs on that side. */
bool none_ready(const void *one);
/* Within five seconds. */
bool until(bool (*holds)(const void *arg), const void *arg);

/* ---- tests ---- */

/* brokers_delivery.c */
void large_payloads_arrive_whole_beside_small_ones(void **state);
void errors_retries_and_dead_letters(void **state);
void a_delay_is_kept(void **state);
void a_cancel_reaches_queued_and_running(void **state);

/* brokers_lost.c */
void the_listener_may_be_restarted(void **state);
void a_wrong_key_is_seen_by_who_connects(void **state);
void a_killed_worker_ends_its_calls(void **state);
void what_a_lost_worker_had_goes_to_another(void **state);

#endif
