/* runtime/watchdog.h: a worker that looks idle asks whether it is.
 *
 * Whatever goes wrong between a queue and a worker (a consumer that the broker forgot, a cursor
 * that points behind the end) has one sign: tasks are ready, slots are free, and nothing comes. A
 * thread of its own looks for it, because asking for counts may block; it sleeps all but once in
 * watchdog_ms, and asks only where nothing came since its last look.
 *
 * Not where a transport hands out tasks by name (ROUTES): there a task that is ready may be one
 * that this worker does not have, and what hands out is in this process, or in the caller's.
 */
#ifndef PT_WATCHDOG_H
#define PT_WATCHDOG_H

#include "runtime/broker.h"

/* Begin to watch, where there is something to watch. */
patio_status pt_watchdog_start(patio_broker *broker, patio_error *err);
/* No look begins after this one; it may still be asking. */
void pt_watchdog_end(patio_broker *broker);
/* Wait for it, once the transport has stopped and answers no more. */
void pt_watchdog_join(patio_broker *broker);
/* What is wrong, NULL if nothing is. Under the broker's lock. */
const char *pt_watchdog_why(const patio_broker *broker);

#endif
