/* The memory transport: tasks and replies between brokers of one process.
 *
 * It encodes nothing and sends nothing, but treats tasks as every transport must: envelopes as
 * opaque bytes, leases, credit, retries, delay, priorities, dead letters. Instances whose URLs
 * carry the same name (memory://NAME) and whose project is the same meet in one hub; a broker alone
 * on memory:// calls itself. A `publish` hands a task to a waiting worker on the calling thread, a
 * `settle` hands over the reply and the next task: a call costs two thread hand-offs and no more.
 *
 * This is the plugin to read first: hub.c holds the queues, dispatch.c gives tasks to workers,
 * publish.c and settle.c are the two ways in, this file is life and the table.
 */
#include "memory.h"

#include <errno.h>
#include <time.h>

enum {
    OPT_MAX_QUEUED,
    OPT_MAX_QUEUED_BYTES,
    OPT_MAX_DEAD,
    OPT_DEAD_TTL,
    OPT_MAX_RESULTS,
    OPT_MAX_RESULT_BYTES,
    OPT_MAX_DEDUP_KEYS,
};

static const patio_option option_max_queued = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "max_queued",
    .fallback = "1000000",
    .help     = "most tasks held at once; one more is refused as FULL",
    .min      = 1,
    .max      = 100000000,
};
static const patio_option option_max_queued_bytes = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_SIZE,
    .name     = "max_queued_bytes",
    .fallback = "1GiB",
    .help     = "most bytes of envelopes held at once; more is refused as FULL",
    .min      = 1,
    .max      = INT64_MAX,
};
static const patio_option option_max_dead = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "max_dead",
    .fallback = "10000",
    .help     = "most dead letters kept per queue; the oldest go first, and the log says so",
    .min      = 0,
    .max      = 100000000,
};
static const patio_option option_dead_ttl = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_MS,
    .name     = "dead_ttl_ms",
    .fallback = "14d",
    .help     = "how long a dead letter is kept",
    .min      = 1,
    .max      = INT64_MAX / 1000000,
};
static const patio_option option_max_results = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "max_results",
    .fallback = "100000",
    .help     = "most results kept to be fetched by id; the oldest go first",
    .min      = 1,
    .max      = 100000000,
};
static const patio_option option_max_result_bytes = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_SIZE,
    .name     = "max_result_bytes",
    .fallback = "256MiB",
    .help     = "most bytes of results kept; the oldest go first",
    .min      = 1,
    .max      = INT64_MAX,
};
static const patio_option option_max_dedup_keys = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "max_dedup_keys",
    .fallback = "100000",
    .help     = "most dedup keys remembered at once; one more is refused as FULL",
    .min      = 1,
    .max      = 100000000,
};
static const patio_option *const options[] = {
    &option_max_queued,  &option_max_queued_bytes, &option_max_dead,       &option_dead_ttl,
    &option_max_results, &option_max_result_bytes, &option_max_dedup_keys, NULL,
};

static patio_status check_endpoint(const patio_transport_params *params, patio_error *err)
{
    const patio_endpoint *e = params->endpoints;
    if (params->endpoint_count != 1 || e->host_count != 1) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "memory takes one URL with one name: memory:// or memory://NAME");
    }
    if (e->hosts[0].port != 0 || e->user[0] != '\0' || e->password[0] != '\0' ||
        (e->path[0] != '\0' && strcmp(e->path, "/") != 0)) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: memory has no user, port or path; write memory:// or memory://NAME",
                          e->shown);
    }
    return PATIO_OK;
}

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    patio_status st = check_endpoint(params, err);
    if (st != PATIO_OK) {
        return st;
    }
    patio_transport *t = host->alloc(host->self, sizeof(*t));
    if (t == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(t, 0, sizeof(*t));
    const patio_option_value *values = params->endpoints->values;
    const char               *name   = params->endpoints->hosts[0].host;
    t->host                          = host;
    t->events                        = params->events;
    t->bounds.max_queued             = (uint64_t)values[OPT_MAX_QUEUED].number;
    t->bounds.max_queued_bytes       = (uint64_t)values[OPT_MAX_QUEUED_BYTES].number;
    t->bounds.max_dead               = (uint64_t)values[OPT_MAX_DEAD].number;
    t->bounds.dead_ttl_ns            = (uint64_t)values[OPT_DEAD_TTL].number * 1000000u;
    t->bounds.max_results            = (uint64_t)values[OPT_MAX_RESULTS].number;
    t->bounds.max_result_bytes       = (uint64_t)values[OPT_MAX_RESULT_BYTES].number;
    t->bounds.max_dedup_keys         = (uint64_t)values[OPT_MAX_DEDUP_KEYS].number;
    t->max_body_bytes                = params->max_body_bytes;
    t->incarnation                   = params->incarnation;

    /* without a name nobody else can find it: the incarnation keeps it to itself */
    char key[512];
    if (name[0] != '\0') {
        (void)snprintf(key, sizeof(key), "%s/%s", params->project, name);
    } else {
        (void)snprintf(key, sizeof(key), "%s//%016llx", params->project,
                       (unsigned long long)params->incarnation);
    }
    union {
        const patio_host *in;
        void             *out;
    } arg  = {.in = host};
    t->hub = host->share(host->self, key, hub_make, arg.out);
    if (t->hub == NULL) {
        host->free(host->self, t);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    pthread_mutex_init(&t->idle_lock, NULL);
    pthread_cond_init(&t->idle, NULL);
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    (void)err;
    pthread_mutex_lock(&t->hub->lock);
    t->running        = true;
    t->next           = t->hub->instances;
    t->hub->instances = t;
    pthread_mutex_unlock(&t->hub->lock);
    t->events->link(t->events->self, PATIO_LINK_UP, NULL);
    return PATIO_OK;
}

/* Wait until no event runs on this instance any more; none begins, because it is not running. */
static void wait_idle(patio_transport *t)
{
    uint32_t before = atomic_fetch_or_explicit(&t->calls, STOPPING, memory_order_seq_cst);
    if ((before & ~(uint32_t)STOPPING) == 0) {
        return;
    }
    pthread_mutex_lock(&t->idle_lock);
    while (!t->idled) {
        pthread_cond_wait(&t->idle, &t->idle_lock);
    }
    pthread_mutex_unlock(&t->idle_lock);
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    (void)grace_ms; /* nothing is ever on its way: there is nothing to flush */
    (void)err;
    pthread_mutex_lock(&t->hub->lock);
    t->running = false;
    memory_unsubscribe_all(t);
    pthread_mutex_unlock(&t->hub->lock);
    wait_idle(t);
    memory_leave(t);
    return PATIO_OK;
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    const patio_host *host = t->host;
    memory_leave(t);
    host->unshare(host->self, t->hub, hub_free);
    pthread_cond_destroy(&t->idle);
    pthread_mutex_destroy(&t->idle_lock);
    host->free(host->self, t);
}

static patio_status counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err)
{
    (void)timeout_ms;
    (void)err;
    patio_counts now  = {.struct_size = out->struct_size};
    store_room  *room = &t->hub->room;
    entry       *gone = NULL;
    pthread_mutex_lock(&t->hub->lock);
    queue *q = store_queue(room, name, false);
    if (q != NULL) {
        gone = store_dead_expire(room, &t->bounds, q);
        store_counts(q, t->host->now_ns(t->host->self), &now);
        for (const subscription *s = q->subscriptions; s != NULL; s = s->next) {
            now.consumers += s->closed ? 0 : 1;
        }
    }
    pthread_mutex_unlock(&t->hub->lock);
    store_bury(room, gone);
    memcpy(out, &now, out->struct_size < sizeof(now) ? out->struct_size : sizeof(now));
    return PATIO_OK;
}

static const void *query_instance(patio_transport *t, const char *id)
{
    static const struct {
        const char *id;
        const void *table;
    } tables[] = {
        {PATIO_DEAD_ID, &memory_dead_ops},     {PATIO_RESULTS_ID, &memory_results_ops},
        {PATIO_QUEUES_ID, &memory_queues_ops}, {PATIO_PRESENCE_ID, &memory_presence_ops},
        {PATIO_DOCTOR_ID, &memory_doctor_ops},
    };
    (void)t;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].id, id) == 0) {
            return tables[i].table;
        }
    }
    return NULL;
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .caps = PATIO_CAP_PRIORITY | PATIO_CAP_DELAY | PATIO_CAP_CANCEL | PATIO_CAP_DEAD_LETTERS |
            PATIO_CAP_ROUTES | PATIO_CAP_QUEUE | PATIO_CAP_DEDUP | PATIO_CAP_RESULTS |
            PATIO_CAP_LIMITS,
    .options     = options,
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = memory_publish,
    .subscribe   = memory_subscribe,
    .unsubscribe = memory_unsubscribe,
    .settle      = memory_settle,
    .notify      = memory_notify,
    .cancel      = memory_cancel,
    .counts      = counts,
    .query       = query_instance,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(memory, "0.1.0", "MIT", "tasks and replies within one process", query)
