/* redis-ours: the same four measurements as redis-floor, through patio: caller and worker are two
 * brokers of one process. One JSON object on stdout.
 *
 *   redis-ours URL SECONDS */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <patio/patio.h>

enum { BODY = 100, DEEP = 256, SAMPLES = 200000 };

static _Atomic unsigned long ran;

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static patio_status echo(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
    return st == PATIO_OK ? patio_return(ctx, patio_blob(bytes.data, bytes.size)) : st;
}

static void check(patio_status st, const patio_error *err)
{
    if (st != PATIO_OK) {
        (void)fprintf(stderr, "redis-ours: %s: %s\n", patio_status_name(st), err->message);
        exit(1);
    }
}

static patio_broker *open_broker(patio_registry *registry, const char *url)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_broker *broker = NULL;
    check(patio_broker_open(registry, url, &broker, &err), &err);
    check(patio_broker_start(broker, &err), &err);
    return broker;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint8_t body[BODY];

static double calls(patio_broker *b, int deep, double seconds, double *p50)
{
    static double samples[SAMPLES];
    patio_future *ring[DEEP] = {NULL};
    patio_error   err        = PATIO_ERROR_INIT;
    size_t        count      = 0;
    unsigned long got        = 0;
    unsigned long sent       = 0;
    double        from       = now_us();
    double        end        = from + seconds * 1e6;
    while (now_us() < end || got < sent) {
        double         at = now_us();
        patio_future **f  = &ring[sent % (unsigned long)deep];
        if (*f != NULL) {
            (void)patio_future_wait(*f, PATIO_FOREVER);
            check(patio_future_status(*f, &err), &err);
            patio_future_destroy(*f);
            *f = NULL;
            got++;
        }
        if (at < end) {
            check(patio_start(b, "echo", PATIO_ARGS(patio_blob(body, sizeof(body))), NULL, f, &err),
                  &err);
            sent++;
        } else if (got < sent) {
            sent++; /* the next one of the ring */
            got++;
        }
        if (deep == 1 && *f != NULL) {
            (void)patio_future_wait(*f, PATIO_FOREVER);
            if (count < SAMPLES) {
                samples[count++] = now_us() - at;
            }
        }
    }
    double took = now_us() - from;
    for (int i = 0; i < deep; i++) {
        if (ring[i] != NULL) {
            (void)patio_future_wait(ring[i], PATIO_FOREVER);
            patio_future_destroy(ring[i]);
        }
    }
    if (count > 0) {
        qsort(samples, count, sizeof(samples[0]), by_value);
        *p50 = samples[count / 2];
    }
    return (double)got / took * 1e6;
}

static double send_all(patio_broker *b, unsigned long count)
{
    patio_future *ring[DEEP] = {NULL};
    patio_error   err        = PATIO_ERROR_INIT;
    double        from       = now_us();
    for (unsigned long n = 0; n < count + DEEP; n++) {
        patio_future **f = &ring[n % DEEP];
        if (*f != NULL) {
            (void)patio_future_wait(*f, PATIO_FOREVER);
            check(patio_future_status(*f, &err), &err);
            patio_future_destroy(*f);
            *f = NULL;
        }
        if (n < count) {
            check(patio_send_start(b, "echo", PATIO_ARGS(patio_blob(body, sizeof(body))), NULL, f,
                                   &err),
                  &err);
        }
    }
    return (double)count / (now_us() - from) * 1e6;
}

int main(int argc, char **argv)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    double          p50      = 0;
    double          unused   = 0;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: redis-ours URL SECONDS\n");
        return 2;
    }
    double seconds = strtod(argv[2], NULL);
    check(patio_registry_create(NULL, &registry, &err), &err);
    check(PATIO_ADD_AS(registry, "echo", echo, &err), &err);
    patio_broker *caller = open_broker(NULL, argv[1]);
    patio_broker *worker = open_broker(registry, argv[1]);
    (void)calls(caller, 1, 0.2, &unused);
    double one  = calls(caller, 1, seconds, &p50);
    double deep = calls(caller, DEEP, seconds, &unused);
    patio_broker_destroy(worker);
    unsigned long count = (unsigned long)(seconds * 20000);
    double        sent  = send_all(caller, count);
    atomic_store(&ran, 0);
    patio_registry *again = NULL;
    check(patio_registry_create(NULL, &again, &err), &err);
    check(PATIO_ADD_AS(again, "echo", echo, &err), &err);
    double from  = now_us();
    worker       = open_broker(again, argv[1]);
    double until = now_us() + 60e6;
    while (atomic_load(&ran) < count && now_us() < until) {
        struct timespec moment = {.tv_nsec = 200000};
        (void)nanosleep(&moment, NULL);
    }
    double drain = (double)count / (now_us() - from) * 1e6;
    patio_broker_destroy(worker);
    patio_broker_destroy(caller);
    patio_registry_destroy(registry);
    patio_registry_destroy(again);
    (void)printf("{\"call_p50_us\": %.1f, \"call_per_s\": %.0f, \"deep_per_s\": %.0f, "
                 "\"send_per_s\": %.0f, \"drain_per_s\": %.0f}\n",
                 p50, one, deep, sent, drain);
    return 0;
}
