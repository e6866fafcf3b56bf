/* window.c: N calls outstanding; a callback says which one has ended.
 *
 * The lane sleeps while the window is full and is woken only when half of it is free, so that many
 * calls share one wake-up. */
#include <pthread.h>
#include <stdlib.h>

#include <patio/call.h>

#include "clock.h"
#include "lanes.h"
#include "tasks.h"

struct window;

typedef struct slot {
    struct window *window;
    struct slot   *next; /* while free */
    uint64_t       stamp;
    uint64_t       begun_ns;
    uint64_t      *sample; /* NULL in the warm-up */
} slot;

typedef struct window {
    bench_lane     *lane;
    pthread_mutex_t lock;
    pthread_cond_t  room;
    slot           *free;
    uint64_t        size;
    uint64_t        free_count;
    uint64_t        wake_at; /* free slots the lane waits for; 0: it does not wait */
    bool            failed;
    slot           *slots;
} window;

/* On a thread of patio. The lane touches its own members only after it has seen this slot free. */
static void on_done(patio_future *future, void *arg)
{
    slot              *s     = arg;
    window            *w     = s->window;
    patio_error        err   = PATIO_ERROR_INIT;
    patio_status       st    = patio_future_status(future, &err);
    const patio_value *value = st == PATIO_OK ? patio_future_value(future) : NULL;
    if (s->sample != NULL) {
        *s->sample = bench_now_ns() - s->begun_ns;
    }
    bool same = st == PATIO_OK && bench_payload_matches(&w->lane->payload, s->stamp, value);
    patio_future_destroy(future);

    (void)pthread_mutex_lock(&w->lock);
    if (!same && !w->failed) {
        w->failed = true;
        (void)(st == PATIO_OK ? bench_lane_mismatch(w->lane, s->stamp)
                              : bench_lane_fail(w->lane, s->stamp, st, &err));
    }
    s->next = w->free;
    w->free = s;
    w->free_count++;
    if (w->wake_at != 0 && w->free_count >= w->wake_at) {
        w->wake_at = 0;
        (void)pthread_cond_signal(&w->room);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static void wait_for_free(window *w, uint64_t count)
{
    while (w->free_count < count) {
        w->wake_at = count;
        (void)pthread_cond_wait(&w->room, &w->lock);
    }
    w->wake_at = 0;
}

/* *alone: nothing else is outstanding. */
static slot *take_slot(window *w, bool *alone)
{
    (void)pthread_mutex_lock(&w->lock);
    if (w->free_count == 0) {
        wait_for_free(w, w->size / 2 > 0 ? w->size / 2 : 1);
    }
    *alone  = w->free_count == w->size;
    slot *s = w->free;
    w->free = s->next;
    w->free_count--;
    (void)pthread_mutex_unlock(&w->lock);
    return s;
}

/* Take back a slot that was not used, and wait until more than it are free, or all of them. */
static void give_back(window *w, slot *s, bool wait_for_all)
{
    (void)pthread_mutex_lock(&w->lock);
    s->next = w->free;
    w->free = s;
    w->free_count++;
    bool more = !wait_for_all && w->free_count < w->size;
    wait_for_free(w, more ? w->free_count + 1 : w->size);
    (void)pthread_mutex_unlock(&w->lock);
}

static patio_status start_slot(bench_lane *lane, slot *s, patio_error *err)
{
    patio_future      *future  = NULL; /* the callback's, and perhaps gone before we see it */
    patio_call_options options = lane->options;
    options.on_done            = on_done;
    options.on_done_arg        = s;
    bench_payload_stamp(&lane->payload, s->stamp);
    s->begun_ns = bench_now_ns();
    return patio_start(lane->all->broker, BENCH_ECHO,
                       PATIO_ARGS(patio_blob(lane->payload.data, lane->payload.size)), &options,
                       &future, err);
}

static bool start_one(window *w, uint64_t started)
{
    bench_lane *lane = w->lane;
    for (;;) {
        bool  alone        = false;
        slot *s            = take_slot(w, &alone);
        s->stamp           = bench_stamp(lane->index, lane->sequence);
        s->sample          = lane->samples == NULL ? NULL : &lane->samples[started];
        uint64_t     stamp = s->stamp;
        patio_error  err   = PATIO_ERROR_INIT;
        patio_status st    = start_slot(lane, s, &err);
        if (st == PATIO_OK) {
            lane->sequence++;
            return true;
        }
        bool give_up = st != PATIO_FULL || alone;
        give_back(w, s, give_up);
        if (give_up) {
            return w->failed ? false : bench_lane_fail(lane, stamp, st, &err);
        }
    }
}

static bool window_init(window *w, bench_lane *lane)
{
    *w       = (window){.lane = lane, .size = lane->all->opt->in_flight};
    w->slots = calloc(w->size, sizeof(*w->slots));
    if (w->slots == NULL) {
        return false;
    }
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->room, NULL);
    for (uint64_t i = 0; i < w->size; i++) {
        w->slots[i].window = w;
        w->slots[i].next   = w->free;
        w->free            = &w->slots[i];
    }
    w->free_count = w->size;
    return true;
}

bool bench_work_window(bench_lane *lane)
{
    window w;
    if (!window_init(&w, lane)) {
        patio_error err = PATIO_ERROR_INIT;
        return bench_lane_fail(lane, 0, PATIO_NO_MEMORY, &err);
    }
    bool     well    = true;
    uint64_t started = 0;
    while (well && bench_lane_goes_on(lane, started, bench_now_ns())) {
        well = start_one(&w, started);
        started += well ? 1 : 0;
    }
    (void)pthread_mutex_lock(&w.lock);
    wait_for_free(&w, w.size);
    (void)pthread_mutex_unlock(&w.lock);
    lane->done = started;
    well       = well && !w.failed;
    (void)pthread_cond_destroy(&w.room);
    (void)pthread_mutex_destroy(&w.lock);
    free(w.slots);
    return well;
}
