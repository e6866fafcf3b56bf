/* docs/protocol.md, "On RabbitMQ": a client that knows nothing but AMQP and protobuf calls and
 * executes; and what is no task does no harm. */
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 512, DEATHS_BYTES = 8192 };

static size_t put(uint8_t *at, size_t size, const void *data, size_t more)
{
    assert_true(size + more <= MOST);
    memcpy(at + size, data, more);
    return size + more;
}

/* Envelope{kind, id, task, project, payload}; each text is shorter than 128 bytes. */
static size_t envelope(uint8_t *at, uint8_t kind, const uint8_t id[16], const char *task,
                       const char *project, const void *payload, size_t payload_size)
{
    const uint8_t head[] = {2 << 3, kind, 3 << 3 | 2, 16};
    size_t        size   = put(at, 0, head, sizeof(head));
    size                 = put(at, size, id, 16);
    if (task[0] != '\0') {
        size = put(at, size, (const uint8_t[]){4 << 3 | 2, (uint8_t)strlen(task)}, 2);
        size = put(at, size, task, strlen(task));
        size = put(at, size, (const uint8_t[]){5 << 3 | 2, (uint8_t)strlen(project)}, 2);
        size = put(at, size, project, strlen(project));
    }
    size = put(at, size, (const uint8_t[]){0xA2, 0x06, (uint8_t)payload_size}, 3);
    return put(at, size, payload, payload_size);
}

static bool holds(amqp_bytes_t body, const void *part, size_t size)
{
    for (size_t i = 0; i + size <= body.len; i++) {
        if (memcmp((const uint8_t *)body.bytes + i, part, size) == 0) {
            return true;
        }
    }
    return false;
}

/* A call of mul(6, 7), whose reply goes to a queue of this client's with such arguments. */
static void publish_call(const world *w, amqp_connection_state_t c, amqp_table_t arguments,
                         char reply_to[256])
{
    static const uint8_t id[16]   = {0xAB, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xCD};
    static const uint8_t values[] = {0x0A, 2, 3, 3, 0x12, 2, 12, 14, 0x38, 2}; /* (6, 7) */
    uint8_t              body[MOST];
    AWAIT(counts_of(w->f.broker, NULL).consumers == 1); /* then its queue is there, too */
    size_t size = envelope(body, 1, id, "mul", w->project, values, sizeof(values));
    amqp_queue_declare_ok_t *own =
        amqp_queue_declare(c, 1, amqp_empty_bytes, 0, 0, 1, 1, arguments);
    assert_non_null(own);
    (void)snprintf(reply_to, 256, "%.*s", (int)own->queue.len, (const char *)own->queue.bytes);
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
                                           AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
                                 .delivery_mode = 2,
                                 .message_id =
                                     amqp_cstring_bytes("ab010203-0405-0607-0809-0a0b0c0d0ecd"),
                                 .type     = amqp_cstring_bytes("mul"),
                                 .reply_to = amqp_cstring_bytes(reply_to)};
    plain_publish(c, queue_name(w, ""), &p, body, size);
}

/* 6 * 7, and the delivery mode of its reply */
static uint8_t call_plainly(const char *options)
{
    static const uint8_t product[] = {0x12, 1, 84}; /* 42 */
    world                w;
    char                 reply_to[256];
    world_init(&w, options);
    w.f.broker                = world_worker(&w, NULL);
    amqp_connection_state_t c = plain_open(&w);
    publish_call(&w, c, amqp_empty_table, reply_to);
    amqp_message_t m;
    uint64_t       tag = plain_get(c, reply_to, &m);
    assert_true(tag != 0);
    assert_int_equal(amqp_basic_ack(c, 1, tag, false), AMQP_STATUS_OK);
    assert_true((m.properties._flags & AMQP_BASIC_CORRELATION_ID_FLAG) != 0);
    assert_int_equal(m.properties.correlation_id.len, 32);
    assert_memory_equal(m.properties.correlation_id.bytes, "ab0102030405060708090a0b0c0d0ecd", 32);
    assert_true(holds(m.body, product, sizeof(product)));
    assert_true((m.properties._flags & AMQP_BASIC_DELIVERY_MODE_FLAG) != 0);
    uint8_t mode = m.properties.delivery_mode;
    amqp_destroy_message(&m);
    plain_close(c);
    world_close(&w);
    return mode;
}

/* A caller whose queue takes nothing holds no task of a worker's for ever. */
static void a_reply_that_is_refused_is_given_up(void **state)
{
    (void)state;
    world              w;
    char               reply_to[256];
    amqp_table_entry_t full[] = {
        {.key   = amqp_cstring_bytes("x-max-length"),
         .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = 0}},
        {.key   = amqp_cstring_bytes("x-overflow"),
         .value = {.kind        = AMQP_FIELD_KIND_UTF8,
                   .value.bytes = amqp_cstring_bytes("reject-publish")}},
    };
    world_init(&w, "");
    w.f.broker                = world_worker(&w, NULL);
    amqp_connection_state_t c = plain_open(&w);
    publish_call(&w, c, (amqp_table_t){.num_entries = 2, .entries = full}, reply_to);
    AWAIT(stats_of(w.f.broker).tasks_ok == 1);
    AWAIT(counts_of(w.f.broker, NULL).leased == 0);
    assert_int_equal(plain_count(c, reply_to), 0);
    plain_close(c);
    world_close(&w);
}

static void a_plain_client_calls(void **state)
{
    (void)state;
    (void)call_plainly("");
}

static void a_reply_is_as_durable_as_is_asked(void **state)
{
    (void)state;
    assert_int_equal(call_plainly("?persistent_reply_after_ms=none"), 1);
    assert_int_equal(call_plainly("?persistent_reply_after_ms=0"), 2);
}

static void a_plain_client_executes(void **state)
{
    (void)state;
    static const uint8_t result[] = {0x0A, 1, 3, 0x12, 1, 84, 0x38, 1}; /* 42 */
    world                w;
    world_init(&w, "");
    w.f.broker      = world_caller(&w);
    patio_future *f = NULL;
    assert_ok(patio_start(w.f.broker, "answer", PATIO_NO_ARGS, NULL, &f, &w.f.err), w.f.err);
    amqp_connection_state_t c = plain_open(&w);
    amqp_message_t          m;
    AWAIT(counts_of(w.f.broker, NULL).ready == 1);
    uint64_t tag = plain_get(c, queue_name(&w, ""), &m);
    assert_true(tag != 0);
    const amqp_flags_t needed =
        AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_REPLY_TO_FLAG;
    assert_true((m.properties._flags & needed) == needed);
    assert_memory_equal(m.properties.type.bytes, "answer", 6);
    /* the id is the envelope's: field 3, 16 bytes */
    uint8_t     id[16];
    uint8_t     body[MOST];
    char        reply_to[256];
    const char *hex = m.properties.message_id.bytes;
    for (int i = 0; i < 16; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        id[i]                = (uint8_t)strtoul(digits, NULL, 16);
    }
    (void)snprintf(reply_to, sizeof(reply_to), "%.*s", (int)m.properties.reply_to.len,
                   (const char *)m.properties.reply_to.bytes);
    size_t                  size = envelope(body, 3, id, "", "", result, sizeof(result));
    amqp_basic_properties_t p    = {._flags = AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_TYPE_FLAG,
                                    .correlation_id = m.properties.message_id,
                                    .type           = amqp_cstring_bytes("patio.reply")};
    plain_publish(c, reply_to, &p, body, size);
    assert_int_equal(patio_future_wait(f, 5000), PATIO_OK);
    assert_ok(patio_future_status(f, &w.f.err), w.f.err);
    assert_value(patio_future_value(f), PATIO_VALUE((int64_t)42));
    patio_future_destroy(f);
    amqp_destroy_message(&m);
    /* nothing is left when it hangs up: the task was settled */
    assert_int_equal(amqp_basic_ack(c, 1, tag, false), AMQP_STATUS_OK);
    plain_close(c);
    c = plain_open(&w);
    assert_int_equal(plain_count(c, queue_name(&w, "")), 0);
    plain_close(c);
    world_close(&w);
}

/* "cause: message" of each dead letter, one a line. */
static int32_t note_death(void *arg, const patio_dead_info *d)
{
    char  *all  = arg;
    size_t size = strlen(all);
    (void)snprintf(all + size, DEATHS_BYTES - size, "%s: %s\n", d->cause, d->message);
    return 0;
}

static const char *deaths_of(world *w)
{
    static char all[DEATHS_BYTES];
    all[0] = '\0';
    assert_ok(patio_dead_list(w->f.broker, NULL, NULL, 100, 5000, note_death, all, &w->f.err),
              w->f.err);
    return all;
}

/* Every message that is no task ends as a dead letter that says why, and the worker goes on. */
static void what_is_no_task_is_parked(void **state)
{
    (void)state;
    static const char    all[]  = "0123456789abcdef0123456789abcdef";
    static const uint8_t id[16] = {1, 2};
    static const uint8_t two[]  = {0x0A, 2, 3, 3, 0x12, 2, 12, 14, 0x38, 2}; /* (6, 7) */
    static uint8_t       large[100000];
    uint8_t              body[MOST];
    world                w;
    world_init(&w, "");
    w.f.broker                = world_worker(&w, "max_body_bytes=2000");
    amqp_connection_state_t c = plain_open(&w);
    /* the queue of a delay is there when something has been delayed */
    patio_call_options soon = {PATIO_SIZED(patio_call_options), .delay_ms = 60};
    assert_ok(patio_send(w.f.broker, "count", PATIO_NO_ARGS, &soon, NULL, &w.f.err), w.f.err);
    AWAIT(atomic_load(&runs) == 1);
    enum { BOTH = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG };
    const amqp_bytes_t      digits  = amqp_cstring_bytes(all);
    const amqp_bytes_t      mul     = amqp_cstring_bytes("mul");
    amqp_basic_properties_t none    = {._flags = 0};
    amqp_basic_properties_t no_type = {._flags = AMQP_BASIC_MESSAGE_ID_FLAG, .message_id = digits};
    amqp_basic_properties_t no_id   = {._flags = AMQP_BASIC_TYPE_FLAG, .type = mul};
    amqp_basic_properties_t ugly    = {
           ._flags = BOTH, .message_id = digits, .type = amqp_cstring_bytes("m\x1b[31m")};
    amqp_basic_properties_t bad_id = {
        ._flags = BOTH, .message_id = amqp_cstring_bytes("no number"), .type = mul};
    amqp_basic_properties_t good  = {._flags = BOTH, .message_id = digits, .type = mul};
    amqp_basic_properties_t other = {._flags = BOTH,
                                     .message_id =
                                         amqp_cstring_bytes("00112233445566778899aabbccddeeff"),
                                     .type = mul};
    const struct {
        amqp_basic_properties_t *p;
        const char              *suffix; /* of the queue it is put into */
        const void              *body;
        size_t                   size;
        const char              *death;
    } bad[] = {
        {&none, "", "\xFF", 1, "undecodable: it is no task: it has neither a message_id"},
        {&no_type, "", "\xFF", 1, "undecodable: it names no task (property type)\n"},
        {&no_id, "", "\xFF", 1, "undecodable: it has no message_id of 32 hexadecimal digits\n"},
        {&bad_id, "", "\xFF", 1, "undecodable: it has no message_id of 32 hexadecimal digits\n"},
        {&ugly, "", "\xFF", 1, "undecodable: the name of its task has control characters\n"},
        {&good, "", large, sizeof(large), "undecodable: its body is larger than max_body_bytes\n"},
        /* by way of a delay: that this ended is not why it is dead */
        {&none, ":delay:100", "\xFF", 1, "undecodable: it is no task: it has neither a message_id"},
        /* put there by somebody else */
        {&none, ":dead", "\xFF", 1, "undecodable: it is no task: it has neither a message_id"},
        /* what is wrong within the envelope is found when it is decoded */
        {&good, "", "\xFF\xFF\xFF", 3, "undecodable: 3 bytes are not "},
        {&other, "", body, envelope(body, 1, id, "mul", "elsewhere", two, sizeof(two)),
         "undecodable: a task of project \"elsewhere\" came to a worker"},
    };
    uint32_t count = sizeof(bad) / sizeof(bad[0]);
    for (uint32_t i = 0; i < count; i++) {
        plain_publish(c, queue_name(&w, bad[i].suffix), bad[i].p, bad[i].body, bad[i].size);
    }
    AWAIT(plain_count(c, queue_name(&w, ":dead")) == count);
    const char *deaths = deaths_of(&w);
    for (uint32_t i = 0; i < count; i++) {
        assert_contains(deaths, bad[i].death);
    }
    int64_t got = 0;
    assert_ok(call_mul(w.f.broker, 6, 7, &got, &w.f.err), w.f.err);
    assert_int_equal(got, 42);
    /* those without an id are shown and dropped under one of zeros; work is no place for any */
    const patio_id zeros = {{0}};
    uint64_t       gone  = 0;
    assert_ok(patio_dead_drop(w.f.broker, NULL, &zeros, 5000, &gone, &w.f.err), w.f.err);
    assert_int_equal(gone, 1);
    assert_int_equal(plain_count(c, queue_name(&w, ":dead")), count - 1);
    plain_close(c);
    world_close(&w);
}

/* What the broker itself has moved says so, and from where: of its last death, not of its first. */
static void what_the_broker_moves_says_why(void **state)
{
    (void)state;
    world w;
    world_init(&w, "?queue_type=quorum&delivery_limit=1");
    w.f.broker                = world_caller(&w);
    amqp_connection_state_t c = plain_open(&w);
    amqp_message_t          m;
    patio_call_options      soon = {PATIO_SIZED(patio_call_options), .delay_ms = 60};
    assert_ok(patio_send(w.f.broker, "x", PATIO_NO_ARGS, &soon, NULL, &w.f.err), w.f.err);
    for (int i = 0; i < 2; i++) {
        uint64_t tag = plain_get(c, queue_name(&w, ""), &m);
        assert_true(tag != 0);
        amqp_destroy_message(&m);
        assert_int_equal(amqp_basic_reject(c, 1, tag, true), AMQP_STATUS_OK);
    }
    AWAIT(counts_of(w.f.broker, NULL).dead == 1);
    assert_contains(deaths_of(&w), "crashes: nobody has settled it as often as queue patio:");
    /* another consumer than ours says no */
    assert_ok(patio_send(w.f.broker, "x", PATIO_NO_ARGS, NULL, NULL, &w.f.err), w.f.err);
    uint64_t tag = plain_get(c, queue_name(&w, ""), &m);
    assert_true(tag != 0);
    amqp_destroy_message(&m);
    assert_int_equal(amqp_basic_reject(c, 1, tag, false), AMQP_STATUS_OK);
    AWAIT(counts_of(w.f.broker, NULL).dead == 2);
    assert_contains(deaths_of(&w), "refused: a consumer rejected it from queue patio:");
    plain_close(c);
    world_close(&w);
}

/* An operator's policy throws the oldest out of a full queue. */
static void what_a_policy_drops_says_so(void **state)
{
    (void)state;
    char  words[512];
    world w;
    world_init(&w, "");
    w.f.broker = world_caller(&w);
    (void)snprintf(words, sizeof(words),
                   "set_policy --apply-to queues %s '^%s$' '{\"max-length\":1}'", w.project,
                   queue_name(&w, ""));
    broker_ctl(words);
    for (int i = 0; i < 2; i++) {
        assert_ok(patio_send(w.f.broker, "x", PATIO_NO_ARGS, NULL, NULL, &w.f.err), w.f.err);
    }
    AWAIT(counts_of(w.f.broker, NULL).dead == 1);
    assert_contains(deaths_of(&w), "refused: it was the oldest in queue patio:");
    (void)snprintf(words, sizeof(words), "clear_policy %s", w.project);
    broker_ctl(words);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_client_calls),
        cmocka_unit_test(a_reply_is_as_durable_as_is_asked),
        cmocka_unit_test(a_reply_that_is_refused_is_given_up),
        cmocka_unit_test(a_plain_client_executes),
        cmocka_unit_test(what_is_no_task_is_parked),
        cmocka_unit_test(what_the_broker_moves_says_why),
        cmocka_unit_test(what_a_policy_drops_says_so),
    };
    return RUN_TESTS("amqp: plain clients", tests);
}
