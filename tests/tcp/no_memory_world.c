#include "no_memory_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tcp_world.h"

static _Atomic uint32_t notes[NOTES];
static _Atomic uint32_t waiting;
static char             about[120];
static bool             may_time_out;

void set_about(const char *text)
{
    (void)snprintf(about, sizeof(about), "%s", text);
}

void allow_timeouts(bool allowed)
{
    may_time_out = allowed;
}

void give_up(const char *text)
{
    fail_msg("%s: %s", about, text);
}

/* ---- tasks ---- */

static patio_status note(patio_context *ctx)
{
    int64_t      number = 0;
    patio_status st     = patio_arg_int64(ctx, 0, &number);
    if (st != PATIO_OK) {
        return st;
    }
    atomic_fetch_add(&notes[number], 1);
    return PATIO_RETURN(ctx, number);
}

static patio_status same(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    return st == PATIO_OK ? patio_return(ctx, patio_blob(bytes.data, bytes.size)) : st;
}

static patio_status broken(patio_context *ctx)
{
    char text[2000]; /* its cause has no room in a small frame */
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    return patio_task_fail(ctx, 7, "Broken", "%s", text);
}

static patio_status wait(patio_context *ctx)
{
    atomic_fetch_add(&waiting, 1);
    while (!patio_task_cancelled(ctx)) {
        usleep(200);
    }
    atomic_fetch_sub(&waiting, 1);
    return PATIO_OK;
}

uint32_t notes_of(int64_t number)
{
    return atomic_load(&notes[number]);
}

void forget_notes(void)
{
    for (size_t i = 0; i < NOTES; i++) {
        atomic_store(&notes[i], 0);
    }
}

uint32_t waits(void)
{
    return atomic_load(&waiting);
}

void expect_clean(patio_status st, const patio_error *err, const char *what)
{
    switch (st == PATIO_TIMEOUT && may_time_out ? PATIO_OK : st) {
    case PATIO_OK:
    case PATIO_NO_MEMORY:
    case PATIO_TOO_LARGE: /* for the memory there is */
    case PATIO_PROTOCOL:  /* beyond memory and broken look the same to a decoder */
    case PATIO_FULL:
    case PATIO_PEER_LOST:
    case PATIO_NO_ROUTE:
    case PATIO_UNREACHABLE:
    case PATIO_TASK_FAILED:
        if (getenv("NO_MEMORY_TELLS") != NULL && st != PATIO_OK && st != PATIO_TASK_FAILED) {
            print_message("%s: %s: %s: %.150s\n", about, what, patio_status_name(st), err->message);
        }
        return;
    default:
        fail_msg("%s: %s ended as %s: %s", about, what, patio_status_name(st), err->message);
    }
}

/* ---- brokers ---- */

typedef struct named {
    const char   *name;
    patio_task_fn fn;
} named;

static void make_half(half *h, const char *name, const char *url, const named *tasks, size_t count)
{
    patio_error       err           = PATIO_ERROR_INIT;
    const char *const settings[][2] = {
        {"broker", url}, {"log.level", "off"}, {"executor.workers", "2"}};
    *h = (half){.name = name};
    failing_alloc_init(&h->memory, 0);
    assert_int_equal(patio_registry_create(NULL, &h->registry, &err), PATIO_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(PATIO_ADD_AS(h->registry, tasks[i].name, tasks[i].fn, &err), PATIO_OK);
    }
    assert_int_equal(patio_config_create(&h->config, &err), PATIO_OK);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        assert_int_equal(patio_config_set(h->config, settings[i][0], settings[i][1], "test", &err),
                         PATIO_OK);
    }
}

/* With everything: certificates on both sides, and a list of who is let in. */
static void add_trust(char listens[URL_ROOM], char connects[URL_ROOM])
{
    char        path[80];
    const char *certs = certificates();
    (void)snprintf(path, sizeof(path), "%s/allow", folder);
    FILE *list = fopen(path, "we");
    assert_non_null(list);
    assert_true(fputs("* * * operate\n", list) >= 0);
    assert_int_equal(fclose(list), 0);
    (void)snprintf(listens + strlen(listens), URL_ROOM - strlen(listens),
                   "&tls_client=required&tls_ca_file=%s/ca.crt&tls_allow_file=%s", certs, path);
    (void)snprintf(connects + strlen(connects), URL_ROOM - strlen(connects),
                   "&tls_cert_file=%s/client.crt&tls_key_file=%s/client.key", certs, certs);
}

void pair_make(pair *p, const char *scheme)
{
    char listens[URL_ROOM]  = "key=theirs";
    char connects[URL_ROOM] = "key=theirs&reconnect_min_ms=5&reconnect_max_ms=20";
    if (strcmp(scheme, "tls") == 0) {
        add_trust(listens, connects);
    }
    place_make(&p->where, scheme, listens, connects);
    static const named work[] = {
        {"note", note}, {"same", same}, {"broken", broken}, {"wait", wait}};
    static const named back[]  = {{"back", note}};
    static const named other[] = {{"other", note}};
    make_half(&p->worker, "worker", p->where.listen_url, work, sizeof(work) / sizeof(work[0]));
    make_half(&p->caller, "caller", p->where.connect_url, back, 1);
    make_half(&p->onlooker, "onlooker", p->where.connect_url, other, 1);
}

static void free_half(half *h)
{
    patio_config_destroy(h->config);
    patio_registry_destroy(h->registry);
}

void pair_free(pair *p)
{
    free_half(&p->worker);
    free_half(&p->caller);
    free_half(&p->onlooker);
}

static patio_status try_half(half *h, patio_error *err)
{
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options), .log_level = PATIO_LOG_OFF,
                                     .allocator = &h->memory.mem};
    patio_status          st      = patio_runtime_create(&options, &h->runtime, err);
    if (st == PATIO_OK) {
        st = patio_broker_create(h->runtime, h->registry, h->config, &h->broker, err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_start(h->broker, err);
    }
    if (st != PATIO_OK) {
        patio_broker_destroy(h->broker);
        patio_runtime_destroy(h->runtime);
        h->broker  = NULL;
        h->runtime = NULL;
        assert_int_equal(atomic_load(&h->memory.live), 0);
    }
    return st;
}

void half_begin(half *h)
{
    for (int i = 0; i < 100; i++) {
        patio_error  err = PATIO_ERROR_INIT;
        patio_status st  = try_half(h, &err);
        expect_clean(st, &err, "start");
        if (st == PATIO_OK) {
            return;
        }
    }
    give_up("it cannot be started");
}

void pair_begin(pair *p)
{
    half_begin(&p->worker);
    half_begin(&p->caller);
    half_begin(&p->onlooker);
}

void half_end(half *h)
{
    patio_error err = PATIO_ERROR_INIT;
    expect_clean(patio_broker_stop(h->broker, 60000, &err), &err, "stop");
    patio_broker_destroy(h->broker);
    patio_runtime_destroy(h->runtime);
    h->broker  = NULL;
    h->runtime = NULL;
    if (atomic_load(&h->memory.live) != 0) {
        fail_msg("%s: %zu blocks of the %s are left", about, atomic_load(&h->memory.live), h->name);
    }
}

void pair_end(pair *p)
{
    half_end(&p->onlooker);
    half_end(&p->caller);
    half_end(&p->worker);
}
