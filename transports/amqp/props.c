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
bool props_number(const amqp_field_value_t *v, uint64_t *out)
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

/* Nobody counts so far, and one more still fits. */
static uint16_t small(uint64_t n)
{
    enum { MOST = UINT16_MAX / 2 };
    return n > MOST ? MOST : (uint16_t)n;
}

/* When the broker itself moved it last, in seconds. A message that ends so was not taken: its
 * attempt did not begin. */
static void read_death(props *out, const amqp_field_value_t *deaths)
{
    const amqp_table_t *last = cause_last_death(deaths);
    for (int i = 0; last != NULL && i < last->num_entries; i++) {
        const amqp_table_entry_t *e = &last->entries[i];
        uint64_t                  s = 0;
        if (wire_is(e->key, "time") && props_number(&e->value, &s)) {
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
        } else if (!props_number(&e->value, &n)) {
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
    if (!out->has_id) {
        memset(&out->id, 0, sizeof(out->id));
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
