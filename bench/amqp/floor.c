/* floor.c: what RabbitMQ and librabbitmq do without a task framework: the hops that patio makes,
 * and nothing else.
 *
 *   patio-floor-amqp PORT call DEPTH COUNT      request and reply, the worker is a child
 *   patio-floor-amqp PORT send WINDOW COUNT     persistent publishes, confirms pipelined
 *   patio-floor-amqp PORT drain PREFETCH COUNT  consume and acknowledge each (what `send` left)
 *
 * Prints one JSON object: per second, p50 and p99 in µs, CPU µs per message of this process and of
 * the worker. */
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure_amqp.h"

enum { BODY = 200, DEPTH_MOST = 4096 };

static const char work_queue[] = "floor-amqp";

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "patio-floor-amqp: %s failed\n", what);
        exit(1);
    }
}

static amqp_connection_state_t open_link(int port)
{
    amqp_connection_state_t c = amqp_new_connection();
    must(amqp_socket_open(amqp_tcp_socket_new(c), "127.0.0.1", port) == 0, "connect");
    must(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type ==
             AMQP_RESPONSE_NORMAL,
         "login");
    must(amqp_channel_open(c, 1) != NULL, "channel");
    return c;
}

static void publish(amqp_connection_state_t c, const char *queue, const char *reply_to, uint64_t n,
                    bool persistent)
{
    char                    id[33];
    char                    body[BODY] = {0};
    amqp_basic_properties_t p          = {0};
    (void)snprintf(id, sizeof(id), "%032llx", (unsigned long long)n);
    p._flags =
        AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
    p.message_id     = amqp_cstring_bytes(id);
    p.correlation_id = p.message_id;
    p.delivery_mode  = persistent ? 2 : 1;
    if (reply_to != NULL) {
        p._flags |= AMQP_BASIC_REPLY_TO_FLAG;
        p.reply_to = amqp_cstring_bytes(reply_to);
    }
    must(amqp_basic_publish(c, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0, &p,
                            (amqp_bytes_t){sizeof(body), body}) == 0,
         "publish");
}

/* The next frame; a body's last one ends a message. Confirms are counted beside. */
typedef struct pump {
    uint64_t confirmed; /* up to */
    uint64_t tag;
    uint64_t left;
    uint64_t id;
    char     reply_to[256];
} pump;

static bool next(amqp_connection_state_t c, pump *p)
{
    amqp_frame_t f;
    amqp_maybe_release_buffers(c);
    must(amqp_simple_wait_frame(c, &f) == 0, "read");
    if (f.frame_type == AMQP_FRAME_METHOD && f.payload.method.id == AMQP_BASIC_ACK_METHOD) {
        p->confirmed = ((amqp_basic_ack_t *)f.payload.method.decoded)->delivery_tag;
    } else if (f.frame_type == AMQP_FRAME_METHOD &&
               f.payload.method.id == AMQP_BASIC_DELIVER_METHOD) {
        p->tag = ((amqp_basic_deliver_t *)f.payload.method.decoded)->delivery_tag;
    } else if (f.frame_type == AMQP_FRAME_HEADER) {
        amqp_basic_properties_t *props = f.payload.properties.decoded;
        char                     id[33];
        p->left        = f.payload.properties.body_size;
        p->reply_to[0] = '\0';
        memcpy(id, props->message_id.bytes, 32);
        id[32] = '\0';
        p->id  = strtoull(id + 16, NULL, 16);
        if ((props->_flags & AMQP_BASIC_REPLY_TO_FLAG) != 0) {
            memcpy(p->reply_to, props->reply_to.bytes, props->reply_to.len);
            p->reply_to[props->reply_to.len] = '\0';
        }
        return p->left == 0;
    } else if (f.frame_type == AMQP_FRAME_BODY) {
        p->left -= f.payload.body_fragment.len;
        return p->left == 0;
    }
    return false;
}

static bool is_ready(amqp_connection_state_t c)
{
    struct pollfd fd = {.fd = amqp_get_sockfd(c), .events = POLLIN};
    return amqp_frames_enqueued(c) || amqp_data_in_buffer(c) || poll(&fd, 1, 0) > 0;
}

static void declare(amqp_connection_state_t c)
{
    amqp_table_entry_t e[1] = {{.key   = amqp_cstring_bytes("x-max-priority"),
                                .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = 9}}};
    must(amqp_queue_declare(c, 1, amqp_cstring_bytes(work_queue), 0, 1, 0, 0,
                            (amqp_table_t){1, e}) != NULL,
         "declare");
}

/* Reply first, acknowledge when the reply is confirmed: on two connections, as patio does. */
static void worker(int port, int prefetch)
{
    static uint64_t         tags[DEPTH_MOST];
    amqp_connection_state_t in    = open_link(port);
    amqp_connection_state_t out   = open_link(port);
    pump                    from  = {0};
    pump                    conf  = {0};
    uint64_t                sent  = 0;
    uint64_t                acked = 0;
    amqp_confirm_select(out, 1);
    amqp_basic_qos(in, 1, 0, (uint16_t)prefetch, 0);
    amqp_basic_consume(in, 1, amqp_cstring_bytes(work_queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    for (;;) {
        while (!next(in, &from)) {
        }
        publish(out, from.reply_to, NULL, from.id, false); /* a reply is in memory, as ours is */
        tags[++sent % (uint64_t)prefetch] = from.tag;
        do {
            bool full = sent - acked == (uint64_t)prefetch;
            if (!full && !is_ready(out)) {
                break;
            }
            (void)next(out, &conf);
            while (acked < conf.confirmed) {
                amqp_basic_ack(in, 1, tags[++acked % (uint64_t)prefetch], 0);
            }
        } while (true);
    }
}

static double calls(amqp_connection_state_t c, const char *reply, int depth, long count,
                    double *took)
{
    static double begun[DEPTH_MOST];
    long          sent = 0;
    long          got  = 0;
    pump          p    = {0};
    double        from = now_s();
    while (got < count) {
        while (sent < count && sent - got < depth) {
            begun[sent % depth] = now_s();
            publish(c, work_queue, reply, (uint64_t)sent++, true);
        }
        if (next(c, &p)) {
            took[got++] = now_s() - begun[p.id % (uint64_t)depth];
            amqp_basic_ack(c, 1, p.tag, 0);
        }
    }
    return now_s() - from;
}

static void call(int port, int depth, long count)
{
    amqp_connection_state_t c = open_link(port);
    declare(c);
    pid_t child = fork();
    if (child == 0) {
        worker(port, depth);
    }
    amqp_queue_declare_ok_t *own =
        amqp_queue_declare(c, 1, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
    must(own != NULL, "declare");
    char reply[256];
    (void)snprintf(reply, sizeof(reply), "%.*s", (int)own->queue.len, (char *)own->queue.bytes);
    amqp_confirm_select(c, 1);
    amqp_basic_consume(c, 1, amqp_cstring_bytes(reply), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    double *took = calloc((size_t)count, sizeof(*took));
    (void)calls(c, reply, depth, count / 10, took);
    double cpu    = cpu_s(getpid());
    double theirs = cpu_s(child);
    double all    = calls(c, reply, depth, count, took);
    cpu           = cpu_s(getpid()) - cpu;
    theirs        = cpu_s(child) - theirs;
    report_calls(depth, count, all, took, cpu, theirs);
    end_child(child);
}

static void send_all(int port, int window, long count)
{
    amqp_connection_state_t c = open_link(port);
    declare(c);
    amqp_confirm_select(c, 1);
    pump   p    = {0};
    double from = now_s();
    double cpu  = cpu_s(getpid());
    for (long sent = 0; p.confirmed < (uint64_t)count;) {
        while (sent < count && (uint64_t)sent - p.confirmed < (uint64_t)window) {
            publish(c, work_queue, NULL, (uint64_t)sent++, true);
        }
        (void)next(c, &p);
    }
    report("send", window, count, now_s() - from, cpu_s(getpid()) - cpu);
}

static void drain(int port, int prefetch, long count)
{
    amqp_connection_state_t c = open_link(port);
    declare(c);
    amqp_basic_qos(c, 1, 0, (uint16_t)prefetch, 0);
    double cpu  = cpu_s(getpid());
    double from = 0;
    amqp_basic_consume(c, 1, amqp_cstring_bytes(work_queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    pump p = {0};
    for (long got = 0; got < count;) {
        if (next(c, &p)) {
            from = got == 0 ? now_s() : from;
            amqp_basic_ack(c, 1, p.tag, 0);
            got++;
        }
    }
    report("drain", prefetch, count, now_s() - from, cpu_s(getpid()) - cpu);
}

int main(int argc, char **argv)
{
    measurement m = arguments(argc, argv, DEPTH_MOST);
    if (strcmp(m.verb, "call") == 0) {
        call((int)m.port, (int)m.depth, m.count);
    } else if (strcmp(m.verb, "send") == 0) {
        send_all((int)m.port, (int)m.depth, m.count);
    } else {
        drain((int)m.port, (int)m.depth, m.count);
    }
    return 0;
}
