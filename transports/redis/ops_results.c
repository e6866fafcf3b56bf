#include "ops.h"
#include "redis.h"

static patio_status fill(patio_transport *t, const resp *r, patio_result *out, patio_error *err)
{
    const patio_host *host  = t->host;
    const resp       *body  = resp_at(r, 2);
    uint8_t          *data  = NULL;
    patio_buf        *reply = NULL;
    if (body != NULL && body->text != NULL) {
        reply = host->buf_new(host->self, body->size, &data);
        if (reply == NULL) {
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
        memcpy(data, body->text, body->size);
    }
    int64_t ttl = resp_number(resp_at(r, 1), 0);
    out->state  = (uint32_t)resp_number(resp_at(r, 0), 0);
    out->ttl_ms = ttl > 0 ? (uint64_t)ttl : 0;
    out->reply  = reply;
    return PATIO_OK;
}

static patio_status get(patio_transport *t, const char *queue_name, const patio_id *id,
                        uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    char id_text[33];
    char suffix[2]          = "";
    char entry[ENTRY_BYTES] = "";
    id_to_hex(id, id_text);
    for (;;) {
        patio_bytes  args[] = {ops_text(id_text), ops_text(suffix), ops_text(entry)};
        resp_reader *holder = NULL;
        const resp  *r      = NULL;
        patio_status st =
            ops_ask(t, queue_name, SCRIPT_STATE, args, 3, timeout_ms, &holder, &r, err);
        if (st != PATIO_OK) {
            return st;
        }
        const resp *where = resp_at(r, 1);
        const resp *from  = resp_at(r, 2);
        if (resp_number(resp_at(r, 0), 0) >= 0 || where == NULL || where->size != 1 ||
            from == NULL || from->size >= sizeof(entry)) {
            st = fill(t, r, out, err);
            resp_reader_free(holder);
            return st;
        }
        memcpy(suffix, where->text, 2);
        memcpy(entry, from->text, from->size + 1);
        resp_reader_free(holder);
    }
}

const patio_results_ops redis_results_ops = {PATIO_SIZED(patio_results_ops), .get = get};
