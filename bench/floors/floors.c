#include "floors.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <patio/plugin_util.h>

/* Both threads of a pair on their cores. */
typedef struct pair {
    const bench_pin *pin;
    void *(*there)(void *arg);
    void *arg;
} pair;

static void *pair_main(void *arg)
{
    const pair *p = arg;
    bench_pin_self(p->pin, BENCH_WORKER);
    return p->there(p->arg);
}

int bench_pair_run(const bench_pin *pin, int (*here)(void *arg), void *(*there)(void *arg),
                   void            *arg)
{
    pair      p = {.pin = pin, .there = there, .arg = arg};
    pthread_t thread;
    int       problem = pthread_create(&thread, NULL, pair_main, &p);
    if (problem != 0) {
        return problem;
    }
    bench_pin_self(pin, BENCH_CALLER);
    problem = here(arg);
    (void)pthread_join(thread, NULL);
    bench_pin_release(pin);
    return problem;
}

int bench_pair_fork(const bench_pin *pin, int (*here)(void *arg), void *(*there)(void *arg),
                    void            *arg)
{
    bench_pin_self(pin, BENCH_WORKER);
    pid_t child = fork();
    if (child == 0) {
        (void)there(arg);
        _exit(0);
    }
    int problem = child < 0 ? errno : 0;
    bench_pin_self(pin, BENCH_CALLER);
    if (problem == 0) {
        problem = here(arg);
        (void)waitpid(child, NULL, 0);
    }
    bench_pin_release(pin);
    return problem;
}

patio_status bench_floors(const bench_options *opt, const bench_pin *pin, bench_metrics *out,
                          patio_error *err)
{
    double     *v       = out->value;
    const char *what    = "futex hand-off";
    int         problem = bench_floor_handoff(pin, false, &v[BENCH_FLOOR_HANDOFF]);
    /* Who spins on the only core keeps the other from answering: no floor of anything. */
    if (problem == 0 && pin->mode != BENCH_PIN_SAME && pin->cores > 1) {
        what    = "spinning hand-off";
        problem = bench_floor_handoff(pin, true, &v[BENCH_FLOOR_SPIN]);
    }
    if (problem == 0) {
        what    = "mutex queue";
        problem = bench_floor_queue(pin, &v[BENCH_FLOOR_QUEUE]);
    }
    if (problem == 0) {
        what    = "TCP ping-pong";
        problem = bench_floor_tcp(pin, opt->size_bytes, &v[BENCH_FLOOR_TCP]);
    }
    if (problem == 0 && opt->executor != NULL && strcmp(opt->executor, "process") == 0) {
        what    = "process ping-pong";
        problem = bench_floor_pair(pin, opt->size_bytes, &v[BENCH_FLOOR_PAIR]);
    }
    if (problem != 0) {
        return patio_fail(err, PATIO_IO, problem, "floor \"%s\": %s", what, strerror(problem));
    }
    return PATIO_OK;
}
