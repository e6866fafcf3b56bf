#include "ops.h"
#include "redis.h"

/* One letter of the script's answer, to the visitor. Its return value; -1: out of memory. */
static int32_t show(patio_transport *t, const char *queue_name, const resp *r,
                    patio_dead_visit_fn visit, void *arg)
{
    const patio_host *host   = t->host;
    const resp       *id     = resp_at(r, 0);
    const resp       *task   = resp_at(r, 1);
    const resp       *cause  = resp_at(r, 5);
    const resp       *body   = resp_at(r, 6);
    patio_dead_letter letter = {
        PATIO_SIZED(patio_dead_letter),
        .attempts = (uint16_t)resp_number(resp_at(r, 2), 0),
        .crashes  = (uint16_t)resp_number(resp_at(r, 3), 0),
        .queue    = queue_name,
        .task     = task != NULL ? task->text : "",
        .dead_ms  = (uint64_t)resp_number(resp_at(r, 4), 0),
    };
    if (id == NULL || !id_from_hex(id->text, id->size, &letter.id)) {
        return 0;
    }
    if (cause != NULL) {
        letter.cause = (patio_bytes){(const uint8_t *)cause->text, cause->size};
    }
    if (body != NULL) {
        uint8_t *data = NULL;
        letter.body   = host->buf_new(host->self, body->size, &data);
        if (letter.body == NULL) {
            return -1;
        }
        if (body->size > 0) {
            memcpy(data, body->text, body->size);
        }
    }
    int32_t more = visit(arg, &letter);
    host->buf_drop(host->self, letter.body);
    return more != 0 ? 1 : 0;
}

static patio_status question(patio_transport *t, const char *queue_name, const char *what,
                             const char *id, const char *after, uint32_t limit, uint64_t timeout_ms,
                             resp_reader **holder, const resp **out, patio_error *err)
{
    char limit_text[16];
    char queued_text[24];
    (void)snprintf(limit_text, sizeof(limit_text), "%u", limit);
    (void)snprintf(queued_text, sizeof(queued_text), "%llu", (unsigned long long)t->set.max_queued);
    patio_bytes  args[] = {ops_text(what), ops_text(id), ops_text(after), ops_text(limit_text),
                           ops_text(queued_text)};
    patio_status st    = ops_ask(t, queue_name, SCRIPT_DEAD, args, 5, timeout_ms, holder, out, err);
    int64_t      first = st == PATIO_OK ? resp_number(resp_at(*out, 0), 0) : 0;
    if (st == PATIO_OK && (*out)->count == 1 && first < 0) {
        st = first == -2
                 ? patio_fail(err, PATIO_UNSUPPORTED, 0,
                              "the entry is none of patio's: it can be dropped, not retried")
                 : patio_fail(err, PATIO_NOT_FOUND, 0, "queue \"%s\" has no dead letter %s",
                              queue_name, id[0] != '\0' ? id : after);
        resp_reader_free(*holder);
        *holder = NULL;
    }
    return st;
}

static patio_status list(patio_transport *t, const char *queue_name, const patio_id *after,
                         uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                         patio_error *err)
{
    enum { PAGE = 500 };
    char from[33] = "";
    if (after != NULL) {
        id_to_hex(after, from);
    }
    while (limit > 0) {
        resp_reader *holder = NULL;
        const resp  *r      = NULL;
        uint32_t     page   = limit < PAGE ? limit : PAGE;
        patio_status st =
            question(t, queue_name, "list", "", from, page, timeout_ms, &holder, &r, err);
        if (st != PATIO_OK) {
            return st;
        }
        bool more = r->count == page;
        for (size_t i = 0; i < r->count; i++) {
            const resp *id = resp_at(resp_at(r, i), 0);
            if (id != NULL && id->size == 32) {
                memcpy(from, id->text, sizeof(from));
            }
            if (show(t, queue_name, resp_at(r, i), visit, arg) != 0) {
                more = false;
                break;
            }
        }
        limit -= page;
        resp_reader_free(holder);
        if (!more) {
            break;
        }
    }
    return PATIO_OK;
}

static patio_status get(patio_transport *t, const char *queue_name, const patio_id *id,
                        uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg, patio_error *err)
{
    char         hex[33];
    resp_reader *holder = NULL;
    const resp  *r      = NULL;
    id_to_hex(id, hex);
    patio_status st = question(t, queue_name, "get", hex, "", 1, timeout_ms, &holder, &r, err);
    if (st == PATIO_OK && show(t, queue_name, r, visit, arg) < 0) {
        st = patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    resp_reader_free(holder);
    return st;
}

static patio_status change(patio_transport *t, const char *queue_name, const char *what,
                           const patio_id *id, uint64_t timeout_ms, uint64_t *count,
                           patio_error *err)
{
    char     hex[33]            = "";
    char     after[ENTRY_BYTES] = "";
    uint64_t done               = 0;
    bool     more               = true;
    bool     full               = false;
    if (id != NULL) {
        id_to_hex(id, hex);
    }
    while (more) {
        resp_reader *holder = NULL;
        const resp  *r      = NULL;
        patio_status st =
            question(t, queue_name, what, hex, after, 500, timeout_ms, &holder, &r, err);
        if (st != PATIO_OK) {
            return st;
        }
        done += (uint64_t)resp_number(resp_at(r, 0), 0);
        full                = resp_number(resp_at(r, 1), 0) != 0;
        more                = !full && resp_number(resp_at(r, 2), 0) != 0;
        const resp *reached = resp_at(r, 3);
        if (reached != NULL && reached->size < sizeof(after)) {
            memcpy(after, reached->text, reached->size + 1);
        }
        resp_reader_free(holder);
    }
    if (count != NULL) {
        *count = done;
    }
    return full ? patio_fail(err, PATIO_FULL, 0,
                             "queue \"%s\" holds max_queued tasks: %llu were put back", queue_name,
                             (unsigned long long)done)
                : PATIO_OK;
}

static patio_status retry(patio_transport *t, const char *queue_name, const patio_id *id,
                          uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, queue_name, "retry", id, timeout_ms, count, err);
}

static patio_status drop(patio_transport *t, const char *queue_name, const patio_id *id,
                         uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, queue_name, "drop", id, timeout_ms, count, err);
}

const patio_dead_ops redis_dead_ops = {PATIO_SIZED(patio_dead_ops), .list = list, .get = get,
                                       .retry = retry, .drop = drop};
