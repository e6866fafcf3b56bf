/* patio/reload.h: new code for the tasks of a broker that runs on.
 */
#ifndef PATIO_RELOAD_H
#define PATIO_RELOAD_H

#include <patio/broker.h>
#include <patio/executor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Load the task modules anew, where an executor can: `process` replaces its children one after
 * another, each new one before an old one is told to end; running tasks finish where they are, and
 * nothing is lost. Names and versions of the tasks must be those of this process. If a new child
 * does not come up the old ones go on, and the log says why. Returns at once; asked again meanwhile
 * it begins over.
 *
 * OK: it has begun, or there are only programs, which are loaded anew for each task anyway. What
 * other executors of this broker run is not loaded anew, and the log names them. UNSUPPORTED: no
 * executor of this broker can: restart the process. STATE: the broker is not running. Any
 * thread. */
PATIO_API PATIO_CHECKED patio_status patio_broker_reload(patio_broker *broker, patio_error *err);

/* PATIO_RELOAD_NONE, _RUNNING, _DONE, _FAILED: what became of the last one. Any thread. */
PATIO_API uint32_t patio_broker_reload_state(patio_broker *broker);

#ifdef __cplusplus
}
#endif
#endif
