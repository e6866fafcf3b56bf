#include "impostor_world.h"

#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GROWTH_BYTES = 64 * 1024 * 1024, NO_HURRY_MS = 20000 };

place   own;
int     listening = -1;
uint8_t body[FRAME_BODY_MAX + 64];

static place    at;
static pid_t    worker;
static uint64_t before;

/* The honest one listens, and the worker does what it asks. */
static void expect_honest(void)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_broker      *honest  = open_quiet_broker(NULL, at.listen_url, "1");
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 10000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    assert_non_null(honest);
    if (patio_call(honest, "mul", PATIO_ARGS(6, 7), &options, &f, &err) != PATIO_OK) {
        fail_msg("the honest one is not served: %s", err.message);
    }
    assert_int_equal(patio_future_value(f)->as.i64, 42);
    patio_future_destroy(f);
    patio_broker_destroy(honest);
}

static int begin_with(const char *key, int handshake_ms)
{
    const char *with = key[0] != '\0' ? "key=" : "insecure=true";
    char        listens[32];
    char        connects[96];
    (void)snprintf(listens, sizeof(listens), "%s%s", with, key);
    (void)snprintf(connects, sizeof(connects),
                   "%s%s&handshake_ms=%d&reconnect_min_ms=1&reconnect_max_ms=5", with, key,
                   handshake_ms);
    place_make(&at, "unix", listens, connects);
    place_make(&own, "unix", listens, "");
    worker = worker_begin((const char *const[]){at.connect_url, own.listen_url, NULL});
    expect_honest();
    before    = worker_resident_bytes(worker);
    listening = raw_listen(at.path);
    return 0;
}

int begin(void **state)
{
    (void)state;
    return begin_with(IMPOSTOR_KEY, NO_HURRY_MS);
}

int begin_hasty(void **state)
{
    (void)state;
    return begin_with(IMPOSTOR_KEY, HANDSHAKE_MS);
}

int begin_keyless(void **state)
{
    (void)state;
    return begin_with("", NO_HURRY_MS);
}

int finish(void **state)
{
    (void)state;
    if (listening >= 0) {
        (void)close(listening);
        listening = -1;
    }
    worker_end(worker);
    return 0;
}

void expect_unharmed(void)
{
    (void)close(listening);
    listening = -1;
    (void)unlink(at.path);
    assert_int_equal(waitpid(worker, NULL, WNOHANG), 0);
    uint64_t now = worker_resident_bytes(worker);
    if (now > before + GROWTH_BYTES) {
        fail_msg("the worker has grown by %llu KiB", (unsigned long long)(now - before) / 1024);
    }
    expect_honest();
}

void expect_kept_out(int fd)
{
    if (!raw_kept_out(fd)) {
        fail_msg("the worker went on without the proof");
    }
    (void)close(fd);
}
