#include "limits_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

patio_broker *honest;
uint16_t      port;
pid_t         worker;

static patio_broker *server;
static uint8_t       body[FRAME_BODY_MAX];

static patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &b) : st;
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

patio_broker *open_broker(patio_registry *registry, const char *url)
{
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    if (patio_broker_open(registry, url, &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        fail_msg("%s: %s", url, err.message);
    }
    return broker;
}

void serve(patio_registry **registry, const char *options)
{
    char        url[160];
    char        own[80];
    char        at[80];
    patio_error err = PATIO_ERROR_INIT;
    assert_int_equal(patio_registry_create(NULL, registry, &err), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(*registry, "add", add, &err), PATIO_OK);
    (void)snprintf(url, sizeof(url), "tcp+listen://127.0.0.1:0?%s", options);
    server = open_broker(*registry, url);
    assert_int_equal(patio_broker_address(server, 0, at, sizeof(at), &err), PATIO_OK);
    port = (uint16_t)strtoul(strrchr(at, ':') + 1, NULL, 10);
    (void)snprintf(own, sizeof(own), "tcp://127.0.0.1:%u", port);
    honest = open_broker(NULL, own);
}

void expect_service(const char *task)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    if (patio_call(honest, task, PATIO_ARGS(6, 7), &options, &f, &err) != PATIO_OK) {
        fail_msg("the honest peer is not served: %s", err.message);
    }
    patio_future_destroy(f);
}

int end_all(void **state)
{
    (void)state;
    patio_broker_destroy(honest);
    patio_broker_destroy(server);
    honest = NULL;
    server = NULL;
    if (worker > 0) {
        worker_end(worker);
    }
    worker = 0;
    return 0;
}

int answer_to(int fd)
{
    uint8_t      hello[FRAME_HELLO_BYTES];
    frame_header h = {0};
    raw_hello(hello, "", 1);
    (void)raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello));
    if (!raw_read(fd, &h, body)) {
        return GOODBYE_STOPPED;
    }
    return h.type == FRAME_HELLO ? -1 : (int)h.id;
}

int knock(const char *from)
{
    int fd  = raw_connect_from(from, port);
    int how = fd >= 0 ? answer_to(fd) : GOODBYE_STOPPED;
    (void)close(fd);
    return how;
}

void expect_let_in(const char *from)
{
    int how = knock(from);
    for (int i = 0; i < TRIES && how != -1; i++) {
        usleep(50 * 1000);
        how = knock(from);
    }
    assert_int_equal(how, -1);
}
