/* Why a letter is dead: what its worker wrote, or what can be said of one that the broker moved: of
 * its last death, for it may have had others, as every delay ends in one. */
#include "transport.h"

static bool is_text(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7F) {
            return false;
        }
    }
    return true;
}

const char *cause_strange(const patio_transport *t, const inbound *in)
{
    bool nameless = in->props.task[0] == '\0';
    return in->size > t->max_body_bytes ? "its body is larger than max_body_bytes"
           : nameless && !in->props.has_id
               ? "it is no task: it has neither a message_id of 32 hexadecimal digits nor a type"
           : !in->props.has_id        ? "it has no message_id of 32 hexadecimal digits"
           : nameless                 ? "it names no task (property type)"
           : !is_text(in->props.task) ? "the name of its task has control characters"
                                      : NULL;
}

/* The newest entry of x-death (RabbitMQ, "Dead Letter Exchanges"). */
typedef struct death {
    amqp_bytes_t reason;
    amqp_bytes_t queue;
    uint64_t     count; /* how often it died there of that */
} death;

static void read_death(death *out, const amqp_field_value_t *deaths)
{
    const amqp_table_t *last = cause_last_death(deaths);
    for (int i = 0; last != NULL && i < last->num_entries; i++) {
        const amqp_table_entry_t *e    = &last->entries[i];
        bool                      text = e->value.kind == AMQP_FIELD_KIND_UTF8;
        if (wire_is(e->key, "reason") && text) {
            out->reason = e->value.value.bytes;
        } else if (wire_is(e->key, "queue") && text) {
            out->queue = e->value.value.bytes;
        } else if (wire_is(e->key, "count")) {
            (void)props_number(&e->value, &out->count);
        }
    }
}

const amqp_table_t *cause_last_death(const amqp_field_value_t *deaths)
{
    bool there = deaths->kind == AMQP_FIELD_KIND_ARRAY && deaths->value.array.num_entries > 0 &&
                 deaths->value.array.entries[0].kind == AMQP_FIELD_KIND_TABLE;
    return there ? &deaths->value.array.entries[0].value.table : NULL;
}

static uint8_t *put_text(uint8_t *at, unsigned field, const char *text)
{
    size_t size = strlen(text);
    *at++       = (uint8_t)(field << 3 | 2);
    *at++       = (uint8_t)((size & 0x7F) | 0x80); /* a varint of two bytes */
    *at++       = (uint8_t)(size >> 7);
    memcpy(at, text, size); /* NOLINT(bugprone-not-null-terminated-result) */
    return at + size;
}

/* An encoded patio.v1.DeadLetter{cause, message}; texts of less than 16 KiB. */
static patio_buf *letter_of(const patio_transport *t, const char *cause, const char *message)
{
    uint8_t   *data = NULL;
    size_t     size = 3 + strlen(cause) + 3 + strlen(message);
    patio_buf *made = t->host->buf_new(t->host->self, size, &data);
    if (made != NULL) {
        (void)put_text(put_text(data, 1, cause), 3, message);
    }
    return made;
}

static patio_buf *explain(const patio_transport *t, const death *d, const char *strange)
{
    static const struct {
        const char *reason;
        const char *cause;
        const char *text; /* then the queue, and the rest */
        const char *rest;
    } known[] = {
        {"expired", "expired", "its time to live ended in queue ", ""},
        {"rejected", "refused", "a consumer rejected it from queue ", ""},
        {"delivery_limit", "crashes", "nobody has settled it as often as queue ",
         " delivers a task (x-delivery-limit)"},
        {"maxlen", "refused", "it was the oldest in queue ", ", which was full (its max-length)"},
    };
    bool rejected = wire_is(d->reason, "rejected");
    if (strange != NULL && (rejected || d->reason.len == 0)) {
        return letter_of(t, "undecodable", strange);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (wire_is(d->reason, known[i].reason)) {
            char name[NAME_MAX_BYTES];
            char text[WHY_BYTES];
            char times[40] = "";
            wire_copy(name, sizeof(name), d->queue);
            if (d->count > 1) {
                (void)snprintf(times, sizeof(times), "; it died so %llu times",
                               (unsigned long long)d->count);
            }
            (void)snprintf(text, sizeof(text), "%s%s%s%s", known[i].text, name, known[i].rest,
                           times);
            return letter_of(t, known[i].cause, text);
        }
    }
    return NULL;
}

patio_buf *cause_read(const patio_transport *t, const inbound *in, const amqp_basic_properties_t *p)
{
    const amqp_table_t *h    = (p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0 ? &p->headers : NULL;
    uint8_t            *data = NULL;
    death               last = {.count = 0};
    const char         *odd  = cause_strange(t, in);
    for (int i = 0; h != NULL && i < h->num_entries; i++) {
        const amqp_field_value_t *v = &h->entries[i].value;
        if (wire_is(h->entries[i].key, "patio-cause") && v->kind == AMQP_FIELD_KIND_BYTES &&
            odd == NULL) {
            patio_buf *copy = t->host->buf_new(t->host->self, v->value.bytes.len, &data);
            if (copy != NULL && v->value.bytes.len > 0) {
                memcpy(data, v->value.bytes.bytes, v->value.bytes.len);
            }
            return copy;
        }
        if (wire_is(h->entries[i].key, "x-death")) {
            read_death(&last, v);
        }
    }
    return explain(t, &last, odd);
}
