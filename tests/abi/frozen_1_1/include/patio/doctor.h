/* patio/doctor.h: is the server fit for this, and what should be changed?
 *
 * An interface of a transport: `query(t, PATIO_DOCTOR_ID)`. It looks at server version, rights,
 * settings and leftovers, and changes nothing. [any thread, but not inside an event] [may block up
 * to timeout_ms]
 */
#ifndef PATIO_DOCTOR_H
#define PATIO_DOCTOR_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_DOCTOR_ID "patio.doctor/1"

enum {
    PATIO_FINDING_OK    = 0, /* looked at, and fine */
    PATIO_FINDING_NOTE  = 1, /* worth knowing */
    PATIO_FINDING_WARN  = 2, /* works, but will hurt some day */
    PATIO_FINDING_ERROR = 3, /* does not work like this */
};

/* Borrowed for the visit. One line each, lower case, no full stop, no secret. */
typedef struct patio_finding {
    uint32_t    struct_size;
    uint32_t    severity; /* PATIO_FINDING_… */
    const char *subject;  /* what was looked at: "maxmemory-policy" */
    const char *finding;  /* what is so: "allkeys-lru: the server may throw tasks away" */
    const char *advice;   /* what to do: "set it to noeviction"; "" if nothing */
} patio_finding;

/* Return 0 to go on, anything else to stop. Must not call the transport. */
typedef int32_t (*patio_finding_visit_fn)(void *arg, const patio_finding *finding);

typedef struct patio_doctor_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* OK: everything could be looked at, whatever was found. */
    patio_status (*check)(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                          void *arg, patio_error *err);
} patio_doctor_ops;

#ifdef __cplusplus
}
#endif
#endif
