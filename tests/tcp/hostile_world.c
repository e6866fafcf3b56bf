#include "hostile_world.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GROWTH_BYTES = 96 * 1024 * 1024 }; /* a sanitizer keeps what was freed for a while */

char          path[64];
char          urls[2][160];
pid_t         worker;
patio_broker *honest;
uint8_t       body[FRAME_BODY_MAX + 64];

void serve(const char *options)
{
    char        url[256];
    char        own[256];
    patio_error err = PATIO_ERROR_INIT;
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?%s", path, options);
    (void)snprintf(own, sizeof(own), "unix://%s?key=" KEY, path);
    worker = worker_begin((const char *const[]){url, NULL});
    int fd = raw_connect(path);
    (void)close(fd);
    if (patio_broker_open(NULL, own, &honest, &err) != PATIO_OK ||
        patio_broker_start(honest, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
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

int end_service(void **state)
{
    (void)state;
    patio_broker_destroy(honest);
    honest = NULL;
    if (worker > 0) {
        worker_end(worker);
    }
    worker = 0;
    return 0;
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
