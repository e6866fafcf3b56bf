/* options.h: which option is where in a table of values, and what has to fit together. */
#ifndef TCP_OPTIONS_H
#define TCP_OPTIONS_H

#include "tcp.h"

enum {
    OPT_KEY,
    OPT_INSECURE,
    OPT_MAX_FRAME_BYTES,
    OPT_MAX_QUEUED,
    OPT_MAX_QUEUED_BYTES,
    OPT_MAX_DEAD,
    OPT_DEAD_TTL_MS,
    OPT_MAX_RESULTS,
    OPT_MAX_RESULT_BYTES,
    OPT_MAX_DEDUP_KEYS,
    OPT_MAX_CRASHES,
    OPT_PREFETCH,
    OPT_WRITE_QUEUE_BYTES,
    OPT_PING_MS,
    OPT_DEAD_MS,
    OPT_HANDSHAKE_MS,
    OPT_RECONNECT_MIN_MS,
    OPT_RECONNECT_MAX_MS,
    OPT_MAX_CONNECTIONS,
    OPT_MAX_CONNECTIONS_PER_ADDRESS,
    OPT_HANDSHAKES_PER_SECOND,
    OPT_KEY_NEXT,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_TLS_CA,
    OPT_TLS_CRL,
    OPT_TLS_NAME,
    OPT_TLS_CLIENT,
    OPT_TLS_MIN,
    OPT_TLS_CIPHERS,
    OPT_TLS_SUITES,
    OPT_TLS_ALLOW,
    OPT_TLS_RELOAD_MS,
};

static inline uint64_t option_number(const patio_endpoint *e, unsigned which)
{
    return (uint64_t)e->values[which].number;
}

/* options_check.c; CONFIG. */
/* Of one URL. */
patio_status options_check_one(const endpoint *ep, const patio_transport_params *params,
                               const patio_endpoint *e, patio_error *err);
/* Times of the transport as a whole. What is not given follows what is. */
patio_status options_agree(settings *set, const patio_endpoint *e, patio_error *err);
/* What is of the whole broker is taken from the first URL: another one must not say otherwise. */
patio_status options_check_first(const patio_endpoint *first, const patio_endpoint *e,
                                 patio_error *err);
/* What only the other kind of URL has a use for is an error, unless one is there that has it: then
 * it was given to all. */
patio_status options_check_sides(const patio_transport *t, patio_error *err);

#endif
