/* A transport that does nothing, for plugins that are about something else. */
#ifndef TEST_FAKE_H
#define TEST_FAKE_H

#include <string.h>

#include <patio/executor.h>
#include <patio/transport.h>

static inline patio_status fake_create(const patio_host *host, const patio_transport_params *params,
                                       patio_transport **out, patio_error *err)
{
    (void)host;
    (void)params;
    (void)out;
    (void)err;
    return PATIO_INTERNAL;
}

static inline patio_status fake_start(patio_transport *t, patio_error *err)
{
    (void)t;
    (void)err;
    return PATIO_OK;
}

static inline patio_status fake_stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    (void)t;
    (void)grace_ms;
    (void)err;
    return PATIO_OK;
}

static inline void fake_destroy(patio_transport *t)
{
    (void)t;
}

static inline patio_status fake_publish(patio_transport *t, const patio_message *message,
                                        patio_error *err)
{
    (void)t;
    (void)message;
    (void)err;
    return PATIO_FULL; /* what the tests know the slot by */
}

static inline patio_status fake_subscribe(patio_transport *t, const patio_subscription *s,
                                          patio_error *err)
{
    (void)t;
    (void)s;
    (void)err;
    return PATIO_OK;
}

static inline patio_status fake_unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    (void)t;
    (void)queue;
    (void)err;
    return PATIO_OK;
}

static inline patio_status fake_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                                       patio_error *err)
{
    (void)t;
    (void)tag;
    (void)s;
    (void)err;
    return PATIO_OK;
}

static inline patio_status fake_counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                       patio_counts *out, patio_error *err)
{
    (void)t;
    (void)queue;
    (void)timeout_ms;
    (void)out;
    (void)err;
    return PATIO_OK;
}

static inline const void *fake_query(patio_transport *t, const char *interface_id)
{
    (void)t;
    return interface_id;
}

#define FAKE_LIFE                                                                                  \
    .create = fake_create, .start = fake_start, .stop = fake_stop, .destroy = fake_destroy
#define FAKE_REQUIRED                                                                              \
    FAKE_LIFE, .publish = fake_publish, .subscribe = fake_subscribe,                               \
               .unsubscribe = fake_unsubscribe, .settle = fake_settle, .counts = fake_counts

/* The plugin's query over its `ops`. */
#define FAKE_QUERY                                                                                 \
    static const void *query(const char *interface_id)                                             \
    {                                                                                              \
        return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;                        \
    }

/* An entry point that gives `identity`, or NULL, in its own way. */
#define FAKE_ENTRY(condition, identity)                                                            \
    PATIO_EXPORT const patio_plugin *patio_plugin_entry(uint32_t host_abi_major);                  \
    const patio_plugin              *patio_plugin_entry(uint32_t host_abi_major)                   \
    {                                                                                              \
        (void)host_abi_major;                                                                      \
        return (condition) ? (identity) : NULL;                                                    \
    }

#endif
