/* docs/errors.md, from the table of statuses. */
#include <stdio.h>
#include <string.h>

#include <patio/patio.h>

#include "docgen.h"

/* What to do about it; every status but OK has a line. */
static const char *advice(patio_status status)
{
    switch (status) {
    case PATIO_INVALID:
        return "a mistake in the calling code: the error names the argument";
    case PATIO_UNSUPPORTED:
        return "the transport or executor lacks a capability, which the error names: ask for "
               "less, or choose another";
    case PATIO_ABI:
        return "rebuild the plugin or the task module against this patio";
    case PATIO_NOT_FOUND:
        return "the error lists where it was looked for, and names that are near";
    case PATIO_EXISTS:
        return "give one of the two another name";
    case PATIO_CONFIG:
        return "the error names key, file and line";
    case PATIO_TYPE:
        return "the value is of another type: look at its `type`, or at what the task returns";
    case PATIO_TOO_LARGE:
        return "raise `max_body_bytes` on both sides, or pass a reference instead of the data";
    case PATIO_STATE:
        return "the order of calls is wrong: before start, after stop, on a locked registry";
    case PATIO_CLOSED:
        return "the transport or executor was stopped meanwhile";
    case PATIO_CANCELLED:
        return "somebody cancelled it, or the broker was stopped";
    case PATIO_TIMEOUT:
        return "no answer by the deadline; of a call: the task may still run; of a send: it may "
               "have been accepted";
    case PATIO_STALE:
        return "for plugins: the delivery is settled or another worker has it";
    case PATIO_NO_MEMORY:
        return "nothing was changed: try again with less";
    case PATIO_FULL:
        return "a bound is reached, which the error names: slow down and try again";
    case PATIO_BLOCKED:
        return "the broker has no room for now: try again later";
    case PATIO_IO:
        return "the system's own words are in the error";
    case PATIO_PROTOCOL:
        return "the other side speaks something else: check its version";
    case PATIO_AUTH:
        return "check user, password or certificate; trying again does not help";
    case PATIO_NO_ROUTE:
        return "start a worker that has the task, or call with PATIO_CALL_WAIT_ROUTE";
    case PATIO_PEER_LOST:
        return "it may or may not have run: repeat it if it is idempotent";
    case PATIO_UNREACHABLE:
        return "try again later; the transport reconnects by itself";
    case PATIO_TASK_FAILED:
        return "the task's own code, type and message: patio_future_error";
    case PATIO_TASK_CRASHED:
        return "the worker's log has the place";
    case PATIO_TASK_RETRY:
        return "what a task function returns; callers do not see it";
    case PATIO_TASK_SNOOZE:
        return "what a task function returns; callers do not see it";
    case PATIO_INTERNAL:
        return "please report it";
    default:
        return NULL;
    }
}

static const char *class_of(patio_status status)
{
    switch (status / 100) {
    case 1:
        return "1xx: the caller's mistake";
    case 2:
        return "2xx: state and time";
    case 3:
        return "3xx: resources";
    case 4:
        return "4xx: the peer or the link";
    case 5:
        return "5xx: the task";
    default:
        return "9xx: a bug";
    }
}

bool docgen_errors(void)
{
    static const patio_status all[] = {
#define PATIO_X(name, value, text) value,
        PATIO_STATUS_MAP(PATIO_X)
#undef PATIO_X
    };
    puts("# Errors\n\n" DOCGEN_NOTICE
         "Every function that can fail returns a `patio_status`, 0 (`PATIO_OK`) for success, and "
         "fills a `patio_error`\n"
         "with what was attempted, on what, and why it failed. How to handle them: "
         "[calls.md](calls.md#errors).\n"
         "The numbers never change; new ones may come.\n");
    const char *class = "";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] == PATIO_OK) {
            continue;
        }
        if (advice(all[i]) == NULL) {
            fprintf(stderr, "docgen: say in advice() what to do about %s\n",
                    patio_status_name(all[i]));
            return false;
        }
        if (strcmp(class, class_of(all[i])) != 0) {
            class = class_of(all[i]);
            printf("%s## %s\n\n| status | number | meaning | what to do |\n| --- | --- | --- | --- "
                   "|\n",
                   i > 1 ? "\n" : "", class);
        }
        printf("| `%s` | %d | %s | %s |\n", patio_status_name(all[i]), all[i],
               patio_status_text(all[i]), advice(all[i]));
    }
    return true;
}
