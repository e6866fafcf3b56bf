/* Options and URLs. */
#include "redis.h"

#include <stdlib.h>

enum {
    OPT_LEASE_MS,
    OPT_MAX_QUEUED,
    OPT_MAX_DEAD,
    OPT_DEAD_TTL_MS,
    OPT_MAX_CRASHES,
    OPT_REPLY_TTL_MS,
    OPT_BLOCK_MS,
    OPT_HANDSHAKE_MS,
    OPT_DEAD_MS,
    OPT_ENQUEUE_WAIT_MS,
    OPT_RECONNECT_MIN_MS,
    OPT_RECONNECT_MAX_MS,
    OPT_WRITE_QUEUE_BYTES,
    OPT_PREFETCH,
    OPT_ALLOW_EVICTION,
    OPT_TLS,
    OPT_TLS_CA_FILE,
    OPT_TLS_CERT_FILE,
    OPT_TLS_KEY_FILE,
    OPT_TLS_SERVER_NAME,
    OPT_SENTINEL_USER,
    OPT_SENTINEL_PASSWORD,
};

#define ROW(name_, type_, fallback_, min_, max_, help_)                                            \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .min = (min_), .max = (max_),                  \
                           .help = (help_)})
#define INT(name, fallback, min, max, help)  ROW(name, PATIO_OPTION_INT, fallback, min, max, help)
#define MS(name, fallback, min, max, help)   ROW(name, PATIO_OPTION_MS, fallback, min, max, help)
#define SIZE(name, fallback, min, max, help) ROW(name, PATIO_OPTION_SIZE, fallback, min, max, help)
#define TEXT(name, help)                     ROW(name, PATIO_OPTION_STRING, "", 0, 0, help)

const patio_option *const redis_options[] = {
    [OPT_LEASE_MS]   = MS("lease_ms", "30s", 500, 3600000,
                          "a worker that gives no sign of life for so long loses its tasks"),
    [OPT_MAX_QUEUED] = INT("max_queued", "1000000", 1, 1000000000,
                           "most tasks of a queue and priority; one more is FULL"),
    [OPT_MAX_DEAD] =
        INT("max_dead", "10000", 1, 100000000, "most dead letters kept per queue; oldest go first"),
    [OPT_DEAD_TTL_MS] = MS("dead_ttl_ms", "14d", 0, INT64_C(3153600000000),
                           "dead letters are kept for so long; 0: for ever"),
    [OPT_MAX_CRASHES] =
        INT("max_crashes", "16", 1, 65535,
            "workers that may be lost over one task, whatever the task's own limit"),
    [OPT_REPLY_TTL_MS] = MS("reply_ttl_ms", "60s", 1000, 86400000,
                            "answers to a caller that is gone are kept for so long"),
    [OPT_BLOCK_MS]     = MS("block_ms", "5s", 100, 60000, "longest wait of one read at the server"),
    [OPT_HANDSHAKE_MS] =
        MS("handshake_ms", "5s", 100, 600000, "time to connect and to be admitted"),
    [OPT_DEAD_MS] = MS("dead_ms", "10s", 200, 3600000, "give up a connection without an answer"),
    [OPT_ENQUEUE_WAIT_MS] = MS("enqueue_wait_ms", "4s", 0, 3600000,
                               "a task waits so long for a server that is away or takes nothing"),
    [OPT_RECONNECT_MIN_MS] =
        MS("reconnect_min_ms", "50ms", 1, 3600000, "first pause before connecting again"),
    [OPT_RECONNECT_MAX_MS]  = MS("reconnect_max_ms", "5s", 1, 3600000, "longest such pause"),
    [OPT_WRITE_QUEUE_BYTES] = SIZE("write_queue_bytes", "64MiB", INT64_C(64) * 1024, INT64_MAX,
                                   "most bytes of tasks that wait to be written; more is FULL"),
    [OPT_PREFETCH]          = INT("prefetch", "256", 0, 4096,
                                  "most tasks taken beyond the free slots while tasks are quick"),
    [OPT_ALLOW_EVICTION]    = ROW("allow_eviction", PATIO_OPTION_BOOL, "false", 0, 0,
                                  "work with a server that may throw keys away"),
    [OPT_TLS] = ROW("tls", PATIO_OPTION_BOOL, "false", 0, 0, "as rediss://, for the other schemes"),
    [OPT_TLS_CA_FILE]   = TEXT("tls_ca_file", "certificates to trust, PEM; empty: the system's"),
    [OPT_TLS_CERT_FILE] = TEXT("tls_cert_file", "our certificate, PEM"),
    [OPT_TLS_KEY_FILE]  = TEXT("tls_key_file", "its key, PEM"),
    [OPT_TLS_SERVER_NAME] =
        TEXT("tls_server_name", "name the certificate must have; empty: the host's"),
    [OPT_SENTINEL_USER] = TEXT("sentinel_user", "user of the sentinels, if they have one"),
    [OPT_SENTINEL_PASSWORD] =
        ROW("sentinel_password", PATIO_OPTION_SECRET, "", 0, 0, "password of the sentinels"),
    NULL,
};

const char *const redis_schemes[] = {"redis",         "rediss",         "redis+unix",
                                     "redis+tls",     "redis+sentinel", "rediss+sentinel",
                                     "redis+cluster", "rediss+cluster", NULL};

static void read_settings(settings *s, const patio_option_value *v)
{
    *s = (settings){
        .lease_ms          = (uint64_t)v[OPT_LEASE_MS].number,
        .max_queued        = (uint64_t)v[OPT_MAX_QUEUED].number,
        .max_dead          = (uint64_t)v[OPT_MAX_DEAD].number,
        .dead_ttl_ms       = (uint64_t)v[OPT_DEAD_TTL_MS].number,
        .max_crashes       = (uint64_t)v[OPT_MAX_CRASHES].number,
        .reply_ttl_ms      = (uint64_t)v[OPT_REPLY_TTL_MS].number,
        .block_ms          = (uint64_t)v[OPT_BLOCK_MS].number,
        .handshake_ms      = (uint64_t)v[OPT_HANDSHAKE_MS].number,
        .dead_ms           = (uint64_t)v[OPT_DEAD_MS].number,
        .enqueue_wait_ms   = (uint64_t)v[OPT_ENQUEUE_WAIT_MS].number,
        .reconnect_min_ms  = (uint64_t)v[OPT_RECONNECT_MIN_MS].number,
        .reconnect_max_ms  = (uint64_t)v[OPT_RECONNECT_MAX_MS].number,
        .write_queue_bytes = (uint64_t)v[OPT_WRITE_QUEUE_BYTES].number,
        .prefetch          = (uint64_t)v[OPT_PREFETCH].number,
        .allow_eviction    = v[OPT_ALLOW_EVICTION].number != 0,
        .tls_ca_file       = v[OPT_TLS_CA_FILE].text,
        .tls_cert_file     = v[OPT_TLS_CERT_FILE].text,
        .tls_key_file      = v[OPT_TLS_KEY_FILE].text,
        .tls_server_name   = v[OPT_TLS_SERVER_NAME].text,
        .sentinel_user     = v[OPT_SENTINEL_USER].text,
        .sentinel_password = v[OPT_SENTINEL_PASSWORD].text,
    };
    /* a caller's address outlives several of its signs of life */
    s->reply_ttl_ms = s->reply_ttl_ms > 2 * s->lease_ms ? s->reply_ttl_ms : 2 * s->lease_ms;
}

static bool read_db(patio_transport *t, const char *path)
{
    char *end = NULL;
    if (path[0] == '\0' || strcmp(path, "/") == 0) {
        return true;
    }
    if (path[1] < '0' || path[1] > '9') {
        return false;
    }
    unsigned long db = strtoul(path + 1, &end, 10);
    t->db            = (uint32_t)db;
    return *end == '\0' && db < 1000000;
}

static patio_status read_unix(patio_transport *t, const patio_endpoint *e, patio_error *err)
{
    if (e->hosts[0].host[0] != '\0' || e->path[0] == '\0' ||
        strlen(e->path) >= sizeof(t->unix_path)) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: write redis+unix:///path/of/the/socket, shorter than %zu bytes",
                          e->shown, sizeof(t->unix_path));
    }
    (void)snprintf(t->unix_path, sizeof(t->unix_path), "%s", e->path);
    return PATIO_OK;
}

static patio_status read_sentinel(patio_transport *t, const patio_endpoint *e, patio_error *err)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s", e->path);
    char *name = path[0] == '/' ? path + 1 : path;
    char *db   = strchr(name, '/');
    if (name[0] == '\0' || name[0] == '/' || strlen(name) >= sizeof(t->master) ||
        (db != NULL && !read_db(t, db))) {
        return patio_fail(
            err, PATIO_CONFIG, 0,
            "%s: the name of the master is missing; write redis+sentinel://host,host/name",
            e->shown);
    }
    if (db != NULL) {
        *db = '\0';
    }
    memcpy(t->master, name, strlen(name) + 1); /* it fits, see above */
    t->sentinel = true;
    return PATIO_OK;
}

patio_status redis_configure(patio_transport *t, const patio_transport_params *params,
                             patio_error *err)
{
    const patio_endpoint *e = params->endpoints;
    if (params->endpoint_count != 1) {
        return patio_fail(
            err, PATIO_CONFIG, 0,
            "redis takes one URL; name several hosts in it: redis+sentinel://a,b,c/master");
    }
    read_settings(&t->set, e->values);
    t->set.max_reply_bytes = 4 * params->max_body_bytes + (UINT64_C(64) << 20);
    t->tls = strncmp(e->scheme, "rediss", 6) == 0 || strcmp(e->scheme, "redis+tls") == 0 ||
             e->values[OPT_TLS].number != 0;
    const char *kind = strchr(e->scheme, '+');
    kind             = kind != NULL ? kind + 1 : "";
    if (strcmp(kind, "unix") == 0) {
        return read_unix(t, e, err);
    }
    if (strcmp(kind, "sentinel") == 0) {
        return read_sentinel(t, e, err);
    }
    if (strcmp(kind, "cluster") == 0) {
        t->cluster = true;
    } else if (kind[0] != '\0' && strcmp(kind, "tls") != 0) {
        return patio_fail(
            err, PATIO_CONFIG, 0,
            "%s: redis knows redis://, rediss://, redis+unix://, redis+sentinel:// and "
            "redis+cluster://",
            e->shown);
    }
    if (!read_db(t, e->path) || (t->cluster && t->db != 0)) {
        return patio_fail(err, PATIO_CONFIG, 0, "%s: the path is the number of a database%s",
                          e->shown, t->cluster ? ", and a cluster has only 0" : ": redis://host/0");
    }
    return PATIO_OK;
}
