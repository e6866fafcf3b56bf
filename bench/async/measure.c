#include "bench_async.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "../src/clock.h"
#include "../src/samples.h"
#include "../src/usage.h"
#include "tasks.h"

static int complain(const char *what, patio_status st)
{
    (void)fprintf(stderr, "patio-bench-async: %s: %s\n", what, patio_status_name(st));
    return 1;
}

static void pause_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

/* Until so many tasks have counted themselves, looking each millisecond; false after a minute. */
static bool wait_for(const _Atomic uint32_t *count, uint32_t n)
{
    uint64_t until = bench_now_ns() + 60 * BENCH_NS_PER_S;
    while (atomic_load(count) < n && bench_now_ns() < until) {
        pause_ms(1);
    }
    return atomic_load(count) >= n;
}

int bench_yields(unsigned loops, unsigned tasks, unsigned yields)
{
    bench_world  w;
    patio_status st = PATIO_OK;
    if (!bench_world_open(&w, "async", tasks, loops)) {
        return 1;
    }
    atomic_store(&bench_done, 0);
    uint64_t from = bench_now_ns();
    for (unsigned i = 0; i < tasks && st == PATIO_OK; i++) {
        st = patio_send(w.broker, "yield", PATIO_ARGS(yields), NULL, NULL, NULL);
    }
    bool   all = st == PATIO_OK && wait_for(&bench_done, tasks);
    double s   = (double)(bench_now_ns() - from) / 1e9;
    printf("yields           %u tasks on %u loops: %.2f million yields/s, %.0f ns each\n", tasks,
           loops, (double)tasks * yields / s / 1e6, s * 1e9 / ((double)tasks * yields));
    bench_world_close(&w);
    return all ? 0 : complain("yields", st);
}

static double cpu_ns(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Tasks of which each yields once: from the call to its result. Beside the rate, the processor time
 * of both sides, which depends less on what else the machine does. */
int bench_yielding_tasks(unsigned loops, unsigned tasks, unsigned in_flight)
{
    bench_world    w;
    patio_status   st   = PATIO_OK;
    patio_future **ring = calloc(in_flight, sizeof(patio_future *));
    if (ring == NULL || !bench_world_open(&w, "async", in_flight, loops)) {
        free(ring);
        return 1;
    }
    atomic_store(&bench_done, 0);
    uint64_t from      = bench_now_ns();
    double   all_ns    = -cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    double   caller_ns = -cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < tasks + in_flight && st == PATIO_OK; i++) {
        patio_future **f = &ring[i % in_flight];
        if (*f != NULL) {
            (void)patio_future_wait(*f, PATIO_FOREVER);
            st = patio_future_status(*f, NULL);
            patio_future_destroy(*f);
            *f = NULL;
        }
        if (i < tasks && st == PATIO_OK) {
            st = patio_start(w.broker, "yield", PATIO_ARGS(1u), NULL, f, NULL);
        }
    }
    double s   = (double)(bench_now_ns() - from) / 1e9;
    bool   all = st == PATIO_OK && atomic_load(&bench_done) == tasks;
    all_ns += cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    caller_ns += cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    printf("yielding tasks   %u in flight on %u loops: %.0f calls/s, each yields once; processor "
           "time of the caller %.0f ns, of the loops %.0f ns each\n",
           in_flight, loops, tasks / s, caller_ns / tasks, (all_ns - caller_ns) / tasks);
    free(ring);
    bench_world_close(&w);
    return all ? 0 : complain("yielding tasks", st);
}

/* A task that calls others, on the same loop: no thread is woken. */
int bench_nested(unsigned calls)
{
    bench_world w;
    if (!bench_world_open(&w, "async", 16, 1)) {
        return 1;
    }
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 120000};
    uint64_t           from    = bench_now_ns();
    patio_status       st = patio_call(w.broker, "nest", PATIO_ARGS(calls), &options, NULL, NULL);
    double             s  = (double)(bench_now_ns() - from) / 1e9;
    printf("nested calls     one after the other within a loop: %.0f calls/s, %.2f us each\n",
           calls / s, s * 1e6 / calls);
    bench_world_close(&w);
    return st == PATIO_OK ? 0 : complain("nested calls", st);
}

static void print_late(uint64_t *late, unsigned tasks)
{
    bench_samples_sort(late, tasks);
    printf("                 woken late by: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, at most "
           "%.3f ms\n",
           (double)bench_samples_at(late, tasks, 0.5) / 1e6,
           (double)bench_samples_at(late, tasks, 0.99) / 1e6,
           (double)bench_samples_at(late, tasks, 0.999) / 1e6, (double)late[tasks - 1] / 1e6);
}

int bench_sleeps(unsigned loops, unsigned tasks, unsigned from_ms, unsigned spread_ms)
{
    bench_world   w;
    uint64_t      before = 0;
    uint64_t      asleep = 0;
    uint64_t      most   = 0;
    uint64_t      after  = 0;
    patio_status  st     = PATIO_OK;
    struct rusage usage;
    bench_late_ns = calloc(tasks, sizeof(uint64_t));
    (void)bench_rss_bytes(&before);
    if (bench_late_ns == NULL || !bench_world_open(&w, "async", tasks, loops)) {
        free(bench_late_ns);
        return 1;
    }
    atomic_store(&bench_begun, 0);
    atomic_store(&bench_done, 0);
    for (unsigned i = 0; i < tasks && st == PATIO_OK; i++) {
        /* spread by a step that has no common divisor with the range */
        unsigned ms = from_ms + (unsigned)((uint64_t)i * 7919 % spread_ms);
        st          = patio_send(w.broker, "sleep", PATIO_ARGS(ms, i), NULL, NULL, NULL);
    }
    bool     all   = st == PATIO_OK && wait_for(&bench_begun, tasks);
    uint32_t early = atomic_load(&bench_done);
    (void)bench_rss_bytes(&asleep);
    all = all && wait_for(&bench_done, tasks);
    pause_ms(500);
    (void)bench_rss_bytes(&after);
    (void)getrusage(RUSAGE_SELF, &usage);
    most = (uint64_t)usage.ru_maxrss * 1024;
    printf("sleeping tasks   %u at once on %u loops (%u had ended): %.0f MiB resident, %.0f bytes "
           "each; at most %.0f MiB, %.0f MiB when all have ended\n",
           tasks, loops, early, (double)asleep / (1 << 20), (double)(asleep - before) / tasks,
           (double)most / (1 << 20), (double)after / (1 << 20));
    print_late(bench_late_ns, tasks);
    bench_world_close(&w);
    free(bench_late_ns);
    return all ? 0 : complain("sleeping tasks", st);
}

/* With tasks asleep, and after they have been busy. */
int bench_idle(unsigned loops, unsigned tasks)
{
    bench_world  w;
    bench_usage  from;
    bench_usage  to;
    patio_status st = PATIO_OK;
    bench_late_ns   = calloc(tasks, sizeof(uint64_t));
    if (bench_late_ns == NULL || !bench_world_open(&w, "async", tasks, loops)) {
        free(bench_late_ns);
        return 1;
    }
    atomic_store(&bench_begun, 0);
    for (unsigned i = 0; i < tasks && st == PATIO_OK; i++) {
        st = patio_send(w.broker, "sleep", PATIO_ARGS(4000u, i), NULL, NULL, NULL);
    }
    bool all = st == PATIO_OK && wait_for(&bench_begun, tasks);
    pause_ms(500);
    bench_usage_read(&from);
    pause_ms(2000);
    bench_usage_read(&to);
    printf("idle             %u tasks asleep on %u loops: %.3f %% of a core, %" PRIu64
           " wake-ups in 2 s\n",
           tasks, loops, (to.cpu_us - from.cpu_us) / 2e4, to.switches - from.switches);
    bench_world_close(&w);
    free(bench_late_ns);
    return all ? 0 : complain("idle", st);
}
