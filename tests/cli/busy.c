/* busy.c: preloaded into `patio worker`, it begins a call of "sleep" as soon as the broker runs, so
 * that a drain with a running task can be tried over memory://, where nobody else can call. */
#include <dlfcn.h>
#include <stdlib.h>

#include <patio/patio.h>

PATIO_EXPORT patio_status patio_broker_start(patio_broker *broker, patio_error *err)
{
    union {
        void *symbol;
        patio_status (*start)(patio_broker *, patio_error *);
    } next               = {dlsym(RTLD_NEXT, "patio_broker_start")};
    patio_status st      = next.start(broker, err);
    const char  *seconds = getenv("BUSY_SECONDS");
    if (st == PATIO_OK && seconds != NULL) {
        patio_future *future = NULL;
        st = patio_start(broker, "sleep", PATIO_ARGS(strtod(seconds, NULL)), NULL, &future, err);
        patio_future_destroy(future);
    }
    return st;
}
