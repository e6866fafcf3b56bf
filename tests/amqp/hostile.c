/* Somebody else's messages: no properties, properties of wrong types, absurd headers, and bodies
 * that are no envelopes, each alone and as what patio would call a task or a reply.
 *
 *   PATIO_AMQP_SERVER=… amqp_hostile EXCHANGE KEY TYPE   publishes them, and says how many they are
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEEP = 500, LONG = 64 * 1024, LARGE = 1024 * 1024 - 1, HEADERS = 16 };

static amqp_table_entry_t entries[HEADERS];
static amqp_table_entry_t nest[DEEP];
static char               text[LONG];
static uint8_t            random_bytes[LARGE];
static uint32_t           published;

static amqp_table_entry_t entry(const char *key, uint8_t kind)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key), .value = {.kind = kind}};
}

static amqp_table_entry_t number(const char *key, int64_t n)
{
    amqp_table_entry_t e = entry(key, AMQP_FIELD_KIND_I64);
    e.value.value.i64    = n;
    return e;
}

static amqp_table_entry_t bytes(const char *key, uint8_t kind, size_t size)
{
    amqp_table_entry_t e = entry(key, kind);
    e.value.value.bytes  = (amqp_bytes_t){.len = size, .bytes = text};
    return e;
}

static amqp_table_entry_t table(const char *key, amqp_table_entry_t *first, int count)
{
    amqp_table_entry_t e = entry(key, AMQP_FIELD_KIND_TABLE);
    e.value.value.table  = (amqp_table_t){.num_entries = count, .entries = first};
    return e;
}

/* Every header that means something, of types that mean nothing, or beyond any reason. */
static amqp_table_t headers(int which)
{
    static amqp_field_value_t odd[2];
    int                       n = 0;
    if (which == 0) {
        entries[n++] = bytes("patio-attempt", AMQP_FIELD_KIND_UTF8, 3);
        entries[n++] = bytes("patio-crashes", AMQP_FIELD_KIND_BYTES, 0);
        entries[n++] = entry("patio-fence", AMQP_FIELD_KIND_VOID);
        entries[n++] = entry("patio-flags", AMQP_FIELD_KIND_BOOLEAN);
        entries[n++] = number("patio-cause", 7);
        entries[n++] = bytes("x-death", AMQP_FIELD_KIND_UTF8, 9);
        entries[n++] = number("x-first-death-reason", 3);
        entries[n++] = table("x-delivery-count", NULL, 0);
    } else if (which == 1) {
        entries[n++] = number("patio-attempt", INT64_MIN);
        entries[n++] = number("patio-crashes", INT64_MAX);
        entries[n++] = number("patio-fence", INT64_MAX);
        entries[n++] = number("patio-flags", -1);
        entries[n++] = number("patio-ttl-ms", INT64_MAX);
        entries[n++] = number("patio-sent-ms", INT64_MIN);
        entries[n++] = number("x-delivery-count", INT64_MAX);
        entries[n++] = number("x-priority", -5);
        entries[n++] = number("patio-died-ms", -1);
    } else if (which == 2) {
        nest[DEEP - 1] = number("n", 1);
        for (int i = DEEP - 1; i > 0; i--) {
            nest[i - 1] = table("n", &nest[i], 1);
        }
        entries[n++] = nest[0];
    } else if (which == 3) {
        entries[n++] = bytes("patio-cause", AMQP_FIELD_KIND_BYTES, LONG);
        entries[n++] = bytes("z", AMQP_FIELD_KIND_UTF8, LONG / 2);
    } else {
        odd[0]                           = (amqp_field_value_t){.kind = AMQP_FIELD_KIND_TABLE};
        entries[n++]                     = entry("x-death", AMQP_FIELD_KIND_ARRAY);
        entries[n - 1].value.value.array = (amqp_array_t){.num_entries = 1, .entries = odd};
    }
    return (amqp_table_t){.num_entries = n, .entries = entries};
}

typedef struct aim {
    amqp_connection_state_t c;
    const char             *exchange;
    const char             *key;
    const char             *type;
} aim;

/* As it is, and with what patio looks for first: an id that nobody else has, and a type. */
static void publish(const aim *to, amqp_basic_properties_t p, const void *body, size_t size)
{
    union {
        const void *in;
        void       *out;
    } data = {.in = body};
    for (int named = 0; named < 2; named++) {
        char id[40];
        (void)snprintf(id, sizeof(id), "%016lx%016x", (long)getpid(), published++);
        if (named != 0) {
            p._flags |= AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                        AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_REPLY_TO_FLAG;
            p.message_id     = amqp_cstring_bytes(id);
            p.correlation_id = p.message_id;
            p.type           = amqp_cstring_bytes(to->type);
            p.reply_to       = amqp_cstring_bytes("nobody");
        }
        int st = amqp_basic_publish(to->c, 1, amqp_cstring_bytes(to->exchange),
                                    amqp_cstring_bytes(to->key), 0, 0, &p,
                                    (amqp_bytes_t){.len = size, .bytes = data.out});
        if (st != AMQP_STATUS_OK) {
            fprintf(stderr, "publish: %s\n", amqp_error_string2(st));
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    /* Envelope{kind 1, id of 16 bytes, task "mul", …}, which ends in the middle of the task's name
     */
    static const uint8_t cut[] = {2 << 3, 1,  3 << 3 | 2, 16, 1,  2,  3,  4,  5,          6, 7,  8,
                                  9,      10, 11,         12, 13, 14, 15, 16, 4 << 3 | 2, 3, 'm'};
    if (argc != 4) {
        fprintf(stderr, "usage: amqp_hostile EXCHANGE KEY TYPE\n");
        return 2;
    }
    memset(text, 'x', sizeof(text));
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof(random_bytes); i++) {
        seed            = seed * 1664525u + 1013904223u;
        random_bytes[i] = (uint8_t)(seed >> 24);
    }
    aim                     to      = {plain_open(NULL), argv[1], argv[2], argv[3]};
    amqp_basic_properties_t nothing = {._flags = 0};
    publish(&to, nothing, "", 0);
    publish(&to, nothing, "hello", 5);
    publish(&to, nothing, cut, sizeof(cut));
    publish(&to, nothing, random_bytes, sizeof(random_bytes));
    for (int which = 0; which < 5; which++) {
        amqp_basic_properties_t p = {._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                                               AMQP_BASIC_DELIVERY_MODE_FLAG |
                                               AMQP_BASIC_CONTENT_TYPE_FLAG,
                                     .headers       = headers(which),
                                     .priority      = 255,
                                     .delivery_mode = 2,
                                     .content_type  = {.len = 255, .bytes = text}};
        publish(&to, p, cut, sizeof(cut));
    }
    plain_close(to.c); /* the broker answers when it has taken all of them */
    printf("%u\n", published);
    return 0;
}
