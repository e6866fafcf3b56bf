/* ours.c: what floor.c measures, through patio: the same verbs, the same numbers, the same hops.
 *
 *   patio-ours-amqp PORT call DEPTH COUNT      calls, the worker is a child
 *   patio-ours-amqp PORT send WINDOW COUNT     sends, no worker is there
 *   patio-ours-amqp PORT drain PREFETCH COUNT  execute what `send` left
 *
 * Prints one JSON object, as floor.c does. */
#include <patio/patio.h>

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure_amqp.h"

enum { BODY = 100, DEPTH_MOST = 4096, READY_MS = 20000 };

static uint8_t body[BODY];

/* Of the process that executes. */
static _Atomic long ran;
static _Atomic long wanted;
static double       first_s;
static double       first_cpu_s;
static double       last_s;
static double       last_cpu_s;
static sem_t        all_ran; /* waited for asleep: a look now and then would be counted, too */

static void check(patio_status st, const patio_error *err, const char *what)
{
    if (st != PATIO_OK) {
        (void)fprintf(stderr, "patio-ours-amqp: %s: %s: %s\n", what, patio_status_name(st),
                      err->message);
        exit(1);
    }
}

static patio_status echo(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    long         n  = atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed) + 1;
    if (n == 1) { /* one thread runs them all */
        first_s     = now_s();
        first_cpu_s = cpu_s(getpid());
    }
    if (n == atomic_load_explicit(&wanted, memory_order_relaxed)) {
        last_s     = now_s();
        last_cpu_s = cpu_s(getpid());
        (void)sem_post(&all_ran);
    }
    return st == PATIO_OK ? patio_return(ctx, patio_blob(bytes.data, bytes.size)) : st;
}

/* Its credit is `prefetch`; 0: it only calls. */
static patio_broker *open_broker(long port, long prefetch)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_broker   *broker   = NULL;
    patio_registry *registry = NULL;
    patio_config   *config   = NULL;
    char            url[64];
    char            ahead[24];
    (void)snprintf(url, sizeof(url), "amqp://127.0.0.1:%ld", port);
    (void)snprintf(ahead, sizeof(ahead), "%ld", prefetch > 0 ? prefetch - 1 : 0);
    check(patio_config_create(&config, &err), &err, "configuration");
    check(patio_config_set(config, "broker", url, "bench", &err), &err, url);
    check(patio_config_set(config, "project", "ours", "bench", &err), &err, "project");
    if (prefetch > 0) {
        check(patio_config_set(config, "executor.workers", "1", "bench", &err), &err, "workers");
        check(patio_config_set(config, "lookahead", ahead, "bench", &err), &err, "lookahead");
        patio_registry_options named = {PATIO_SIZED(patio_registry_options), .project = "ours"};
        check(patio_registry_create(&named, &registry, &err), &err, "registry");
        check(PATIO_ADD_AS(registry, "echo", echo, &err), &err, "echo");
    }
    check(patio_broker_create(NULL, registry, config, &broker, &err), &err, "broker");
    check(patio_broker_start(broker, &err), &err, "start");
    patio_config_destroy(config);
    return broker;
}

/* ---- calls ---- */

typedef struct one_call {
    patio_future  *future;
    double         begun_s;
    _Atomic double done_s; /* 0: not yet; its callback may come a moment after its waiter */
} one_call;

static void call_done(patio_future *future, void *arg)
{
    one_call *one = arg;
    (void)future;
    atomic_store(&one->done_s, now_s());
}

static void end_call(one_call *one)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_future_wait(one->future, PATIO_FOREVER);
    check(patio_future_status(one->future, &err), &err, "call");
    patio_future_destroy(one->future);
    one->future = NULL;
}

static double calls(patio_broker *b, long depth, long count, double *took)
{
    static one_call    ring[DEPTH_MOST];
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    double             from    = now_s();
    for (long n = 0; n < count + depth; n++) {
        one_call *one = &ring[n % depth];
        if (one->future != NULL) {
            end_call(one);
            /* alone, the waiting thread's wake-up is a part; in a stream, the order of waiting is
             * not */
            double done_s   = atomic_load(&one->done_s);
            took[n - depth] = (done_s > 0 ? done_s : now_s()) - one->begun_s;
        }
        if (n < count) {
            options.on_done     = depth == 1 ? NULL : call_done;
            options.on_done_arg = one;
            atomic_store(&one->done_s, 0);
            one->begun_s = now_s();
            check(patio_start(b, "echo", PATIO_ARGS(patio_blob(body, sizeof(body))), &options,
                              &one->future, &err),
                  &err, "call");
        }
    }
    return now_s() - from;
}

static void call(long port, long depth, long count)
{
    pid_t child = fork(); /* before there is a thread */
    if (child == 0) {
        patio_broker *worker = open_broker(port, depth);
        (void)worker;
        for (;;) {
            (void)pause();
        }
    }
    double       *took   = calloc((size_t)count, sizeof(*took));
    patio_broker *caller = open_broker(port, 0);
    (void)calls(caller, depth, count / 10, took);
    double cpu    = cpu_s(getpid());
    double theirs = cpu_s(child);
    double all    = calls(caller, depth, count, took);
    cpu           = cpu_s(getpid()) - cpu;
    theirs        = cpu_s(child) - theirs;
    report_calls(depth, count, all, took, cpu, theirs);
    end_child(child);
    patio_broker_destroy(caller);
    free(took);
}

/* ---- sends and what they left ---- */

static void send_all(long port, long window, long count)
{
    static patio_future *ring[DEPTH_MOST];
    patio_error          err    = PATIO_ERROR_INIT;
    patio_broker        *caller = open_broker(port, 0);
    double               from   = now_s();
    double               cpu    = cpu_s(getpid());
    for (long n = 0; n < count + window; n++) {
        patio_future **f = &ring[n % window];
        if (*f != NULL) {
            (void)patio_future_wait(*f, PATIO_FOREVER);
            check(patio_future_status(*f, &err), &err, "send");
            patio_future_destroy(*f);
            *f = NULL;
        }
        if (n < count) {
            check(patio_send_start(caller, "echo", PATIO_ARGS(patio_blob(body, sizeof(body))), NULL,
                                   f, &err),
                  &err, "send");
        }
    }
    report("send", window, count, now_s() - from, cpu_s(getpid()) - cpu);
    patio_broker_destroy(caller);
}

static void drain(long port, long prefetch, long count)
{
    (void)sem_init(&all_ran, 0, 0);
    atomic_store(&wanted, count);
    patio_broker *worker = open_broker(port, prefetch);
    while (sem_wait(&all_ran) != 0) {
    }
    report("drain", prefetch, count, last_s - first_s, last_cpu_s - first_cpu_s);
    patio_broker_destroy(worker);
}

int main(int argc, char **argv)
{
    measurement m = arguments(argc, argv, DEPTH_MOST);
    if (strcmp(m.verb, "call") == 0) {
        call(m.port, m.depth, m.count);
    } else if (strcmp(m.verb, "send") == 0) {
        send_all(m.port, m.depth, m.count);
    } else {
        drain(m.port, m.depth, m.count);
    }
    return 0;
}
