/* patio.topology/1: the queues as a file that RabbitMQ's management and
 * rabbitmqctl import. */
#include "transport.h"

#include <patio/topology.h>

typedef struct text {
    patio_transport *t;
    obuf             out;
    bool             failed;
} text;

static void add(text *x, const char *format, ...) PATIO_PRINTF(2, 3);
static void add(text *x, const char *format, ...)
{
    char    piece[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    x->failed = x->failed || size < 0 || (size_t)size >= sizeof(piece) ||
                !obuf_add(x->t, &x->out, piece, (size_t)size);
}

/* The only free text is a vhost; names have no character that JSON minds. */
static void add_quoted(text *x, const char *s)
{
    add(x, "\"");
    for (; *s != '\0'; s++) {
        bool plain = (unsigned char)*s >= ' ' && *s != '"' && *s != '\\';
        add(x, plain ? "%c" : "\\u%04x", (unsigned char)*s);
    }
    add(x, "\"");
}

static void add_queue(text *x, const place *p, bool first)
{
    amqp_table_entry_t e[PLACE_ARGUMENTS];
    int                count = place_arguments(x->t, p, e);
    add(x, "%s\n    {\"name\": \"%s\", \"vhost\": ", first ? "" : ",", p->name);
    add_quoted(x, x->t->set.vhost);
    add(x, ", \"durable\": true, \"auto_delete\": false, \"arguments\": {");
    for (int i = 0; i < count; i++) {
        add(x, "%s\"%.*s\": ", i > 0 ? ", " : "", (int)e[i].key.len, (const char *)e[i].key.bytes);
        if (e[i].value.kind == AMQP_FIELD_KIND_UTF8) {
            add(x, "\"%.*s\"", (int)e[i].value.value.bytes.len,
                (const char *)e[i].value.value.bytes.bytes);
        } else {
            add(x, "%lld", (long long)e[i].value.value.i64);
        }
    }
    add(x, "}}");
}

static patio_status print(patio_transport *t, const char *const *names, size_t count,
                          patio_buf **out, patio_error *err)
{
    text x     = {.t = t};
    bool first = true;
    char control[NAME_MAX_BYTES];
    CONTROL_NAME(t, control);
    add(&x, "{\n  \"queues\": [");
    for (size_t i = 0; i < count; i++) {
        if (place_check_name(names[i], err) != PATIO_OK) {
            t->host->free(t->host->self, x.out.data);
            return PATIO_INVALID;
        }
        pthread_mutex_lock(&t->lock);
        queue *q = place_queue(t, names[i], true);
        if (q != NULL) {
            add_queue(&x, &q->dead, first);
            add_queue(&x, &q->work, false);
            first = false;
        }
        for (int k = 0; k < DELAY_STEPS && q != NULL; k++) {
            place *p = place_step_at(t, q, k);
            x.failed = x.failed || p == NULL;
            if (p != NULL) {
                add_queue(&x, p, false);
            }
        }
        pthread_mutex_unlock(&t->lock);
        x.failed = x.failed || q == NULL;
    }
    add(&x, "\n  ],\n  \"exchanges\": [\n    {\"name\": \"%s\", \"vhost\": ", control);
    add_quoted(&x, t->set.vhost);
    add(&x, ", \"type\": \"fanout\", \"durable\": true, \"auto_delete\": false, "
            "\"internal\": false, "
            "\"arguments\": {}}\n  ],\n  \"bindings\": []\n}\n");
    uint8_t   *data = NULL;
    patio_buf *made = x.failed ? NULL : t->host->buf_new(t->host->self, x.out.size, &data);
    if (made != NULL) {
        memcpy(data, x.out.data, x.out.size);
    }
    t->host->free(t->host->self, x.out.data);
    if (made == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "print the topology: out of memory");
    }
    *out = made;
    return PATIO_OK;
}

const patio_topology_ops topology_ops = {PATIO_SIZED(patio_topology_ops), .print = print};
