/* From connected to open: who we are, whether this server is fit, scripts. */
#include "redis.h"

#include <stdlib.h>

enum step { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_INFO, STEP_SLOTS, STEP_MASTER };

static void step(conn *c, uint8_t which, uint32_t args, const char *name)
{
    cmd *k = command(c, CMD_HELLO, c->q, args);
    if (k != NULL) {
        k->detail = which;
        c->hello_left++;
        arg_text(c, name);
    }
}

static void say_auth(conn *c)
{
    const patio_transport *t        = c->t;
    bool                   guard    = c->role == CONN_SENTINEL;
    const char            *user     = guard ? t->set.sentinel_user : t->endpoint->user;
    const char            *password = guard ? t->set.sentinel_password : t->endpoint->password;
    if (password[0] == '\0') {
        return;
    }
    step(c, STEP_AUTH, user[0] != '\0' ? 3 : 2, "AUTH");
    if (user[0] != '\0') {
        arg_text(c, user);
    }
    arg_text(c, password);
}

void hello_begin(conn *c)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    say_auth(c);
    if (c->role == CONN_SENTINEL) {
        step(c, STEP_MASTER, 3, "SENTINEL");
        arg_text(c, "get-master-addr-by-name");
        arg_text(c, t->master);
    } else {
        if (t->db != 0) {
            step(c, STEP_SELECT, 2, "SELECT");
            arg_number(c, t->db);
        }
        char name[64];
        (void)snprintf(name, sizeof(name), "patio-%s-%s", t->owner,
                       c->role == CONN_NODE     ? "w"
                       : c->role == CONN_READER ? "tasks"
                                                : "replies");
        step(c, STEP_NAME, 3, "CLIENT");
        arg_text(c, "SETNAME");
        arg_text(c, name);
        if (c->role == CONN_NODE) {
            c->node->ready = false;
            step(c, STEP_INFO, 1, "INFO");
            if (t->cluster) {
                step(c, STEP_SLOTS, 2, "CLUSTER");
                arg_text(c, "SLOTS");
            }
        }
    }
    conn_flush(c);
    pthread_mutex_unlock(&t->lock);
}

void hello_load(conn *c, uint8_t script)
{
    bytes text = {NULL, 0, 0};
    if (script_text(c->t, script, c->node->legacy, &text)) {
        cmd *k = command(c, CMD_LOAD, NULL, 3);
        if (k != NULL) {
            k->detail = script;
            arg_text(c, "SCRIPT");
            arg_text(c, "LOAD");
            arg_bytes(c, text.data, text.size);
        }
    } else {
        conn_break(c, PATIO_NO_MEMORY, "out of memory");
    }
    bytes_fini(c->t->host, &text);
}

/* "key:value" of INFO, or NULL. */
static const char *info(const resp *r, const char *key)
{
    size_t size = strlen(key);
    for (const char *at = r->text; at != NULL && *at != '\0';) {
        if (strncmp(at, key, size) == 0 && at[size] == ':') {
            return at + size + 1;
        }
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return NULL;
}

static bool info_is(const resp *r, const char *key, const char *value)
{
    const char *found = info(r, key);
    size_t      size  = strlen(value);
    return found != NULL && strncmp(found, value, size) == 0 &&
           (found[size] == '\r' || found[size] == '\n');
}

static void read_facts(server_facts *f, const resp *r)
{
    const char   *version = info(r, "redis_version");
    unsigned long major   = 0;
    unsigned long minor   = 0;
    unsigned long patch   = 0;
    *f                    = (server_facts){.known = true};
    if (version != NULL && sscanf(version, "%lu.%lu.%lu", &major, &minor, &patch) >= 2) {
        f->version = (uint32_t)(major * 10000 + minor * 100 + patch);
    }
    f->replica         = info_is(r, "role", "slave");
    f->loading         = info_is(r, "loading", "1");
    f->aof             = info_is(r, "aof_enabled", "1");
    f->cluster         = info_is(r, "cluster_enabled", "1");
    const char *limit  = info(r, "maxmemory");
    f->maxmemory       = limit != NULL ? strtoull(limit, NULL, 10) : 0;
    const char *saved  = info(r, "rdb_last_save_time");
    f->rdb             = saved != NULL;
    const char *policy = info(r, "maxmemory_policy");
    size_t      size   = policy != NULL ? strcspn(policy, "\r\n") : 0;
    size               = size < sizeof(f->policy) ? size : sizeof(f->policy) - 1;
    if (size > 0) {
        memcpy(f->policy, policy, size);
    }
}

/* NULL: fit for work. */
static const char *unfit(const patio_transport *t, const server_facts *f, patio_status *status,
                         char *text, size_t room)
{
    *status = PATIO_BLOCKED;
    if (f->replica) {
        return "READONLY: this server is a replica; name its master, or use redis+sentinel://";
    }
    if (f->loading) {
        return "LOADING: the server reads its data from disk";
    }
    *status = PATIO_CONFIG;
    if (f->version < 60200) {
        (void)snprintf(text, room, "the server is Redis %u.%u; 6.2 or later is needed",
                       f->version / 10000, f->version / 100 % 100);
        return text;
    }
    if (f->cluster && !t->cluster) {
        return "the server is part of a cluster; write redis+cluster://";
    }
    if (!f->cluster && t->cluster) {
        return "the server is not part of a cluster; write redis://";
    }
    if (f->policy[0] != '\0' && strcmp(f->policy, "noeviction") != 0 && !t->set.allow_eviction) {
        (void)snprintf(text, room,
                       "the server may throw tasks away: its maxmemory-policy is %s; set it to "
                       "noeviction, or say allow_eviction=true",
                       f->policy);
        return text;
    }
    return NULL;
}

static void came_info(conn *c, const resp *r)
{
    patio_transport *t = c->t;
    node            *n = c->node;
    server_facts     f = {.version = 60200};
    if (!resp_error(r)) {
        read_facts(&f, r);
    } else {
        patio_host_log(t->host, t->said_checks ? PATIO_LOG_DEBUG : PATIO_LOG_WARN,
                       "the server cannot be checked: INFO: %s", r->text);
        t->said_checks = true;
        f.cluster      = t->cluster;
    }
    char         text[256];
    patio_status status = PATIO_OK;
    const char  *why    = unfit(t, &f, &status, text, sizeof(text));
    if (why != NULL) {
        pthread_mutex_lock(&t->lock);
        n->facts          = f; /* the doctor tells of them */
        n->trouble.status = status;
        (void)snprintf(n->trouble.message, sizeof(n->trouble.message), "%s", why);
        pthread_mutex_unlock(&t->lock);
        conn_close(c, status, why);
        return;
    }
    if (!t->said_checks && f.known && !f.aof) {
        t->said_checks = true;
        patio_host_log(t->host, PATIO_LOG_INFO,
                       "the server writes no append-only file: accepted tasks do not survive its "
                       "crash (appendonly yes)");
    }
    pthread_mutex_lock(&t->lock);
    n->facts  = f;
    n->legacy = f.version < 70000;
    for (unsigned i = 0; i < SCRIPT_COUNT; i++) {
        hello_load(c, (uint8_t)i);
        c->hello_left++;
    }
    conn_flush(c);
    pthread_mutex_unlock(&t->lock);
}

/* Nothing is left to be answered: open. */
static void finish(conn *c)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    bool done = --c->hello_left == 0 && !c->broken;
    if (done) {
        c->state = CONN_OPEN;
        if (c->role == CONN_NODE) {
            node *n = c->node;
            n->generation++;
            n->ready          = true;
            n->hold_ns        = 0;
            n->holds          = 0;
            n->trouble.status = PATIO_OK;
            for (queue *q = t->queues; q != NULL; q = q->next) {
                if (q->node == n) {
                    q->beat_ns = 0; /* at once: groups may have gone with the server */
                    q->opened  = false;
                }
            }
        }
    }
    pthread_mutex_unlock(&t->lock);
}

static const char *const steps[] = {"AUTH", "SELECT",        "CLIENT SETNAME",
                                    "INFO", "CLUSTER SLOTS", "SENTINEL"};

static void refused(conn *c, const char *what, bool auth, const resp *r)
{
    char         why[400];
    patio_status status = auth || trouble_of(r) == TROUBLE_AUTH ? PATIO_AUTH : PATIO_UNREACHABLE;
    (void)snprintf(why, sizeof(why), "%s was refused: %.300s", what, r->text);
    if (c->role != CONN_SENTINEL) {
        pthread_mutex_lock(&c->t->lock);
        c->node->trouble.status = status;
        (void)snprintf(c->node->trouble.message, sizeof(c->node->trouble.message), "%s", why);
        pthread_mutex_unlock(&c->t->lock);
    }
    conn_close(c, status, why);
}

static void came_sha(conn *c, const cmd *k, const resp *r)
{
    pthread_mutex_lock(&c->t->lock);
    if (r->size == SHA_BYTES - 1) {
        memcpy(c->node->sha[k->detail], r->text, SHA_BYTES);
    }
    bool greeting = c->state == CONN_HELLO;
    pthread_mutex_unlock(&c->t->lock);
    if (greeting) {
        finish(c);
    }
}

void hello_answer(conn *c, const cmd *k, const resp *r)
{
    if (r == NULL) {
        return;
    }
    bool optional = k->type == CMD_HELLO && (k->detail == STEP_NAME || k->detail == STEP_INFO);
    if (resp_error(r) &&
        !(optional && trouble_of(r) != TROUBLE_LOADING && strncmp(r->text, "NOAUTH", 6) != 0)) {
        if (k->type == CMD_LOAD) {
            char what[80];
            (void)snprintf(what, sizeof(what), "script %s", script_names[k->detail]);
            refused(c, what, false, r);
        } else {
            refused(c, steps[k->detail], k->detail == STEP_AUTH, r);
        }
        return;
    }
    if (k->type == CMD_LOAD) {
        came_sha(c, k, r);
        return;
    }
    if (k->detail == STEP_INFO) {
        came_info(c, r);
    } else if (k->detail == STEP_SLOTS) {
        cluster_learn(c, r);
    } else if (k->detail == STEP_MASTER) {
        sentinel_answer(c, r);
        return;
    }
    if (c->state == CONN_HELLO) {
        finish(c);
    }
}
