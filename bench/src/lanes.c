#include "lanes.h"

#include <stdlib.h>
#include <string.h>

#include <patio/plugin_util.h>
#include <patio/runtime.h>

#include "clock.h"

static void *lane_main(void *arg)
{
    bench_lane  *lane = arg;
    bench_lanes *all  = lane->all;
    uint32_t     seen = 0;
    bench_pin_self(all->pin, BENCH_CALLER);
    (void)pthread_mutex_lock(&all->lock);
    for (;;) {
        while (all->phase == seen && !all->over) {
            (void)pthread_cond_wait(&all->moved, &all->lock);
        }
        if (all->over) {
            break;
        }
        seen = all->phase;
        (void)pthread_mutex_unlock(&all->lock);
        lane->begun_ns = bench_now_ns();
        lane->failed   = !all->work(lane);
        lane->ended_ns = bench_now_ns();
        (void)pthread_mutex_lock(&all->lock);
        all->working--;
        (void)pthread_cond_broadcast(&all->moved);
    }
    (void)pthread_mutex_unlock(&all->lock);
    return NULL;
}

static bool lane_init(bench_lane *lane, bench_lanes *all, uint32_t index)
{
    lane->all     = all;
    lane->index   = index;
    lane->problem = (patio_error)PATIO_ERROR_INIT;
    lane->options = (patio_call_options){
        PATIO_SIZED(patio_call_options),
        .flags = all->opt->remote ? PATIO_CALL_WAIT_ROUTE : 0,
        /* A call that hangs ends the run a little after the time it was given. */
        .timeout_ms = all->opt->max_seconds * 1000,
    };
    return bench_payload_init(&lane->payload, all->opt->size_bytes);
}

bool bench_lanes_open(bench_lanes *lanes, const bench_options *opt, patio_broker *broker,
                      const bench_pin *pin, bench_work_fn work)
{
    memset(lanes, 0, sizeof(*lanes));
    lanes->opt    = opt;
    lanes->broker = broker;
    lanes->pin    = pin;
    lanes->work   = work;
    (void)pthread_mutex_init(&lanes->lock, NULL);
    (void)pthread_cond_init(&lanes->moved, NULL);
    lanes->lane = calloc(opt->threads, sizeof(*lanes->lane));
    for (uint32_t i = 0; lanes->lane != NULL && i < opt->threads; i++) {
        bench_lane *lane = &lanes->lane[i];
        if (!lane_init(lane, lanes, i) ||
            pthread_create(&lane->thread, NULL, lane_main, lane) != 0) {
            bench_payload_fini(&lane->payload);
            break;
        }
        lanes->count++;
    }
    if (lanes->count < opt->threads) {
        bench_lanes_close(lanes);
        return false;
    }
    return true;
}

bool bench_lanes_run(bench_lanes *lanes, uint64_t count, uint64_t *samples, uint64_t deadline_ns)
{
    uint64_t given = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        bench_lane *lane = &lanes->lane[i];
        lane->count      = count / lanes->count + (i < count % lanes->count ? 1 : 0);
        lane->done       = 0;
        lane->samples    = samples == NULL ? NULL : samples + given;
        given += lane->count;
    }
    lanes->deadline_ns = deadline_ns;
    (void)pthread_mutex_lock(&lanes->lock);
    lanes->phase++;
    lanes->working = lanes->count;
    (void)pthread_cond_broadcast(&lanes->moved);
    while (lanes->working > 0) {
        (void)pthread_cond_wait(&lanes->moved, &lanes->lock);
    }
    (void)pthread_mutex_unlock(&lanes->lock);
    return bench_lanes_problem(lanes) == NULL;
}

const patio_error *bench_lanes_problem(const bench_lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].failed) {
            return &lanes->lane[i].problem;
        }
    }
    return NULL;
}

uint64_t bench_lanes_wall_ns(const bench_lanes *lanes)
{
    uint64_t begun_ns = UINT64_MAX;
    uint64_t ended_ns = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        const bench_lane *lane = &lanes->lane[i];
        begun_ns               = lane->begun_ns < begun_ns ? lane->begun_ns : begun_ns;
        ended_ns               = lane->ended_ns > ended_ns ? lane->ended_ns : ended_ns;
    }
    return ended_ns - begun_ns;
}

uint64_t bench_lanes_done(bench_lanes *lanes, uint64_t *samples)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        const bench_lane *lane = &lanes->lane[i];
        if (lane->samples != NULL && lane->done > 0) {
            memmove(samples + done, lane->samples, lane->done * sizeof(*samples));
        }
        done += lane->done;
    }
    return done;
}

uint64_t bench_lanes_accepted(const bench_lanes *lanes, uint64_t *digest)
{
    uint64_t accepted = 0;
    *digest           = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        accepted += lanes->lane[i].accepted;
        *digest += lanes->lane[i].digest;
    }
    return accepted;
}

void bench_lanes_close(bench_lanes *lanes)
{
    (void)pthread_mutex_lock(&lanes->lock);
    lanes->over = true;
    (void)pthread_cond_broadcast(&lanes->moved);
    (void)pthread_mutex_unlock(&lanes->lock);
    for (uint32_t i = 0; i < lanes->count; i++) {
        (void)pthread_join(lanes->lane[i].thread, NULL);
        bench_payload_fini(&lanes->lane[i].payload);
    }
    free(lanes->lane);
    (void)pthread_cond_destroy(&lanes->moved);
    (void)pthread_mutex_destroy(&lanes->lock);
    memset(lanes, 0, sizeof(*lanes));
}

bool bench_lane_fail(bench_lane *lane, uint64_t stamp, patio_status st, const patio_error *err)
{
    (void)patio_fail(&lane->problem, st, err->os_errno, "%s %llu of thread %u: %s",
                     bench_mode_name(lane->all->opt->mode),
                     (unsigned long long)bench_stamp_sequence(stamp), lane->index,
                     err->message[0] != '\0' ? err->message : patio_status_text(st));
    atomic_store(&lane->all->stop, true);
    return false;
}

bool bench_lane_mismatch(bench_lane *lane, uint64_t stamp)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_fail(&err, PATIO_INTERNAL, 0, "the result is not what was sent");
    return bench_lane_fail(lane, stamp, PATIO_INTERNAL, &err);
}
