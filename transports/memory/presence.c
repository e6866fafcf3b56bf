/* Who is there, and whether all is well: in one process a short story. */
#include "memory.h"

#include <patio/doctor.h>
#include <patio/presence.h>

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    const patio_host *host = t->host;
    patio_buf        *buf  = NULL;
    if (info.size > PATIO_PRESENCE_MAX_BYTES) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "announce: %zu bytes, at most %d are allowed",
                          info.size, PATIO_PRESENCE_MAX_BYTES);
    }
    if (info.size > 0) {
        uint8_t *data = NULL;
        buf           = host->buf_new(host->self, info.size, &data);
        if (buf == NULL) {
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
        memcpy(data, info.data, info.size);
    }
    pthread_mutex_lock(&t->hub->lock);
    patio_buf *old = t->info;
    t->info        = buf;
    pthread_mutex_unlock(&t->hub->lock);
    host->buf_drop(host->self, old);
    return PATIO_OK;
}

/* The instance of the next larger number that is described, so that none is seen twice while others
 * come and go. */
static patio_buf *next_described(patio_transport *t, uint64_t *after, bool *first)
{
    const patio_host      *host = t->host;
    const patio_transport *best = NULL;
    patio_buf             *info = NULL;
    pthread_mutex_lock(&t->hub->lock);
    for (const patio_transport *i = t->hub->instances; i != NULL; i = i->next) {
        if (i->running && i->info != NULL && (*first || i->incarnation > *after) &&
            (best == NULL || i->incarnation < best->incarnation)) {
            best = i;
        }
    }
    if (best != NULL) {
        info   = host->buf_ref(host->self, best->info);
        *after = best->incarnation;
        *first = false;
    }
    pthread_mutex_unlock(&t->hub->lock);
    return info;
}

static patio_status list_present(patio_transport *t, uint64_t timeout_ms,
                                 patio_presence_visit_fn visit, void *arg, patio_error *err)
{
    const patio_host *host  = t->host;
    uint64_t          after = 0;
    bool              first = true;
    int32_t           stop  = 0;
    (void)timeout_ms;
    (void)err;
    while (stop == 0) {
        uint64_t   from = host->now_ns(host->self);
        patio_buf *info = next_described(t, &after, &first);
        if (info == NULL) {
            break;
        }
        patio_presence p = {
            PATIO_SIZED(patio_presence),
            .incarnation = after,
            .rtt_ns      = host->now_ns(host->self) - from + 1, /* it is here: looking is asking */
            .info        = host->buf_view(host->self, info),
        };
        stop = visit(arg, &p);
        host->buf_drop(host->self, info);
    }
    return PATIO_OK;
}

static patio_status check(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                          void *arg, patio_error *err)
{
    char     text[128];
    hub     *h = t->hub;
    uint64_t held, bytes, dead;
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&h->lock);
    held  = h->room.held - h->room.dead;
    bytes = h->room.held_bytes - h->room.dead_bytes;
    dead  = h->room.dead;
    pthread_mutex_unlock(&h->lock);

    patio_finding f = {PATIO_SIZED(patio_finding), .severity = PATIO_FINDING_NOTE,
                       .subject = "durability",
                       .finding = "tasks live in this process and end with it",
                       .advice  = "use another transport for tasks that must survive a restart"};
    if (visit(arg, &f) != 0) {
        return PATIO_OK;
    }
    bool tight =
        held > t->bounds.max_queued / 10 * 8 || bytes > t->bounds.max_queued_bytes / 10 * 8;
    (void)snprintf(text, sizeof(text), "%llu of %llu tasks, %llu of %llu bytes",
                   (unsigned long long)held, (unsigned long long)t->bounds.max_queued,
                   (unsigned long long)bytes, (unsigned long long)t->bounds.max_queued_bytes);
    f = (patio_finding){PATIO_SIZED(patio_finding),
                        .severity = tight ? PATIO_FINDING_WARN : PATIO_FINDING_OK,
                        .subject = "room", .finding = text,
                        .advice = tight ? "add workers, or raise max_queued" : ""};
    if (visit(arg, &f) != 0) {
        return PATIO_OK;
    }
    (void)snprintf(text, sizeof(text), "%llu are kept", (unsigned long long)dead);
    f = (patio_finding){PATIO_SIZED(patio_finding),
                        .severity = dead > 0 ? PATIO_FINDING_NOTE : PATIO_FINDING_OK,
                        .subject = "dead letters", .finding = text,
                        .advice = dead > 0 ? "look at them: patio dlq ls" : ""};
    (void)visit(arg, &f);
    return PATIO_OK;
}

const patio_presence_ops memory_presence_ops = {
    PATIO_SIZED(patio_presence_ops),
    .announce = announce,
    .list     = list_present,
};
const patio_doctor_ops memory_doctor_ops = {PATIO_SIZED(patio_doctor_ops), .check = check};
