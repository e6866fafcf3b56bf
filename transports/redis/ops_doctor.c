/* Is the server fit? What INFO says, node by node, in words. */
#include "ops.h"
#include "redis.h"

#include <stdlib.h>

typedef struct look {
    patio_finding_visit_fn visit;
    void                  *arg;
    bool                   done;
    bool                   fit; /* every node can be asked */
    char                   who[320];
} look;

static void say(look *l, uint32_t severity, const char *subject, const char *finding,
                const char *advice)
{
    char          text[900];
    patio_finding f = {PATIO_SIZED(patio_finding), .severity = severity, .subject = subject,
                       .advice = advice};
    (void)snprintf(text, sizeof(text), "%s: %.560s", l->who, finding);
    f.finding = text;
    if (!l->done) {
        l->done = l->visit(l->arg, &f) != 0;
    }
}

static void say_version(look *l, const server_facts *f)
{
    char text[80];
    (void)snprintf(text, sizeof(text), "%u.%u.%u", f->version / 10000, f->version / 100 % 100,
                   f->version % 100);
    say(l, f->version >= 60200 ? PATIO_FINDING_OK : PATIO_FINDING_ERROR, "version", text,
        f->version >= 60200 ? "" : "6.2 or later is needed");
}

static void say_memory(look *l, const server_facts *f)
{
    char text[80];
    bool keeps = strcmp(f->policy, "noeviction") == 0;
    (void)snprintf(text, sizeof(text), "%s%s", f->policy,
                   keeps ? "" : ": the server may throw tasks away");
    say(l, keeps ? PATIO_FINDING_OK : PATIO_FINDING_ERROR, "maxmemory-policy", text,
        keeps ? "" : "set it to noeviction");
    if (f->maxmemory == 0) {
        say(l, PATIO_FINDING_NOTE, "maxmemory", "no limit: a long queue takes what the machine has",
            "set maxmemory, or max_queued of this transport");
    } else {
        (void)snprintf(text, sizeof(text), "%llu bytes", (unsigned long long)f->maxmemory);
        say(l, PATIO_FINDING_OK, "maxmemory", text, "");
    }
}

static void say_persistence(look *l, const server_facts *f)
{
    say(l, f->aof ? PATIO_FINDING_OK : PATIO_FINDING_WARN, "appendonly",
        f->aof ? "accepted tasks are on disk, as appendfsync says"
               : "accepted tasks do not survive a crash of the server",
        f->aof ? "" : "set appendonly to yes");
}

static void say_role(look *l, const server_facts *f)
{
    if (f->replica) {
        say(l, PATIO_FINDING_ERROR, "role", "a replica, which takes no tasks",
            "name its master, or use redis+sentinel://");
    }
}

static void say_facts(look *l, const server_facts *f)
{
    say_version(l, f);
    say_role(l, f);
    say_memory(l, f);
    say_persistence(l, f);
}

/* Every command of the scripts is tried where it does nothing. True: none is missing. */
static bool say_rights(patio_transport *t, look *l, uint64_t timeout_ms)
{
    const char  *user        = t->endpoint->user[0] != '\0' ? t->endpoint->user : "default";
    char         names[400]  = "";
    char         advice[500] = "";
    patio_error  err         = PATIO_ERROR_INIT;
    resp_reader *holder      = NULL;
    const resp  *r           = NULL;
    patio_status st = ops_ask(t, "", SCRIPT_RIGHTS, NULL, 0, timeout_ms, &holder, &r, &err);
    for (size_t i = 0; st == PATIO_OK && i < r->count; i++) {
        size_t at = strlen(names);
        (void)snprintf(names + at, sizeof(names) - at, " +%.20s", r->items[i]->text);
    }
    resp_reader_free(holder);
    if (st != PATIO_OK) {
        say(l, PATIO_FINDING_ERROR, "rights", err.message,
            "allow this user the keys patio:* and the commands that docs/redis.md lists");
    } else if (names[0] == '\0') {
        say(l, PATIO_FINDING_OK, "rights", "every command of the scripts is allowed", "");
    } else {
        char text[500];
        (void)snprintf(text, sizeof(text), "the scripts may not run%s", names);
        for (char *plus = strchr(text, '+'); plus != NULL; plus = strchr(plus, '+')) {
            memmove(plus, plus + 1, strlen(plus)); /* the names alone */
        }
        (void)snprintf(advice, sizeof(advice), "ACL SETUSER %.80s%s", user, names);
        say(l, PATIO_FINDING_ERROR, "rights", text, advice);
    }
    return st == PATIO_OK && names[0] == '\0';
}

typedef struct leftovers {
    uint32_t count;
    char     names[300];
} leftovers;

static int32_t add_leftover(void *arg, const char *name)
{
    leftovers *all = arg;
    size_t     at  = strlen(all->names);
    if (at + strlen(name) + sizeof(", …") < sizeof(all->names)) {
        (void)snprintf(all->names + at, sizeof(all->names) - at, "%s%s", at > 0 ? ", " : "", name);
    }
    all->count++;
    return 0;
}

/* Keys without an end to their time that no queue in use has. */
static patio_status say_leftovers(patio_transport *t, look *l, uint64_t timeout_ms,
                                  patio_error *err)
{
    leftovers    all = {0};
    char         text[400];
    char         advice[200];
    patio_status st = ops_unused_queues(t, timeout_ms, add_leftover, &all, err);
    if (st != PATIO_OK) {
        return st;
    }
    (void)snprintf(l->who, sizeof(l->who), "project %s", t->project);
    (void)snprintf(text, sizeof(text), "%u queues hold nothing and have no workers: %s", all.count,
                   all.names);
    (void)snprintf(advice, sizeof(advice),
                   "delete patio:{%.100s:NAME}:* of those that are not used any more", t->project);
    if (all.count > 0) {
        say(l, PATIO_FINDING_NOTE, "leftovers", text, advice);
    } else {
        say(l, PATIO_FINDING_OK, "leftovers", "every queue that has keys is in use", "");
    }
    return PATIO_OK;
}

static patio_status look_at(patio_transport *t, look *l, node *n, uint64_t timeout_ms,
                            patio_error *err)
{
    resp_reader *holder = NULL;
    const resp  *r      = NULL;
    pthread_mutex_lock(&t->lock);
    server_facts f     = n->facts;
    bool         ready = n->ready && t->running;
    char         why[256];
    (void)snprintf(l->who, sizeof(l->who), "%s:%u", n->w.host[0] != '\0' ? n->w.host : t->unix_path,
                   n->w.port);
    (void)snprintf(why, sizeof(why), "%.250s", n->w.why.message);
    bool auth = n->w.why.status == PATIO_AUTH;
    pthread_mutex_unlock(&t->lock);
    bool fit = ready && say_rights(t, l, timeout_ms);
    if (!ready) {
        say(l, PATIO_FINDING_ERROR, "connection", why,
            auth ? "check user and password, and whether it has the rights that docs/redis.md lists"
                 : "");
    }
    if (!fit) {
        l->fit = false;
        if (f.known) {
            say_facts(l, &f);
        }
        return ready || f.known ? PATIO_OK : patio_fail(err, PATIO_UNREACHABLE, 0, "%s", why);
    }
    uint64_t     from   = now_ns(t);
    patio_bytes  args[] = {ops_text("get")};
    patio_status st     = ops_ask(t, "", SCRIPT_QUEUE, args, 1, timeout_ms, &holder, &r, err);
    resp_reader_free(holder);
    if (st != PATIO_OK) {
        return st;
    }
    char     text[64];
    uint64_t took = (now_ns(t) - from) / 1000;
    (void)snprintf(text, sizeof(text), "a script answers within %llu us", (unsigned long long)took);
    say(l, took < 20000 ? PATIO_FINDING_OK : PATIO_FINDING_WARN, "round trip", text, "");
    if (!f.known) {
        say(l, PATIO_FINDING_WARN, "rights",
            "INFO is not allowed, so nothing else can be looked at", "allow +info to this user");
        return PATIO_OK;
    }
    say_facts(l, &f);
    return PATIO_OK;
}

static patio_status check(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                          void *arg, patio_error *err)
{
    look         l  = {.visit = visit, .arg = arg, .fit = true};
    patio_status st = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    uint32_t count = t->node_count;
    pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < count && st == PATIO_OK && !l.done; i++) {
        pthread_mutex_lock(&t->lock);
        bool used = t->nodes[i].used;
        pthread_mutex_unlock(&t->lock);
        st = used ? look_at(t, &l, &t->nodes[i], timeout_ms, err) : PATIO_OK;
    }
    return st == PATIO_OK && l.fit ? say_leftovers(t, &l, timeout_ms, err) : st;
}

const patio_doctor_ops redis_doctor_ops = {PATIO_SIZED(patio_doctor_ops), .check = check};
