#include "measure.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <patio/plugin_util.h>

#include "../floors/floors.h"
#include "clock.h"
#include "drain.h"
#include "lanes.h"
#include "samples.h"
#include "stage.h"
#include "tasks.h"
#include "usage.h"

/* Queue mode warms up with few: memory that its warm-up leaves in pools would be missing later. */
#define QUEUE_WARM_UP 1000u

/* One repetition under way. */
typedef struct rep {
    bench_session *session;
    bench_stage    stage;
    bench_lanes    lanes;
    uint64_t       deadline_ns;
    bench_usage    used;
    uint64_t       allocations;
    bench_metrics *out;
} rep;

static patio_status run_lanes(rep *r, uint64_t count, uint64_t *samples, uint64_t deadline_ns,
                              patio_error *err)
{
    if (!bench_lanes_run(&r->lanes, count, samples, deadline_ns)) {
        *err = *bench_lanes_problem(&r->lanes);
        return err->status;
    }
    return PATIO_OK;
}

static patio_status warm_up(rep *r, patio_error *err)
{
    const bench_options *opt    = r->session->opt;
    uint64_t             count  = opt->count / 10 > 0 ? opt->count / 10 : 1;
    uint64_t             now_ns = bench_now_ns();
    if (opt->mode == BENCH_MODE_QUEUE && count > QUEUE_WARM_UP) {
        count = QUEUE_WARM_UP;
    }
    uint64_t     left_ns = r->deadline_ns > now_ns ? r->deadline_ns - now_ns : 0;
    patio_status st      = run_lanes(r, count, NULL, now_ns + left_ns / 10, err);
    if (st == PATIO_OK && opt->mode != BENCH_MODE_CALL) {
        st = bench_drain(&r->stage, &r->lanes, r->deadline_ns, err);
    }
    return st;
}

static void note_start(rep *r)
{
    bench_usage_read(&r->used);
    r->allocations = bench_counter_read(&r->stage.counter);
}

/* What the process used since note_start, per call. */
static void note_costs(rep *r, double calls)
{
    bench_usage now;
    bench_usage_read(&now);
    double *v         = r->out->value;
    v[BENCH_CPU_US]   = (now.cpu_us - r->used.cpu_us) / calls;
    v[BENCH_SWITCHES] = (double)(now.switches - r->used.switches) / calls;
    if (r->session->opt->count_allocations) {
        uint64_t made        = bench_counter_read(&r->stage.counter) - r->allocations;
        v[BENCH_ALLOCATIONS] = (double)made / calls;
    }
}

static void note_latencies(rep *r, uint64_t done)
{
    uint64_t *samples = r->session->samples;
    double   *v       = r->out->value;
    bench_samples_sort(samples, done);
    v[BENCH_P50_US]  = (double)bench_samples_at(samples, done, 0.50) / 1e3;
    v[BENCH_P99_US]  = (double)bench_samples_at(samples, done, 0.99) / 1e3;
    v[BENCH_P999_US] = (double)bench_samples_at(samples, done, 0.999) / 1e3;
}

static patio_status count_done(rep *r, uint64_t *done, patio_error *err)
{
    *done = bench_lanes_done(&r->lanes, r->session->samples);
    if (*done == 0) {
        return patio_fail(err, PATIO_TIMEOUT, 0, "no time was left to measure, see --max-seconds");
    }
    if (*done < r->session->done) {
        r->session->done = *done;
    }
    return PATIO_OK;
}

/* Modes call and send. */
static patio_status measure_flow(rep *r, patio_error *err)
{
    bool send = r->session->opt->mode == BENCH_MODE_SEND;
    note_start(r);
    uint64_t     done = 0;
    patio_status st =
        run_lanes(r, r->session->opt->count, r->session->samples, r->deadline_ns, err);
    if (st == PATIO_OK) {
        st = count_done(r, &done, err);
    }
    if (st != PATIO_OK) {
        return st;
    }
    double *v       = r->out->value;
    double  calls   = (double)done;
    double  seconds = (double)bench_lanes_wall_ns(&r->lanes) / 1e9;
    if (send) {
        uint64_t accepted_ns    = bench_now_ns();
        v[BENCH_ACCEPTED_PER_S] = calls / seconds;
        /* What was accepted must be executed, however late it is. */
        uint64_t patience_ns = r->session->opt->max_seconds * BENCH_NS_PER_S;
        st                   = bench_drain(&r->stage, &r->lanes, accepted_ns + patience_ns, err);
        double drain_s       = (double)(bench_now_ns() - accepted_ns) / 1e9;
        v[BENCH_DRAIN_MS]    = drain_s * 1e3;
        seconds += drain_s;
    }
    note_costs(r, calls);
    v[BENCH_CALLS_PER_S] = calls / seconds;
    note_latencies(r, done);
    return st;
}

/* Mode queue: nothing is executed until the memory has been read. */
static patio_status measure_queue(rep *r, patio_error *err)
{
    uint64_t before = 0;
    uint64_t after  = 0;
    uint64_t done   = 0;
    uint64_t warmed = bench_sink_executed();
    (void)malloc_trim(0); /* what the warm-up freed must not be counted as there already */
    bench_sink_gate(true);
    bool         known = bench_rss_bytes(&before);
    patio_status st =
        run_lanes(r, r->session->opt->count, r->session->samples, r->deadline_ns, err);
    known     = bench_rss_bytes(&after) && known;
    bool held = bench_sink_executed() == warmed;
    bench_sink_gate(false);
    if (st == PATIO_OK) {
        st = count_done(r, &done, err);
    }
    if (st == PATIO_OK) {
        st = bench_drain(&r->stage, &r->lanes,
                         bench_now_ns() + r->session->opt->max_seconds * BENCH_NS_PER_S, err);
    }
    if (st == PATIO_OK && !(known && held)) {
        st = patio_fail(err, PATIO_STATE, 0, "memory of the queue could not be read");
    }
    if (st == PATIO_OK) {
        double grown = (double)after - (double)before;
        r->out->value[BENCH_RSS_PER_QUEUED] =
            grown / (double)done - (double)r->session->opt->size_bytes;
        r->out->value[BENCH_ACCEPTED_PER_S] =
            (double)done / ((double)bench_lanes_wall_ns(&r->lanes) / 1e9);
        note_latencies(r, done);
    }
    return st;
}

static patio_status measure_lanes(rep *r, patio_error *err)
{
    const bench_options *opt  = r->session->opt;
    bench_work_fn        work = bench_work_ring;
    if (opt->completion == BENCH_COMPLETION_CALLBACK) {
        work = bench_work_window;
    } else if (opt->mode == BENCH_MODE_CALL && opt->in_flight == 1) {
        work = bench_work_sequential;
    }
    if (!bench_lanes_open(&r->lanes, opt, r->stage.broker, &r->session->pin, work)) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "start %llu calling threads",
                          (unsigned long long)opt->threads);
    }
    bench_sink_reset();
    patio_status st = warm_up(r, err);
    if (st == PATIO_OK) {
        st = opt->mode == BENCH_MODE_QUEUE ? measure_queue(r, err) : measure_flow(r, err);
    }
    bench_lanes_close(&r->lanes);
    return st;
}

patio_status bench_measure(bench_session *session, uint64_t deadline_ns, bench_metrics *out,
                           patio_error *err)
{
    rep r = {.session = session, .deadline_ns = deadline_ns, .out = out};
    bench_metrics_init(out);
    patio_status st = PATIO_OK;
    if (session->opt->floors) {
        st = bench_floors(session->opt, &session->floor_pin, out, err);
    }
    if (st != PATIO_OK) {
        return st;
    }
    st = bench_stage_open(session->opt, &session->pin, &r.stage, err);
    if (st == PATIO_OK) {
        (void)snprintf(session->transport, sizeof(session->transport), "%s",
                       patio_broker_transport(r.stage.broker));
        (void)snprintf(session->executor, sizeof(session->executor), "%s",
                       patio_broker_executor(r.stage.broker));
        st                  = measure_lanes(&r, err);
        patio_status closed = bench_stage_close(&r.stage, st == PATIO_OK ? err : NULL);
        st                  = st == PATIO_OK ? closed : st;
    }
    bench_pin_release(&session->pin);
    if (st == PATIO_OK) {
        bench_metrics_ratios(out, session->opt->in_flight == 1 && session->opt->threads == 1);
    }
    return st;
}
