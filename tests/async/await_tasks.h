/* async/await_tasks.h: tasks that wait, each in one way, and what they saw. */
#ifndef ASYNC_AWAIT_TASKS_H
#define ASYNC_AWAIT_TASKS_H

#include "api/fixture.h"

/* The status of the last wait of the tasks below, and how many waits have begun and ended. */
extern _Atomic patio_status waited;
extern _Atomic uint32_t     began;
extern _Atomic uint32_t     ended;
/* What task_suspend and its kin hand to the test. */
extern patio_waker     the_waker;
extern patio_deferred *the_deferred;
extern int             the_fd;

void await_tasks_reset(void);
/* "sleep" ms; "yield" n; "read_fd" timeout_ms: waits for the_fd, returns what is ready; "suspend"
 * timeout_ms flags; "call" name args…: returns its result; "any" n: starts n sleeps of which the
 * last is the shortest, returns the index of the first to end; "all" n; "defer": returns through
 * the_deferred; "defer_and_fail"; "defer_twice" */
void await_tasks_add(patio_registry *registry, const patio_task_options *options);

#endif
