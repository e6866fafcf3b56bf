/* Making messages: their method and header frames, ready to be written. */
#include "transport.h"

/* Ten years: RabbitMQ closes the channel of who wants a message to expire later. */
static const uint64_t expire_most_ms = UINT64_C(315360000000);

enum { HEAD_BYTES = 16 * 1024, CAUSE_MOST = 8 * 1024, HEADERS_MOST = 10 };

static const char content_type[] = "application/x-protobuf; proto=patio.v1.Envelope";

static void add_number(amqp_table_t *table, const char *key, uint64_t n)
{
    amqp_table_entry_t *e = &table->entries[table->num_entries++];
    e->key                = wire_text(key);
    e->value.kind         = AMQP_FIELD_KIND_I64;
    e->value.value.i64    = n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static post *make(patio_transport *t, uint8_t kind, const char *exchange, const char *key,
                  bool mandatory, amqp_basic_properties_t *p, patio_buf *body)
{
    uint8_t              head[HEAD_BYTES];
    const patio_host    *host    = t->host;
    amqp_basic_publish_t publish = {
        .exchange = wire_text(exchange), .routing_key = wire_text(key), .mandatory = mandatory};
    size_t bytes = body != NULL ? host->buf_view(host->self, body).size : 0;
    p->_flags |= AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
    p->app_id = wire_text("patio");
    size_t method =
        wire_put_method(head, sizeof(head), CH_PUBLISH, AMQP_BASIC_PUBLISH_METHOD, &publish);
    size_t header = wire_put_header(head + method, sizeof(head) - method, CH_PUBLISH, bytes, p);
    post  *made =
        method > 0 && header > 0 ? host->alloc(host->self, sizeof(*made) + method + header) : NULL;
    if (made == NULL) {
        return NULL;
    }
    memset(made, 0, sizeof(*made));
    made->kind       = kind;
    made->persistent = p->delivery_mode == AMQP_DELIVERY_PERSISTENT;
    made->head_size  = (uint32_t)(method + header);
    made->body       = body != NULL ? host->buf_ref(host->self, body) : NULL;
    made->made_ns    = host->now_ns(host->self);
    memcpy(made->head, head, method + header);
    return made;
}

post *post_new_task(patio_transport *t, uint8_t kind, place *to, const task_facts *f,
                    patio_buf *body)
{
    char                    id[33];
    char                    expiration[24];
    amqp_table_entry_t      entries[HEADERS_MOST];
    amqp_basic_properties_t p = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
                  AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type  = wire_text(content_type),
        .headers       = {.entries = entries},
        .priority      = f->priority,
        .delivery_mode = f->persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT,
        .timestamp     = f->sent_ms / 1000u,
        .type          = wire_text(f->task),
    };
    props_write_id(id, &f->id);
    p.message_id = wire_text(id);
    if (f->reply_to != NULL && f->reply_to[0] != '\0') {
        p._flags |= AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
        p.reply_to       = wire_text(f->reply_to);
        p.correlation_id = p.message_id;
    }
    if (f->expire_ms != 0 && f->expire_ms <= expire_most_ms) {
        (void)snprintf(expiration, sizeof(expiration), "%llu", (unsigned long long)f->expire_ms);
        p._flags |= AMQP_BASIC_EXPIRATION_FLAG;
        p.expiration = wire_text(expiration);
    }
    add_number(&p.headers, "patio-sent-ms", f->sent_ms);
    const struct {
        const char *key;
        uint64_t    value;
        uint64_t    normal;
    } rare[] = {
        {"patio-ttl-ms", f->ttl_ms, 0},
        {"patio-attempt", f->attempt, 1},
        {"patio-crashes", f->crashes, 0},
        {"patio-fence", f->fence, 0},
        {"patio-flags", f->flags & PATIO_MESSAGE_CARRIED & ~(uint32_t)PATIO_MESSAGE_CALL, 0}};
    for (size_t i = 0; i < sizeof(rare) / sizeof(rare[0]); i++) {
        if (rare[i].value != rare[i].normal) {
            add_number(&p.headers, rare[i].key, rare[i].value);
        }
    }
    if (f->cause.size > 0 && f->cause.size <= CAUSE_MOST) {
        amqp_table_entry_t *e = &entries[p.headers.num_entries++];
        union {
            const uint8_t *in;
            void          *out;
        } data               = {.in = f->cause.data};
        e->key               = wire_text("patio-cause");
        e->value.kind        = AMQP_FIELD_KIND_BYTES;
        e->value.value.bytes = (amqp_bytes_t){.len = f->cause.size, .bytes = data.out};
        add_number(&p.headers, "patio-died-ms", props_wall_ms());
    }
    post *made = make(t, kind, "", to->name, true, &p, body);
    if (made != NULL) {
        made->id    = f->id;
        made->place = to;
    }
    return made;
}

post *post_new_reply(patio_transport *t, const char *reply_to, const patio_id *id, bool persistent,
                     bool partial, patio_buf *body)
{
    char text[33];
    props_write_id(text, id);
    amqp_basic_properties_t p = {
        ._flags =
            AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_TYPE_FLAG,
        .content_type   = wire_text(content_type),
        .correlation_id = wire_text(text),
        .delivery_mode  = persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT,
        .type           = wire_text(partial ? "patio.partial" : "patio.reply"),
    };
    post *made = make(t, partial ? POST_PLAIN : POST_REPLY, "", reply_to, true, &p, body);
    if (made != NULL) {
        made->id = *id;
    }
    return made;
}

post *post_new_probe(patio_transport *t)
{
    amqp_basic_properties_t p = {._flags        = AMQP_BASIC_TYPE_FLAG,
                                 .delivery_mode = AMQP_DELIVERY_NONPERSISTENT,
                                 .type          = wire_text("patio.probe")};
    return make(t, POST_PROBE, "", t->inbox, true, &p, NULL);
}

post *post_new_control(patio_transport *t, const char *exchange, const char *key, const char *type,
                       const patio_id *nonce, const char *reply_to, patio_bytes words)
{
    char text[33];
    props_write_id(text, nonce);
    amqp_basic_properties_t p = {
        ._flags         = AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG,
        .delivery_mode  = AMQP_DELIVERY_NONPERSISTENT,
        .correlation_id = wire_text(text),
        .type           = wire_text(type),
    };
    if (reply_to[0] != '\0') {
        p._flags |= AMQP_BASIC_REPLY_TO_FLAG;
        p.reply_to = wire_text(reply_to);
    }
    uint8_t   *data = NULL;
    patio_buf *body = t->host->buf_new(t->host->self, words.size, &data);
    if (body == NULL) {
        return NULL;
    }
    if (words.size > 0) {
        memcpy(data, words.data, words.size);
    }
    post *made = make(t, POST_PLAIN, exchange, key, exchange[0] == '\0', &p, body);
    t->host->buf_drop(t->host->self, body);
    return made;
}
