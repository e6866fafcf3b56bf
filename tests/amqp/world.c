#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <amqp_tcp_socket.h>

static unsigned worlds;

static unsigned server_port(void)
{
    const char *folder = getenv("PATIO_AMQP_SERVER");
    char        path[512];
    unsigned    port = 0;
    assert_non_null(folder);
    (void)snprintf(path, sizeof(path), "%s/env", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "port=%u", &port), 1);
    (void)fclose(file);
    return port;
}

void world_init(world *w, const char *options)
{
    fixture_init(&w->f);
    (void)snprintf(w->project, sizeof(w->project), "t%d-%u", (int)getpid(), ++worlds);
    (void)snprintf(w->project_setting, sizeof(w->project_setting), "project=%s", w->project);
    (void)snprintf(w->url, sizeof(w->url), "broker=amqp://127.0.0.1:%u/%s", server_port(), options);
    /* a registry of this project instead of the fixture's */
    patio_registry_destroy(w->f.registry);
    patio_registry_options named = {PATIO_SIZED(patio_registry_options), .project = w->project};
    assert_ok(patio_registry_create(&named, &w->f.registry, &w->f.err), w->f.err);
    add_common_tasks(w->f.registry);
}

patio_broker *world_worker(world *w, const char *setting)
{
    return start_broker(&w->f, w->f.registry,
                        SETTINGS(w->url, w->project_setting, "executor.workers=2",
                                 setting != NULL ? setting : "lookahead=0"));
}

patio_broker *world_caller(world *w)
{
    return start_broker(&w->f, NULL, SETTINGS(w->url, w->project_setting));
}

void close_broker(patio_broker *broker)
{
    (void)patio_broker_stop(broker, 10000, NULL);
    patio_broker_destroy(broker);
}

void broker_ctl(const char *words)
{
    char command[1024];
    (void)snprintf(command, sizeof(command), "bash %s ctl %s %s >/dev/null",
                   getenv("PATIO_RABBITMQ"), getenv("PATIO_AMQP_SERVER"), words);
    assert_int_equal(system(command), 0); /* NOLINT: a fixed command of the test's */
}

const char *queue_name(const world *w, const char *suffix)
{
    static char name[256];
    (void)snprintf(name, sizeof(name), "patio:%s:default%s", w->project, suffix);
    return name;
}

void world_close(world *w)
{
    amqp_connection_state_t c = plain_open(w);
    if (w->f.broker != NULL) {
        close_broker(w->f.broker);
        w->f.broker = NULL;
    }
    static const char *const suffixes[] = {"", ":dead", ":delay:100", ":delay:160", ":delay:1000"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        amqp_queue_delete(c, 1, amqp_cstring_bytes(queue_name(w, suffixes[i])), 0, 0);
    }
    plain_close(c);
    fixture_close(&w->f);
}

patio_status call_mul(patio_broker *broker, int64_t a, int64_t b, int64_t *out, patio_error *err)
{
    patio_future *f  = NULL;
    patio_status  st = patio_call(broker, "mul", PATIO_ARGS(a, b), NULL, &f, err);
    if (st == PATIO_OK) {
        assert_int_equal(patio_value_get_int64(patio_future_value(f), out), PATIO_OK);
    }
    patio_future_destroy(f);
    return st;
}

/* ---- the plain client ---- */

amqp_connection_state_t plain_open(const world *w)
{
    (void)w;
    amqp_connection_state_t c      = amqp_new_connection();
    amqp_socket_t          *socket = amqp_tcp_socket_new(c);
    assert_non_null(socket);
    assert_int_equal(amqp_socket_open(socket, "127.0.0.1", (int)server_port()), 0);
    amqp_rpc_reply_t r = amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
    assert_non_null(amqp_channel_open(c, 1));
    return c;
}

void plain_close(amqp_connection_state_t c)
{
    (void)amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(c);
}

void plain_publish(amqp_connection_state_t c, const char *queue, amqp_basic_properties_t *p,
                   const void *body, size_t size)
{
    union {
        const void *in;
        void       *out;
    } data = {.in = body};
    assert_int_equal(amqp_basic_publish(c, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0, p,
                                        (amqp_bytes_t){.len = size, .bytes = data.out}),
                     AMQP_STATUS_OK);
}

uint64_t plain_get(amqp_connection_state_t c, const char *queue, amqp_message_t *out)
{
    for (uint64_t until = test_now_ms() + 20000; test_now_ms() < until; test_pause()) {
        amqp_rpc_reply_t r = amqp_basic_get(c, 1, amqp_cstring_bytes(queue), 0);
        assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
        if (r.reply.id == AMQP_BASIC_GET_OK_METHOD) {
            uint64_t tag = ((const amqp_basic_get_ok_t *)r.reply.decoded)->delivery_tag;
            assert_int_equal(amqp_read_message(c, 1, out, 0).reply_type, AMQP_RESPONSE_NORMAL);
            return tag;
        }
    }
    return 0;
}

uint32_t plain_count(amqp_connection_state_t c, const char *queue)
{
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(c, 1, amqp_cstring_bytes(queue), 1, 1, 0, 0, amqp_empty_table);
    if (ok == NULL) {
        fail_msg("no queue %s", queue);
        return 0;
    }
    return ok->message_count;
}
