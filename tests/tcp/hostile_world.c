#include "hostile_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay.h"

place         site;
pid_t         worker;
patio_broker *honest;
const char   *key;
uint8_t       body[FRAME_BODY_MAX + 64];

static pid_t    relay;
static uint16_t relay_port;

void serve(const char *scheme, const char *options)
{
    static const relay_ends inside = {.tls_out = true};
    char                    listens[200];
    bool                    tls = strcmp(scheme, "tls") == 0;
    key                         = tls ? "" : "open-sesame";
    (void)snprintf(listens, sizeof(listens), "%s%s%s%s", tls ? "" : "key=", key,
                   tls || options[0] == '\0' ? "" : "&", options);
    place_make(&site, scheme, listens, tls ? "" : "key=open-sesame");
    worker = worker_begin((const char *const[]){site.listen_url, NULL});
    (void)close(stranger()); /* it listens */
    if (tls) {
        relay = relay_begin(&inside, site.port, &relay_port);
    }
    honest = open_quiet_broker(NULL, site.connect_url, "1");
    assert_non_null(honest);
}

int end_service(void **state)
{
    (void)state;
    patio_broker_destroy(honest);
    honest = NULL;
    if (relay > 0) {
        relay_end(relay);
    }
    if (worker > 0) {
        worker_end(worker);
    }
    relay  = 0;
    worker = 0;
    return 0;
}

int stranger(void)
{
    return site.path[0] != '\0' ? raw_connect(site.path) : raw_connect_port(site.port);
}

int insider(void)
{
    return raw_prove(relay > 0 ? raw_connect_port(relay_port) : stranger(), key, NULL);
}

void expect_service(void)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 5000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    patio_status       st      = patio_call(honest, "mul", PATIO_ARGS(6, 7), &options, &f, &err);
    if (st != PATIO_OK || patio_future_value(f)->as.i64 != 42) {
        fail_msg("the honest peer is not served: %s", err.message);
    }
    patio_future_destroy(f);
}

void expect_alive(uint64_t before)
{
    expect_service();
    assert_int_equal(waitpid(worker, NULL, WNOHANG), 0);
    uint64_t now = worker_resident_bytes(worker);
    if (now > before + GROWTH_BYTES) {
        fail_msg("the worker has grown by %llu KiB", (unsigned long long)(now - before) / 1024);
    }
}
