/* plugin.c: options, life, and the table. */
#include "spool.h"

#include <patio/dead.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { OPT_LEASE_MS, OPT_MAX_QUEUED, OPT_MAX_DEAD, OPT_DEAD_TTL_MS, OPT_SYNC };

#define ROW(name_, type_, fallback_, choices_, min_, max_, help_)                                  \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .choices = (choices_), .min = (min_),          \
                           .max = (max_), .help = (help_)})

static const patio_option *const options[] = {
    [OPT_LEASE_MS]    = ROW("lease_ms", PATIO_OPTION_MS, "30s", NULL, 300, 3600000,
                            "a process that does not move for so long is given up"),
    [OPT_MAX_QUEUED]  = ROW("max_queued", PATIO_OPTION_INT, "1000000", NULL, 1, 1000000000,
                            "most tasks of a queue; one more is refused as FULL"),
    [OPT_MAX_DEAD]    = ROW("max_dead", PATIO_OPTION_INT, "10000", NULL, 0, 100000000,
                            "most dead letters kept per queue; the oldest go first"),
    [OPT_DEAD_TTL_MS] = ROW("dead_ttl_ms", PATIO_OPTION_MS, "14d", NULL, 0, INT64_C(315360000000),
                            "dead letters older than this go"),
    [OPT_SYNC]        = ROW("sync", PATIO_OPTION_CHOICE, "full", "full|normal", 0, 0,
                            "full: survives a power cut; normal: survives a crash, and is faster"),
    NULL,
};

static char *copy_text(const patio_host *host, const char *text)
{
    size_t size = strlen(text) + 1;
    char  *copy = host->alloc(host->self, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static patio_status check_endpoint(const patio_transport_params *params, patio_error *err)
{
    const patio_endpoint *e = params->endpoints;
    if (params->endpoint_count != 1 || e->host_count != 1 || e->hosts[0].host[0] != '\0' ||
        e->hosts[0].port != 0 || e->user[0] != '\0' || e->path[0] != '/') {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "a spool is one file of this machine: spool:///path/to/file.db, not %s",
                          e->shown);
    }
    return PATIO_OK;
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    const patio_host *host = t->host;
    spool_db_close(&t->ask);
    for (uint32_t i = 0; i < t->subscription_count; i++) {
        host->free(host->self, t->subscriptions[i].tasks);
    }
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->ask_lock);
    host->free(host->self, t->leases);
    host->free(host->self, t->project);
    host->free(host->self, t->path);
    host->free(host->self, t);
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
    const patio_option_value *v = params->endpoints->values;
    memset(t, 0, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->ask_lock, NULL);
    t->host           = host;
    t->events         = params->events;
    t->incarnation    = params->incarnation >> 1; /* a column of SQLite is signed */
    t->max_body_bytes = params->max_body_bytes;
    t->last           = &t->first;
    t->lease_ms       = (uint64_t)v[OPT_LEASE_MS].number;
    t->max_queued     = (uint64_t)v[OPT_MAX_QUEUED].number;
    t->max_dead       = (uint64_t)v[OPT_MAX_DEAD].number;
    t->dead_ttl_ms    = (uint64_t)v[OPT_DEAD_TTL_MS].number;
    t->sync_full      = v[OPT_SYNC].number == 0;
    t->path           = copy_text(host, params->endpoints->path);
    t->project        = copy_text(host, params->project);
    if (t->path == NULL || t->project == NULL) {
        destroy(t);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *out = t;
    return PATIO_OK;
}

static void close_descriptors(patio_transport *t)
{
    (void)close(t->wake_fd);
    (void)close(t->inotify_fd);
    (void)close(t->live_fd);
}

static patio_status start(patio_transport *t, patio_error *err)
{
    char live[4096];
    (void)snprintf(live, sizeof(live), "%s-live", t->path);
    t->wake_fd    = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    t->live_fd    = open(live, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (t->wake_fd < 0 || t->inotify_fd < 0 || t->live_fd < 0) {
        int why = errno;
        close_descriptors(t);
        return patio_fail(err, PATIO_IO, why, "open %s: %s", live, strerror(why));
    }
    t->running = true;
    int rc     = pthread_create(&t->thread, NULL, spool_loop, t);
    if (rc != 0) {
        t->running = false;
        close_descriptors(t);
        return patio_fail(err, PATIO_NO_MEMORY, rc, "start a thread");
    }
    return PATIO_OK;
}

/* The thread carries out what it was given, gives back what is not settled, and ends; the disk
 * decides how long that takes. */
static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    bool first    = t->running && !t->stopping;
    t->stop_by_ns = t->host->now_ns(t->host->self) + grace_ms * 1000000u;
    t->stopping   = true;
    pthread_mutex_unlock(&t->lock);
    if (first) {
        spool_wake(t);
        (void)pthread_join(t->thread, NULL);
        close_descriptors(t);
    }
    return t->gave_up ? patio_fail(err, PATIO_TIMEOUT, 0,
                                   "some operations were not written within %llu ms",
                                   (unsigned long long)grace_ms)
                      : PATIO_OK;
}

static const void *query_instance(patio_transport *t, const char *id)
{
    (void)t;
    return strcmp(id, PATIO_DEAD_ID) == 0       ? spool_dead_ops()
           : strcmp(id, PATIO_RESULTS_ID) == 0  ? spool_results_ops()
           : strcmp(id, PATIO_QUEUES_ID) == 0   ? spool_queues_ops()
           : strcmp(id, PATIO_PRESENCE_ID) == 0 ? spool_presence_ops()
                                                : NULL;
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .caps = PATIO_CAP_PERSIST | PATIO_CAP_PRIORITY | PATIO_CAP_DELAY | PATIO_CAP_DEDUP |
            PATIO_CAP_CANCEL | PATIO_CAP_RESULTS | PATIO_CAP_DEAD_LETTERS | PATIO_CAP_QUEUE |
            PATIO_CAP_LIMITS | PATIO_CAP_STARTED,
    .options     = options,
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = spool_publish,
    .subscribe   = spool_subscribe,
    .unsubscribe = spool_unsubscribe,
    .settle      = spool_settle,
    .started     = spool_started,
    .notify      = spool_notify,
    .cancel      = spool_cancel,
    .counts      = spool_counts,
    .query       = query_instance,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(spool, "1.0.0", "MIT", "tasks in a file that the processes of a machine share",
                    query)
