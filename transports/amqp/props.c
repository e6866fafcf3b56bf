/* Properties and headers: docs/protocol.md states them. */
#include "transport.h"

#include <time.h>

static const char hex[] = "0123456789abcdef";

void props_write_id(char out[33], const patio_id *id)
{
    for (size_t i = 0; i < 16; i++) {
        out[2 * i]     = hex[id->bytes[i] >> 4];
        out[2 * i + 1] = hex[id->bytes[i] & 15];
    }
    out[32] = '\0';
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (uint8_t)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 hexadecimal digits; the dashes of a UUID may stand between them. */
bool props_read_id(patio_id *id, amqp_bytes_t text)
{
    const uint8_t *at    = text.bytes;
    size_t         count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (at[i] == '-') {
            continue;
        }
        int value = digit(at[i]);
        if (value < 0 || count == 32) {
            return false;
        }
        uint8_t *byte = &id->bytes[count / 2];
        *byte         = (uint8_t)(count % 2 == 0 ? value << 4 : *byte | value);
        count++;
    }
    return count == 32;
}

uint64_t props_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Numbers come in whatever width the other side's library likes. Negative ones
 * count as 0. */
static bool number_of(const amqp_field_value_t *v, uint64_t *out)
{
    int64_t n = 0;
    switch (v->kind) {
    case AMQP_FIELD_KIND_I8:
        n = v->value.i8; /* NOLINT(bugprone-signed-char-misuse): a number, no character */
        break;
    case AMQP_FIELD_KIND_U8:
        n = v->value.u8;
        break;
    case AMQP_FIELD_KIND_I16:
        n = v->value.i16;
        break;
    case AMQP_FIELD_KIND_U16:
        n = v->value.u16;
        break;
    case AMQP_FIELD_KIND_I32:
        n = v->value.i32;
        break;
    case AMQP_FIELD_KIND_U32:
        n = v->value.u32;
        break;
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        n = v->value.i64;
        break;
    default:
        return false;
    }
    *out = n < 0 ? 0 : (uint64_t)n;
    return true;
}

static uint16_t small(uint64_t n)
{
    return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

/* When the broker itself moved it last: the first entry of x-death (RabbitMQ, "Dead Letter
 * Exchanges"), in seconds. A message that ends so was not taken: its attempt did not begin. */
static void read_death(props *out, const amqp_field_value_t *deaths)
{
    if (deaths->kind != AMQP_FIELD_KIND_ARRAY || deaths->value.array.num_entries < 1 ||
        deaths->value.array.entries[0].kind != AMQP_FIELD_KIND_TABLE) {
        return;
    }
    const amqp_table_t *last = &deaths->value.array.entries[0].value.table;
    for (int i = 0; i < last->num_entries; i++) {
        const amqp_table_entry_t *e = &last->entries[i];
        uint64_t                  s = 0;
        if (wire_is(e->key, "time") && number_of(&e->value, &s)) {
            out->moved_at_ms = s * 1000;
        }
    }
}

static void read_headers(props *out, const amqp_table_t *table)
{
    for (int i = 0; i < table->num_entries; i++) {
        const amqp_table_entry_t *e = &table->entries[i];
        uint64_t                  n = 0;
        if (wire_is(e->key, "x-death")) {
            read_death(out, &e->value);
        } else if (!number_of(&e->value, &n)) {
            continue;
        } else if (wire_is(e->key, "patio-attempt")) {
            out->attempt = small(n);
        } else if (wire_is(e->key, "patio-crashes")) {
            out->crashes = small(n);
        } else if (wire_is(e->key, "patio-flags")) {
            out->flags = (uint32_t)n;
        } else if (wire_is(e->key, "patio-ttl-ms")) {
            out->ttl_ms = n;
        } else if (wire_is(e->key, "patio-sent-ms")) {
            out->sent_ms = n;
        } else if (wire_is(e->key, "patio-fence")) {
            out->fence = n;
        } else if (wire_is(e->key, "patio-died-ms")) {
            out->dead_at_ms = n;
        } else if (wire_is(e->key, "x-delivery-count")) {
            out->delivery_count = n;
        }
    }
}

/* A property without its flag is memory of an older message: it is not looked
 * at. */
void props_read(props *out, const amqp_basic_properties_t *p)
{
    memset(out, 0, sizeof(*out) - sizeof(out->task) - sizeof(out->reply_to));
    out->task[0] = out->reply_to[0] = '\0';
    out->priority                   = PATIO_PRIORITY_DEFAULT;
    out->attempt                    = 1;
    if ((p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0) {
        out->has_id = props_read_id(&out->id, p->message_id);
    } else if ((p->_flags & AMQP_BASIC_CORRELATION_ID_FLAG) != 0) {
        out->has_id = props_read_id(&out->id, p->correlation_id);
    }
    if ((p->_flags & AMQP_BASIC_PRIORITY_FLAG) != 0) {
        out->priority = p->priority < PATIO_PRIORITY_MAX ? p->priority : PATIO_PRIORITY_MAX;
    }
    if ((p->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG) != 0) {
        out->persistent = p->delivery_mode == AMQP_DELIVERY_PERSISTENT;
    }
    if ((p->_flags & AMQP_BASIC_TYPE_FLAG) != 0) {
        wire_copy(out->task, sizeof(out->task), p->type);
    }
    if ((p->_flags & AMQP_BASIC_REPLY_TO_FLAG) != 0) {
        wire_copy(out->reply_to, sizeof(out->reply_to), p->reply_to);
    }
    if ((p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0) {
        read_headers(out, &p->headers);
    }
}

/* Why it is dead: what its worker said, or an encoded patio.v1.DeadLetter made
 * of what the broker says of a message that it moved itself. NULL: nothing is
 * known. */
patio_buf *props_cause(const patio_transport *t, const amqp_basic_properties_t *p)
{
    const amqp_table_t *h    = (p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0 ? &p->headers : NULL;
    uint8_t            *data = NULL;
    amqp_bytes_t        why  = amqp_empty_bytes;
    for (int i = 0; h != NULL && i < h->num_entries; i++) {
        const amqp_field_value_t *v = &h->entries[i].value;
        if (wire_is(h->entries[i].key, "patio-cause") && v->kind == AMQP_FIELD_KIND_BYTES) {
            patio_buf *copy = t->host->buf_new(t->host->self, v->value.bytes.len, &data);
            if (copy != NULL && v->value.bytes.len > 0) {
                memcpy(data, v->value.bytes.bytes, v->value.bytes.len);
            }
            return copy;
        }
        if (wire_is(h->entries[i].key, "x-first-death-reason") && v->kind == AMQP_FIELD_KIND_UTF8) {
            why = v->value.bytes;
        }
    }
    const char *cause = wire_is(why, "expired")          ? "expired"
                        : wire_is(why, "rejected")       ? "undecodable"
                        : wire_is(why, "delivery_limit") ? "crashes"
                                                         : NULL;
    if (cause == NULL) {
        return NULL;
    }
    size_t     size = strlen(cause);
    patio_buf *made = t->host->buf_new(t->host->self, size + 2, &data);
    if (made != NULL) {
        data[0] = 1 << 3 | 2; /* field 1, bytes */
        data[1] = (uint8_t)size;
        memcpy(data + 2, cause, size); /* NOLINT(bugprone-not-null-terminated-result) */
    }
    return made;
}
