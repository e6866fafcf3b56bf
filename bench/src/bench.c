#include "../bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <patio/runtime.h>

#include "clock.h"
#include "measure.h"
#include "report.h"

/* If patio itself hangs, the run ends all the same: by SIGALRM, this long after its time was up. */
#define HANG_S 120u

static void print_problem(const char *name, const patio_error *err)
{
    (void)fprintf(stderr, "%s: %s%s%s [%s]\n", name, err->origin,
                  err->origin[0] != '\0' ? ": " : "", err->message, patio_status_name(err->status));
}

/* Every repetition gets an equal part of the time that is left. */
static bool measure_all(const char *name, bench_session *session, bench_metrics *runs)
{
    const bench_options *opt    = session->opt;
    uint64_t             now_ns = bench_now_ns();
    uint64_t             end_ns = now_ns + opt->max_seconds * BENCH_NS_PER_S;
    for (uint64_t i = 0; i < opt->repeat; i++) {
        patio_error err     = PATIO_ERROR_INIT;
        uint64_t    left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
        uint64_t    part_ns = left_ns / (opt->repeat - i);
        if (bench_measure(session, now_ns + part_ns, &runs[i], &err) != PATIO_OK) {
            print_problem(name, &err);
            return false;
        }
        now_ns = bench_now_ns();
    }
    return true;
}

static bool report(const char *name, const bench_session *session, const bench_metrics *runs)
{
    bench_metrics medians;
    bench_metrics_median(runs, session->opt->repeat, &medians);
    bool well = true;
    if (session->opt->json) {
        well = bench_report_json(session, &medians, runs);
    } else {
        bench_report_text(session, &medians);
    }
    if (fflush(stdout) != 0 || !well) {
        (void)fprintf(stderr, "%s: write the report\n", name);
        return false;
    }
    return true;
}

int patio_bench_main(int argc, char **argv)
{
    const char   *name = argc > 0 ? argv[0] : "patio-bench";
    bench_options opt;
    bench_options_parse(argc, argv, &opt);
    bench_session session = {.opt = &opt, .done = opt.count};
    if (!bench_pin_plan(opt.pin, &session.pin)) {
        (void)fprintf(stderr, "%s: --pin %s needs more cores than the %d there are\n", name,
                      bench_pin_name(opt.pin), session.pin.cores);
        return 1;
    }
    if (opt.pin != BENCH_PIN_NONE || !bench_pin_plan(BENCH_PIN_SPLIT, &session.floor_pin)) {
        session.floor_pin = session.pin;
    }
    session.samples     = malloc(opt.count * sizeof(*session.samples));
    bench_metrics *runs = calloc(opt.repeat, sizeof(*runs));
    bool           well = session.samples != NULL && runs != NULL;
    if (!well) {
        (void)fprintf(stderr, "%s: no memory for %llu samples\n", name,
                      (unsigned long long)opt.count);
    }
    (void)alarm((unsigned)opt.max_seconds + HANG_S);
    well = well && measure_all(name, &session, runs) && report(name, &session, runs);
    (void)alarm(0);
    free(runs);
    free(session.samples);
    return well ? 0 : 1;
}
