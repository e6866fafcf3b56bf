/* api/fixture.h: a world for one test: a runtime that counts its memory, a registry, a broker, and
 * tasks that a test can hold and watch. */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <patio/patio.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "failing_alloc.h"

/* ---- waiting for a condition; fails the test after 20 s. Only on the test's own thread. ---- */

uint64_t test_now_ms(void);
void     test_pause(void); /* a moment, between two looks */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        for (uint64_t until_ = test_now_ms() + 20000; !(condition);) {                             \
            if (test_now_ms() >= until_) {                                                         \
                fail_msg("never came true: %s", #condition);                                       \
            }                                                                                      \
            test_pause();                                                                          \
        }                                                                                          \
    } while (0)

#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        patio_status st_ = (call);                                                                 \
        if (st_ != PATIO_OK) {                                                                     \
            fail_msg("%s: %s: %s", #call, patio_status_name(st_), (err).message);                  \
        }                                                                                          \
    } while (0)
#define assert_status(call, expected)                                                              \
    do {                                                                                           \
        patio_status st_ = (call);                                                                 \
        if (st_ != (expected)) {                                                                   \
            fail_msg("%s: %s, expected %s", #call, patio_status_name(st_),                         \
                     patio_status_name(expected));                                                 \
        }                                                                                          \
    } while (0)
#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL) {                                                      \
            fail_msg("\"%s\" is not in \"%s\"", (part), (text));                                   \
        }                                                                                          \
    } while (0)

/* By value, so that PATIO_LIST and PATIO_MAP can stand there. */
void assert_value(const patio_value *got, patio_value expected);

/* ---- worlds ---- */

typedef struct fixture {
    failing_alloc   memory;
    patio_runtime  *runtime;
    patio_registry *registry;
    patio_broker   *broker;
    patio_error     err;
} fixture;

/* "key=value" texts for a broker. */
#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A runtime and an empty registry; no broker yet. */
void fixture_init(fixture *f);
/* The same with PATIO_RUNTIME_… */
void fixture_init_with(fixture *f, uint32_t flags, uint64_t seed);
/* The same with the tasks below and a started broker on memory:// under the settings (may be NULL).
 */
void fixture_open(fixture *f, const char *const *settings);
/* Stop and destroy what is there; asserts that no memory is left. */
void fixture_close(fixture *f);

/* A broker that is not started, and one that is. registry may be NULL. */
patio_status  try_broker(fixture *f, patio_registry *registry, const char *const *settings,
                         patio_broker **out);
patio_broker *make_broker(fixture *f, patio_registry *registry, const char *const *settings);
patio_broker *start_broker(fixture *f, patio_registry *registry, const char *const *settings);

patio_counts       counts_of(patio_broker *broker, const char *queue);
patio_broker_stats stats_of(const patio_broker *broker);

/* Registers a function under a name; asserts that it works. */
void add_task(patio_registry *registry, const char *name, patio_task_fn fn,
              const patio_task_options *options);

/* ---- a gate that tasks wait at ---- */

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    unsigned        arrived; /* so far */
    unsigned        inside;  /* now */
    unsigned        most;    /* inside at once */
    bool            open;
} gate;

/* The gate of task_gate and task_gate_cancel; fixture_init closes it and sets everything to 0. */
extern gate              the_gate;
extern _Atomic(uint32_t) runs; /* of task_count */

void     gate_reset(gate *g);
void     gate_pass(gate *g); /* for tasks: wait until it is open */
void     gate_open(gate *g);
unsigned gate_arrived(gate *g);
#define AWAIT_ARRIVED(g, n) AWAIT(gate_arrived(g) >= (n))

/* ---- tasks ---- */

patio_status task_mul(patio_context *ctx);   /* "mul": product of all int64 arguments */
patio_status task_echo(patio_context *ctx);  /* "echo": its first argument */
patio_status task_gate(patio_context *ctx);  /* "gate": waits at the_gate, then echoes */
patio_status task_count(patio_context *ctx); /* "count": runs++ */
/* "until_cancelled": arrives at the_gate, and ends once it is cancelled or the gate opens; adds 1
 * to `runs` if it was cancelled. */
patio_status task_until_cancelled(patio_context *ctx);
void         add_common_tasks(patio_registry *registry);

/* Starts a call of "gate" and waits until it holds a worker. */
patio_future *hold_worker(patio_broker *broker);

/* Runs them all, or those that the environment's TEST_FILTER names ("*cancel*"). */
#define RUN_TESTS(name, tests)                                                                     \
    (cmocka_set_test_filter(getenv("TEST_FILTER")),                                                \
     cmocka_run_group_tests_name(name, tests, NULL, NULL))

/* ---- a test's own threads ---- */

pthread_t run_thread(void *(*body)(void *arg), void *arg);
void      join_thread(pthread_t thread);

#endif
