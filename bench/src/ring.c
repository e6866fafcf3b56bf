/* ring.c: N futures outstanding, calls or sends; the lane waits for the oldest. */
#include <stdlib.h>

#include <patio/call.h>

#include "clock.h"
#include "lanes.h"
#include "tasks.h"

typedef struct slot {
    patio_future *future;
    uint64_t      stamp;
    uint64_t      begun_ns;
} slot;

typedef struct ring {
    bench_lane *lane;
    bool        send;
    uint64_t    size;
    uint64_t    head;    /* calls started in this phase */
    uint64_t    tail;    /* calls ended; the oldest outstanding one */
    uint64_t    over_ns; /* when that ended, for the call in its place begins then; 0: none does */
    patio_error err;     /* a kilobyte, so not one for each call */
    slot       *slots;
} ring;

static patio_status start_one(ring *r, slot *s)
{
    patio_error *err  = &r->err;
    bench_lane  *lane = r->lane;
    s->stamp          = bench_stamp(lane->index, lane->sequence);
    bench_payload_stamp(&lane->payload, s->stamp);
    const patio_payload *args = PATIO_ARGS(patio_blob(lane->payload.data, lane->payload.size));
    s->begun_ns               = r->over_ns != 0 ? r->over_ns : bench_now_ns();
    r->over_ns                = 0;
    if (!r->send) {
        return patio_start(lane->all->broker, BENCH_ECHO, args, &lane->options, &s->future, err);
    }
    patio_status st =
        patio_send_start(lane->all->broker, BENCH_SINK, args, &lane->options, &s->future, err);
    if (st == PATIO_OK) {
        lane->digest += bench_payload_digest(lane->payload.data, lane->payload.size);
    }
    return st;
}

/* Wait for the oldest, check it, let go of it. */
static bool end_oldest(ring *r)
{
    bench_lane  *lane = r->lane;
    slot        *s    = &r->slots[r->tail % r->size];
    patio_status st   = patio_future_wait(s->future, PATIO_FOREVER);
    if (st == PATIO_OK) {
        st = patio_future_status(s->future, &r->err);
    }
    const patio_value *value    = st == PATIO_OK && !r->send ? patio_future_value(s->future) : NULL;
    uint64_t           ended_ns = bench_now_ns();
    bool               same     = r->send || bench_payload_matches(&lane->payload, s->stamp, value);
    patio_future_destroy(s->future);
    r->tail++;
    r->over_ns = ended_ns;
    if (st != PATIO_OK) {
        return bench_lane_fail(lane, s->stamp, st, &r->err);
    }
    if (!same) {
        return bench_lane_mismatch(lane, s->stamp);
    }
    if (lane->samples != NULL) {
        lane->samples[lane->done] = ended_ns - s->begun_ns;
    }
    lane->accepted += r->send ? 1 : 0;
    lane->done++;
    return true;
}

/* FULL is a normal answer: something of ours has to end first. With nothing outstanding that can
 * only be the queue, and it has room again when more tasks were executed than had been before the
 * refused one was tried. */
static bool make_room(ring *r, uint64_t stamp, uint64_t executed)
{
    if (r->tail < r->head) {
        return end_oldest(r);
    }
    const bench_options *opt = r->lane->all->opt;
    if (opt->mode == BENCH_MODE_SEND && !opt->remote) {
        uint64_t patience_ns = opt->max_seconds * BENCH_NS_PER_S;
        if (bench_sink_wait(executed + 1, bench_now_ns() + patience_ns)) {
            return true;
        }
    }
    return bench_lane_fail(r->lane, stamp, PATIO_FULL, &r->err);
}

static bool fill_one(ring *r)
{
    slot        *s        = &r->slots[r->head % r->size];
    uint64_t     executed = bench_sink_executed();
    patio_status st;
    while ((st = start_one(r, s)) == PATIO_FULL) {
        if (!make_room(r, s->stamp, executed)) {
            return false;
        }
        executed = bench_sink_executed();
    }
    if (st != PATIO_OK) {
        return bench_lane_fail(r->lane, s->stamp, st, &r->err);
    }
    r->head++;
    r->lane->sequence++;
    return true;
}

bool bench_work_ring(bench_lane *lane)
{
    ring r  = {.lane = lane,
               .send = lane->all->opt->mode != BENCH_MODE_CALL,
               .size = lane->all->opt->in_flight,
               .err  = PATIO_ERROR_INIT};
    r.slots = calloc(r.size, sizeof(*r.slots));
    if (r.slots == NULL) {
        patio_error err = PATIO_ERROR_INIT;
        return bench_lane_fail(lane, 0, PATIO_NO_MEMORY, &err);
    }
    bool     well   = true;
    uint64_t now_ns = bench_now_ns();
    while (well && bench_lane_goes_on(lane, r.head, now_ns)) {
        if (r.head - r.tail == r.size) {
            well = end_oldest(&r);
        }
        if (well && fill_one(&r)) {
            now_ns = r.slots[(r.head - 1) % r.size].begun_ns;
        } else {
            well = false;
        }
    }
    /* All of them must end, also after a failure: the futures are ours. */
    while (r.tail < r.head) {
        well = end_oldest(&r) && well;
    }
    free(r.slots);
    return well;
}
