/* reload_load.c: `reload_load URL` calls "version" from several threads, one call after the other,
 * until its standard input ends. Then it prints how many calls there were, how many of them had no
 * result, how long none ended at most, and how many results each version gave. */
#include <patio/patio.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, VERSIONS = 10, TIMEOUT_MS = 60000 };

static patio_broker    *broker;
static atomic_bool      stop;
static _Atomic uint64_t calls;
static _Atomic uint64_t failed;
static _Atomic uint64_t results[VERSIONS];
static _Atomic uint64_t last_ms;
static _Atomic uint64_t gap_ms;

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void note_end(void)
{
    uint64_t now    = now_ms();
    uint64_t before = atomic_exchange(&last_ms, now);
    uint64_t gap    = now > before ? now - before : 0;
    uint64_t most   = atomic_load(&gap_ms);
    while (gap > most && !atomic_compare_exchange_weak(&gap_ms, &most, gap)) {
    }
}

static void call_once(void)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *future  = NULL;
    int64_t            version = 0;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = TIMEOUT_MS};
    patio_status       st = patio_call(broker, "version", PATIO_NO_ARGS, &options, &future, &err);
    if (st == PATIO_OK) {
        st = patio_value_get_int64(patio_future_value(future), &version);
    }
    (void)atomic_fetch_add(&calls, 1);
    if (st != PATIO_OK || version < 1 || version >= VERSIONS) {
        (void)atomic_fetch_add(&failed, 1);
        (void)fprintf(stderr, "a call: %s: %s\n", patio_status_name(st), err.message);
    } else {
        (void)atomic_fetch_add(&results[version], 1);
    }
    patio_future_destroy(future);
    note_end();
}

static void *call_on(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        call_once();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    patio_error err = PATIO_ERROR_INIT;
    pthread_t   threads[THREADS];
    char        byte;
    if (argc != 2 || patio_broker_open(NULL, argv[1], &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        (void)fprintf(stderr, "reload_load URL: %s\n", err.message);
        return 2;
    }
    atomic_store(&last_ms, now_ms());
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, call_on, NULL) != 0) {
            return 2;
        }
    }
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    printf("calls %llu\nwithout-result %llu\ngap-ms %llu\n", (unsigned long long)calls,
           (unsigned long long)failed, (unsigned long long)gap_ms);
    for (int i = 1; i < VERSIONS; i++) {
        printf("version-%d %llu\n", i, (unsigned long long)results[i]);
    }
    patio_broker_destroy(broker);
    return failed == 0 ? 0 : 1;
}
