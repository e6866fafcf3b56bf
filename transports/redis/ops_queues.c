#include "ops.h"
#include "redis.h"

enum { NAMES_MAX = 65536 };

static patio_status tell(patio_transport *t, const char *queue_name, const char *what,
                         uint64_t value, uint64_t timeout_ms, uint64_t answer[2], patio_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    patio_bytes  args[] = {ops_text(what), ops_text(text)};
    resp_reader *holder = NULL;
    const resp  *r      = NULL;
    patio_status st = ops_ask(t, queue_name, SCRIPT_QUEUE, args, 2, timeout_ms, &holder, &r, err);
    if (st == PATIO_OK && answer != NULL) {
        answer[0] = (uint64_t)resp_number(resp_at(r, 0), 0);
        answer[1] = (uint64_t)resp_number(resp_at(r, 1), 0);
    }
    resp_reader_free(holder);
    return st;
}

typedef struct names {
    const patio_host *host;
    char            **list;
    size_t            count;
    size_t            room;
} names;

static bool remember(names *n, const char *name, size_t size)
{
    for (size_t i = 0; i < n->count; i++) {
        if (strlen(n->list[i]) == size && memcmp(n->list[i], name, size) == 0) {
            return true;
        }
    }
    if (n->count == n->room) {
        size_t room = n->room != 0 ? 2 * n->room : 16;
        char **more = room <= NAMES_MAX
                          ? n->host->resize(n->host->self, n->list, room * sizeof(*more))
                          : NULL;
        if (more == NULL) {
            return false;
        }
        n->list = more;
        n->room = room;
    }
    char *copy = n->host->alloc(n->host->self, size + 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, name, size);
    copy[size]          = '\0';
    n->list[n->count++] = copy;
    return true;
}

typedef struct scan {
    const char *cursor;
    const char *pattern;
} scan;

static void write_scan(conn *c, void *arg)
{
    const scan *s = arg;
    arg_text(c, "SCAN");
    arg_text(c, s->cursor);
    arg_text(c, "MATCH");
    arg_text(c, s->pattern);
    arg_text(c, "COUNT");
    arg_text(c, "1000");
}

/* patio:{project:NAME}:… */
static bool take_keys(names *n, const char *project, const resp *keys)
{
    size_t before = strlen(project) + sizeof("patio:{:") - 1;
    for (size_t i = 0; keys != NULL && i < keys->count; i++) {
        const resp *key = keys->items[i];
        const char *end =
            key != NULL && key->size > before ? strchr(key->text + before, '}') : NULL;
        if (end != NULL && end > key->text + before &&
            !remember(n, key->text + before, (size_t)(end - key->text) - before)) {
            return false;
        }
    }
    return true;
}

/* Keys of the project on one node, in so many rounds at most; there are a dozen a queue, and
 * results. */
static patio_status scan_node(patio_transport *t, node *on, uint64_t until_ns, uint64_t rounds,
                              names *n, patio_error *err)
{
    char cursor[32] = "0";
    char pattern[400];
    (void)snprintf(pattern, sizeof(pattern), "patio:{%s:*}:[smdxc]*", t->project);
    do {
        scan   s  = {cursor, pattern};
        ask_in in = {.script = SCRIPT_COUNT, .args = 6, .write = write_scan, .arg = &s, .node = on};
        resp_reader *holder = NULL;
        const resp  *r      = NULL;
        uint64_t     now    = now_ns(t);
        patio_status st =
            ask_wait(t, &in, now < until_ns ? (until_ns - now) / 1000000u : 0, &holder, &r, err);
        if (st != PATIO_OK) {
            return st;
        }
        const resp *next = resp_at(r, 0);
        (void)snprintf(cursor, sizeof(cursor), "%s",
                       next != NULL && next->text != NULL ? next->text : "0");
        bool fits = take_keys(n, t->project, resp_at(r, 1));
        resp_reader_free(holder);
        if (!fits) {
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory, or more than %u queues",
                              (unsigned)NAMES_MAX);
        }
    } while (strcmp(cursor, "0") != 0 && --rounds > 0);
    return PATIO_OK;
}

/* Those that are in use, or those that are not: nothing is in them, set for them, or takes from
 * them. */
static patio_status visit_queues(patio_transport *t, uint64_t timeout_ms, uint64_t rounds,
                                 bool used_ones, patio_queue_visit_fn visit, void *arg,
                                 patio_error *err)
{
    timeout_ms         = timeout_ms < 3600000 ? timeout_ms : 3600000;
    uint64_t     until = now_ns(t) + timeout_ms * 1000000u;
    names        n     = {.host = t->host};
    patio_status st    = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    uint32_t count = t->node_count;
    pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < count && st == PATIO_OK; i++) {
        pthread_mutex_lock(&t->lock);
        bool used = t->nodes[i].used;
        pthread_mutex_unlock(&t->lock);
        st = used ? scan_node(t, &t->nodes[i], until, rounds, &n, err) : PATIO_OK;
    }
    bool more = true;
    for (size_t i = 0; i < n.count; i++) {
        uint64_t answer[2] = {0, 0};
        if (st == PATIO_OK && more) {
            st         = tell(t, n.list[i], "busy", 0, timeout_ms, answer, err);
            bool shown = used_ones ? answer[0] != 0 : answer[0] == 0 && answer[1] == 0;
            more       = st == PATIO_OK && (!shown || visit(arg, n.list[i]) == 0);
        }
        t->host->free(t->host->self, n.list[i]);
    }
    t->host->free(t->host->self, n.list);
    return st;
}

static patio_status list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                         void *arg, patio_error *err)
{
    return visit_queues(t, timeout_ms, UINT64_MAX, true, visit, arg, err);
}

patio_status ops_unused_queues(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                               void *arg, patio_error *err)
{
    enum { ROUNDS = 64 };
    return visit_queues(t, timeout_ms, ROUNDS, false, visit, arg, err);
}

static patio_status purge(patio_transport *t, const char *queue_name, uint64_t timeout_ms,
                          uint64_t *count, patio_error *err)
{
    uint64_t     done      = 0;
    uint64_t     answer[2] = {0, 1};
    patio_status st        = PATIO_OK;
    while (st == PATIO_OK && answer[1] != 0) {
        st = tell(t, queue_name, "purge", 0, timeout_ms, answer, err);
        done += st == PATIO_OK ? answer[0] : 0;
    }
    if (count != NULL && st == PATIO_OK) {
        *count = done;
    }
    return st;
}

static patio_status set_state(patio_transport *t, const char *queue_name, uint32_t state,
                              uint64_t timeout_ms, patio_error *err)
{
    if (state > PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_INVALID, 0, "set state: %u is no state of a queue", state);
    }
    return tell(t, queue_name, "set", state, timeout_ms, NULL, err);
}

static patio_status get_state(patio_transport *t, const char *queue_name, uint64_t timeout_ms,
                              uint32_t *state, patio_error *err)
{
    uint64_t     answer[2] = {0, 0};
    patio_status st        = tell(t, queue_name, "get", 0, timeout_ms, answer, err);
    if (st == PATIO_OK) {
        *state = (uint32_t)answer[0];
    }
    return st;
}

static patio_status set_limit(patio_transport *t, const char *queue_name, uint64_t max_in_flight,
                              uint64_t timeout_ms, patio_error *err)
{
    return tell(t, queue_name, "limit", max_in_flight, timeout_ms, NULL, err);
}

static patio_status get_limit(patio_transport *t, const char *queue_name, uint64_t timeout_ms,
                              uint64_t *max_in_flight, patio_error *err)
{
    uint64_t     answer[2] = {0, 0};
    patio_status st        = tell(t, queue_name, "get", 0, timeout_ms, answer, err);
    if (st == PATIO_OK) {
        *max_in_flight = answer[1];
    }
    return st;
}

const patio_queues_ops redis_queues_ops = {
    PATIO_SIZED(patio_queues_ops), .list = list,           .purge = purge,
    .set_state = set_state,        .get_state = get_state, .set_limit = set_limit,
    .get_limit = get_limit};
