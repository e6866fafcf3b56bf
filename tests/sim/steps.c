#include "history.h"

#include <string.h>

static uint64_t now_ms(void)
{
    return patio_runtime_now_ms(h->f.runtime);
}

static uint32_t state_of(const record *r)
{
    patio_task_report report = {PATIO_SIZED(patio_task_report)};
    assert_ok(patio_result_get(h->f.broker, NULL, r->id, 0, &report, NULL, &h->f.err), h->f.err);
    return report.state;
}

/* What a task becomes under a key. */
typedef enum chance { FRESH, REPEATS, REPLACES } chance;

static chance chance_of(const holder *k, uint32_t conflict)
{
    if (k == NULL || k->task == NULL || now_ms() >= k->until_ms) {
        return FRESH;
    }
    uint32_t state = k->left ? PATIO_STATE_UNKNOWN : state_of(k->task);
    if (conflict != PATIO_DEDUP_REPLACE || state == PATIO_STATE_RUNNING) {
        return REPEATS;
    }
    return state == PATIO_STATE_QUEUED ? REPLACES : FRESH;
}

static void note_key(record *r, holder *k, const patio_call_options *o, chance was)
{
    if (was == REPEATS) {
        if (!r->calls_back) {
            assert_memory_equal(&r->id, &k->task->id, sizeof(r->id));
        }
        r->accepted = r->calls_back;
        r->repeats  = true;
        seen.repeats++;
        r->id = r->calls_back ? r->id : (patio_id){{0}};
        return;
    }
    if (was == REPLACES) {
        seen.replaced++;
        k->task->gone    = true;
        k->task->removed = true;
    }
    *k = (holder){.task = r, .until_ms = now_ms() + o->dedup_window_ms};
}

static void begin_task(void)
{
    static const char *const names[KEYS] = {"a", "b", "c"};
    if (h->count == TASKS_MAX) {
        return;
    }
    record            *r = &h->tasks[h->count];
    patio_call_options o = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE,
                            .priority = PATIO_PRIORITY(draw(10))};
    holder            *k = draw(4) == 0 ? &h->keys[draw(KEYS)] : NULL;
    r->kind              = draw(DO_KINDS);
    r->calls_back        = draw(2) == 0;
    r->once              = draw(6) == 0;
    o.ack                = r->once ? PATIO_ACK_ON_START + 1 : 0;
    o.delay_ms           = draw(4) == 0 ? draw(10000) : 0;
    h->count++;
    if (k != NULL) {
        o.dedup_key       = names[k - h->keys];
        o.dedup_window_ms = 1 + draw(30000);
        o.dedup_conflict  = draw(3);
    }
    chance was = chance_of(k, o.dedup_conflict);
    if (r->calls_back) {
        o.timeout_ms = 1 + draw(60000);
        r->accepted  = patio_start(h->f.broker, "play", PATIO_ARGS((int64_t)h->count - 1), &o,
                                   &r->future, &h->f.err) == PATIO_OK;
        r->id        = r->accepted ? patio_future_id(r->future) : r->id;
    } else {
        o.queue_ttl_ms = draw(5) == 0 ? 1 + draw(20000) : 0;
        r->accepted = patio_send(h->f.broker, "play", PATIO_ARGS((int64_t)h->count - 1), &o, &r->id,
                                 &h->f.err) == PATIO_OK;
    }
    if (r->accepted && k != NULL) {
        note_key(r, k, &o, was);
    }
}

static void cancel_one(void)
{
    uint32_t outcome = 0;
    if (h->count == 0) {
        return;
    }
    record *r = &h->tasks[draw(h->count)];
    if (r->accepted && r->future != NULL && draw(2) == 0) {
        patio_future_cancel(r->future);
        r->removed = true;
    } else if (r->accepted) {
        assert_ok(patio_cancel(h->f.broker, NULL, r->id, 0, &outcome, &h->f.err), h->f.err);
        r->removed = r->removed || outcome != PATIO_CANCEL_TOO_LATE;
        r->gone    = r->gone || outcome == PATIO_CANCEL_REMOVED;
        seen.cancelled += outcome == PATIO_CANCEL_REMOVED;
    }
}

/* What waits is gone. */
static void purge(void)
{
    uint64_t waits = 0;
    uint64_t count = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        record *r = &h->tasks[i];
        if (r->accepted && state_of(r) == PATIO_STATE_QUEUED) {
            r->removed = true;
            r->gone    = true;
            waits++;
        }
    }
    assert_ok(patio_queue_purge(h->f.broker, NULL, 0, &count, &h->f.err), h->f.err);
    assert_int_equal(count, waits);
    seen.purged += count;
}

static int32_t note_dead(void *arg, const patio_dead_info *d)
{
    uint32_t *count = arg;
    record   *r     = task_of(d->id);
    assert_false(r->dead); /* in there once */
    assert_false(r->gone);
    r->dead = true;
    ++*count;
    return 0;
}

void look_at_the_dead(void)
{
    uint32_t dead = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        h->tasks[i].dead = false;
    }
    assert_ok(patio_dead_list(h->f.broker, NULL, NULL, TASKS_MAX, 0, note_dead, &dead, &h->f.err),
              h->f.err);
    assert_int_equal(dead, counts_of(h->f.broker, NULL).dead);
}

/* All of them go back, as if they had never been tried. */
static void retry_the_dead(void)
{
    look_at_the_dead();
    for (uint32_t i = 0; i < KEYS; i++) {
        h->keys[i].left = h->keys[i].left || (h->keys[i].task != NULL && h->keys[i].task->dead);
    }
    for (uint32_t i = 0; i < h->count; i++) {
        record *r = &h->tasks[i];
        seen.back += r->dead;
        r->charged = r->dead ? 0 : r->charged;
        r->crashes = r->dead ? 0 : r->crashes;
        r->dead    = false;
    }
    assert_ok(patio_dead_retry(h->f.broker, NULL, NULL, 0, NULL, &h->f.err), h->f.err);
}

void step(void)
{
    static const uint32_t states[] = {PATIO_QUEUE_OPEN, PATIO_QUEUE_OPEN, PATIO_QUEUE_PAUSED,
                                      PATIO_QUEUE_DRAINING};
    uint32_t              w        = draw(WORKERS);
    uint32_t              what     = draw(100);
    if (what < 40) {
        begin_task();
    } else if (what < 70) {
        play_job(w);
    } else if (what < 82) {
        move(draw(8000));
    } else if (what < 88) {
        cancel_one();
    } else if (what < 91) {
        close_worker(w);
    } else if (what < 95) {
        if (h->workers[w] == NULL) {
            open_worker(w, 1 + draw(4));
        }
    } else if (what < 97) {
        assert_ok(patio_queue_set_state(h->f.broker, NULL, states[draw(4)], 0, &h->f.err),
                  h->f.err);
    } else if (what < 98) {
        assert_ok(patio_queue_set_limit(h->f.broker, NULL, draw(3), 0, &h->f.err), h->f.err);
    } else if (what < 99) {
        retry_the_dead();
    } else {
        purge();
    }
}
