/* What stands in the way of a broker's work. Each change is noted when it happens, so that a probe
 * only reads. */
#include <patio/health.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/operate.h"
#include "runtime/watchdog.h"

const char *patio_health_name(uint32_t state)
{
    static const char *const words[] = {
#define PATIO_X(name, number, word, text) [number] = (word),
        PATIO_HEALTH_MAP(PATIO_X)
#undef PATIO_X
    };
    return state < sizeof(words) / sizeof(words[0]) ? words[state] : "?";
}

/* Under the lock. */
static uint32_t state_of(const patio_broker *b)
{
    uint32_t state = atomic_load(&b->state);
    if (state != PT_BROKER_RUNNING) {
        return state == PT_BROKER_NEW ? PATIO_HEALTH_NEW : PATIO_HEALTH_STOPPED;
    }
    if (b->draining) {
        return PATIO_HEALTH_DRAINING;
    }
    if (b->worn) {
        return PATIO_HEALTH_WORN_OUT;
    }
    switch (atomic_load(&b->link)) {
    case PATIO_LINK_UP:
        break;
    case PATIO_LINK_BLOCKED:
        return PATIO_HEALTH_BLOCKED;
    case PATIO_LINK_DOWN:
        return PATIO_HEALTH_DOWN;
    default:
        return PATIO_HEALTH_CONNECTING;
    }
    if (pt_watchdog_why(b) != NULL) {
        return PATIO_HEALTH_STALLED;
    }
    return b->stuck > 0 ? PATIO_HEALTH_DEGRADED : PATIO_HEALTH_READY;
}

void pt_health_changed(patio_broker *b)
{
    uint32_t state = state_of(b);
    if (state != b->health) {
        b->health          = state;
        b->health_since_ns = pt_now_ns();
        pt_presence_soon(b);
    }
}

/* Under the lock: what is to be said beyond the state. */
static void write_reason(const patio_broker *b, char *out, size_t room)
{
    switch (b->health) {
    case PATIO_HEALTH_CONNECTING:
    case PATIO_HEALTH_BLOCKED:
    case PATIO_HEALTH_DOWN:
        (void)snprintf(out, room, "transport %.32s: %s", b->transport_plugin->identity->name,
                       b->link_error.message[0] != '\0' ? b->link_error.message : "not connected");
        return;
    case PATIO_HEALTH_STALLED:
        (void)snprintf(out, room, "%s", pt_watchdog_why(b));
        return;
    case PATIO_HEALTH_DEGRADED:
        (void)snprintf(out, room, "%u tasks do not return and hold their threads", b->stuck);
        return;
    case PATIO_HEALTH_WORN_OUT:
        (void)snprintf(out, room, "%s", b->worn_why.message);
        return;
    default:
        out[0] = '\0';
    }
}

static bool is_ready(uint32_t state)
{
    return state == PATIO_HEALTH_READY || state == PATIO_HEALTH_DEGRADED;
}

void patio_broker_health(patio_broker *b, patio_health *out)
{
    patio_health now  = {.struct_size = out->struct_size};
    uint64_t     when = pt_now_ns();
    pthread_mutex_lock(&b->lock);
    now.state    = b->health;
    now.ready    = is_ready(b->health) ? 1 : 0;
    now.stuck    = b->stuck;
    now.since_ms = b->health_since_ns != 0 && when > b->health_since_ns
                       ? (when - b->health_since_ns) / PT_NS_PER_MS
                       : 0;
    write_reason(b, now.reason, sizeof(now.reason));
    pthread_mutex_unlock(&b->lock);
    memcpy(out, &now, out->struct_size < sizeof(now) ? out->struct_size : sizeof(now));
}

static patio_status status_of(uint32_t state)
{
    switch (state) {
    case PATIO_HEALTH_CONNECTING:
    case PATIO_HEALTH_DOWN:
    case PATIO_HEALTH_STALLED:
        return PATIO_UNREACHABLE;
    case PATIO_HEALTH_BLOCKED:
        return PATIO_BLOCKED;
    case PATIO_HEALTH_WORN_OUT:
        return PATIO_TASK_CRASHED;
    default:
        return PATIO_STATE;
    }
}

bool patio_broker_ready(patio_broker *b, patio_error *why)
{
    patio_health health = {PATIO_SIZED(patio_health)};
    patio_broker_health(b, &health);
    if (health.ready == 0) {
        (void)pt_fail(why, status_of(health.state), "broker", "%s%s%s",
                      patio_health_name(health.state), health.reason[0] != '\0' ? ": " : "",
                      health.reason);
    }
    return health.ready != 0;
}
