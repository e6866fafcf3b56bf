/* A worker says who it is: a second after its load has changed, about every five seconds while its
 * numbers do. */
#include <patio/health.h>

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/operate.h"
#include "wire/records.h"

enum { LOOK_MS = 1000, ANNOUNCE_MS = 5000, ARENA_BYTES = 262144, TASKS_SHOWN = 1000 };

static void announce(void *self);

/* What it says of its numbers; the same as last time is not said again. */
static uint64_t sum_of(const patio_broker_stats *s)
{
    return s->tasks_received + 3 * s->tasks_ok + 5 * s->tasks_failed + 7 * s->tasks_retried +
           11 * s->tasks_returned + 13 * s->tasks_rejected + 17 * s->leases_lost;
}

/* What somebody who looks wants to know now: how busy it is, and how well. */
static uint64_t load_of(patio_broker *b, const patio_broker_stats *s)
{
    pthread_mutex_lock(&b->lock);
    uint64_t health = 23 * (uint64_t)b->health + 29 * (uint64_t)b->stuck;
    pthread_mutex_unlock(&b->lock);
    return 19 * s->tasks_running + health;
}

static uint32_t slots_of(const patio_broker *b)
{
    uint32_t slots = 0;
    for (size_t i = 0; i < b->executor_count; i++) {
        slots += b->executors[i].slots;
    }
    return slots;
}

static void fill_names(const patio_broker *b, const char **queues, const char **tasks,
                       patio_worker_info *info)
{
    for (size_t i = 0; i < b->queue_count; i++) {
        if (b->queues[i].task_count > 0) {
            queues[info->queue_count++] = b->queues[i].name;
        }
    }
    for (size_t i = 0; i < b->route_count; i++) {
        const pt_route *r = &b->routes[i];
        if (r->executor != NULL && r->executor->slots > 0) {
            info->tasks_total++;
            if (info->task_count < TASKS_SHOWN) {
                tasks[info->task_count++] = r->task->name;
            }
        }
    }
    info->queues = queues;
    info->tasks  = tasks;
}

static void say(patio_broker *b, const patio_broker_stats *s, const patio_presence_ops *ops)
{
    char         host[256] = "";
    patio_health health    = {PATIO_SIZED(patio_health)};
    pt_arena     arena;
    patio_broker_health(b, &health);
    patio_worker_info info = {
        PATIO_SIZED(patio_worker_info),
        .slots              = slots_of(b),
        .host               = host,
        .pid                = (uint64_t)getpid(),
        .version            = patio_version(),
        .project            = b->project,
        .executor           = patio_broker_executor(b),
        .problem            = health.reason,
        .state              = patio_health_name(health.state),
        .running            = s->tasks_running,
        .received           = s->tasks_received,
        .ok                 = s->tasks_ok,
        .failed             = s->tasks_failed,
        .retried            = s->tasks_retried,
        .returned           = s->tasks_returned,
        .rejected           = s->tasks_rejected,
        .leases_lost        = s->leases_lost,
        .started_at_unix_ms = b->started_at_unix_ms,
    };
    (void)gethostname(host, sizeof(host) - 1);
    pt_arena_init(&arena, b->mem, NULL, 0, ARENA_BYTES);
    const char **queues = pt_arena_alloc(&arena, (b->queue_count + 1) * sizeof(*queues));
    const char **tasks  = pt_arena_alloc(&arena, TASKS_SHOWN * sizeof(*tasks));
    if (queues != NULL && tasks != NULL) {
        fill_names(b, queues, tasks, &info);
        patio_bytes bytes = pt_write_worker(&arena, &info, PATIO_PRESENCE_MAX_BYTES);
        if (bytes.data != NULL) {
            (void)ops->announce(b->transport, bytes, NULL);
        }
    }
    pt_arena_reset(&arena);
}

static void note_said(patio_broker *b, const patio_broker_stats *s, uint64_t load, uint64_t now)
{
    b->presence_sum     = sum_of(s);
    b->presence_load    = load;
    b->presence_said_ns = now;
}

/* `mine`: the timer that was planned when this look began. Another one by now is sooner, and one
 * that is forgotten here would outlive the broker. */
static void look_again(patio_broker *b, uint64_t mine)
{
    pthread_mutex_lock(&b->lock);
    if (atomic_load(&b->state) == PT_BROKER_RUNNING && !b->presence_over &&
        b->presence_timer == mine) {
        pt_timers_drop(b->runtime->timers, mine); /* if it is not the one that runs */
        /* of a simulated fortnight a second is the millionth part, and nobody looks on */
        uint64_t pause_ms = b->runtime->clock.manual ? ANNOUNCE_MS : LOOK_MS;
        b->presence_timer =
            pt_timers_after(b->runtime->timers, pause_ms * PT_NS_PER_MS, announce, b);
    }
    pthread_mutex_unlock(&b->lock);
}

static void announce(void *self)
{
    patio_broker             *b     = self;
    const patio_presence_ops *ops   = b->presence;
    patio_broker_stats        stats = {PATIO_SIZED(patio_broker_stats)};
    pthread_mutex_lock(&b->lock);
    uint64_t mine = b->presence_timer;
    pthread_mutex_unlock(&b->lock);
    patio_broker_get_stats(b, &stats);
    uint64_t now  = pt_clock_now(&b->runtime->clock);
    uint64_t load = load_of(b, &stats);
    bool     late = now - b->presence_said_ns >= ANNOUNCE_MS * PT_NS_PER_MS;
    if (load != b->presence_load || (late && sum_of(&stats) != b->presence_sum)) {
        note_said(b, &stats, load, now);
        say(b, &stats, ops);
    }
    look_again(b, mine);
}

void pt_presence_start(patio_broker *b)
{
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    bool               works = false;
    for (size_t i = 0; i < b->queue_count; i++) {
        works = works || b->queues[i].task_count > 0;
    }
    b->presence = works ? b->transport_plugin->ops.query(b->transport, PATIO_PRESENCE_ID) : NULL;
    if (b->presence == NULL) {
        return;
    }
    b->started_at_unix_ms = pt_wall_ms();
    patio_broker_get_stats(b, &stats);
    note_said(b, &stats, load_of(b, &stats), pt_clock_now(&b->runtime->clock));
    say(b, &stats, b->presence);
    look_again(b, 0);
}

void pt_presence_soon(patio_broker *b)
{
    if (b->presence_timer != 0 && !b->presence_over) {
        pt_timers_drop(b->runtime->timers, b->presence_timer);
        b->presence_timer = pt_timers_after(b->runtime->timers, 0, announce, b);
    }
}

/* Its last word is that it drains. */
void pt_presence_stop(patio_broker *b)
{
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    pthread_mutex_lock(&b->lock);
    bool said        = b->presence != NULL && !b->presence_over;
    b->presence_over = true;
    pt_timers_drop(b->runtime->timers, b->presence_timer);
    b->presence_timer = 0;
    pthread_mutex_unlock(&b->lock);
    pt_timers_quiesce(b->runtime->timers);
    if (said) {
        patio_broker_get_stats(b, &stats);
        say(b, &stats, b->presence);
    }
}

/* ---- looking at them ---- */

typedef struct reader {
    patio_broker         *broker;
    patio_worker_visit_fn visit;
    void                 *arg;
} reader;

static int32_t decode_and_visit(void *arg, const patio_presence *p)
{
    reader           *r = arg;
    pt_arena          arena;
    patio_worker_info info = {
        PATIO_SIZED(patio_worker_info),
        .incarnation = p->incarnation,
        .seen_ms     = p->seen_ms,
        .rtt_ns      = p->rtt_ns,
    };
    pt_arena_init(&arena, r->broker->mem, NULL, 0, ARENA_BYTES);
    /* one of a later version, or of nobody, is none that could be shown */
    int32_t stop =
        pt_read_worker(&arena, p->info, &info, NULL) == PATIO_OK ? r->visit(r->arg, &info) : 0;
    pt_arena_reset(&arena);
    return stop;
}

patio_status patio_worker_list(patio_broker *b, uint64_t timeout_ms, patio_worker_visit_fn visit,
                               void *arg, patio_error *err)
{
    const void  *found = NULL;
    reader       r     = {.broker = b, .visit = visit, .arg = arg};
    patio_status st =
        pt_operate(b, "list workers", PATIO_PRESENCE_ID, &timeout_ms, NULL, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_presence_ops *ops = found;
    return pt_operated(b, ops->list(b->transport, timeout_ms, decode_and_visit, &r, err), err);
}
