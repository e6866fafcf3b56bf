/* patio/health.h: what stands in the way of a broker's work, for probes and for people. */
#ifndef PATIO_HEALTH_H
#define PATIO_HEALTH_H

#include <patio/broker.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, word, text). READY and DEGRADED are fit for work, the others are not. Where more
 * than one holds, the one that is nearer to the end of the process is told. */
#define PATIO_HEALTH_MAP(X)                                                                        \
    X(NEW, 0, "new", "it was not started yet")                                                     \
    X(CONNECTING, 1, "connecting", "the link is not up; the transport tries again by itself")      \
    X(READY, 2, "ready", "nothing stands in its way")                                              \
    X(DEGRADED, 3, "degraded", "it works, and threads are held by tasks that do not return")       \
    X(BLOCKED, 4, "blocked", "the link is up, and nothing new is accepted for now")                \
    X(STALLED, 5, "stalled", "tasks wait, slots are free, and nothing is delivered")               \
    X(DOWN, 6, "down", "the transport has given up; a person must look")                           \
    X(WORN_OUT, 7, "worn_out", "this process is to be begun anew")                                 \
    X(DRAINING, 8, "draining", "it stops: running tasks finish, nothing new is taken")             \
    X(STOPPED, 9, "stopped", "it was stopped")
enum {
#define PATIO_X(name, number, word, text) PATIO_HEALTH_##name = (number),
    PATIO_HEALTH_MAP(PATIO_X)
#undef PATIO_X
};

typedef struct patio_health {
    uint32_t struct_size;
    uint32_t state;    /* PATIO_HEALTH_… */
    uint32_t ready;    /* 1: READY or DEGRADED */
    uint32_t stuck;    /* tasks that were given up and hold their threads */
    uint64_t since_ms; /* how long it has been in this state */
    char reason[1024]; /* what is wrong, for people; "" where the state says it all. No secret */
} patio_health;

/* health->struct_size is set by the caller. Any thread, at any time until destroy; never blocks.
 *
 * STALLED is found by a watchdog of brokers that run tasks, on transports with a server: if nothing
 * came for watchdog_ms while slots are free, it asks for the counts; if tasks are ready, the queue
 * is not paused, and still nothing comes for as long again, it says so once in the log and
 * subscribes anew. The state ends with the next delivery, or when nothing waits any more. */
PATIO_API void patio_broker_health(patio_broker *broker, patio_health *health);
/* "ready"; never NULL. */
PATIO_API const char *patio_health_name(uint32_t state);

#ifdef __cplusplus
}
#endif
#endif
