/* Cases 161 to 169: patio/poll.h, a thread that waits anyway runs the transport's I/O. Whether an
 * offer is taken is the transport's affair: what is checked holds in both cases. */
#include <patio/poll.h>

#include <time.h>

#include "kit.h"

enum {
    CALLS    = 300, /* in a row: enough for any transport that takes offers only in a row */
    WARM_UP  = 30,
    THREADS  = 3,
    CALL     = PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT,
    SHORT_MS = 200,
};

/* What one thread waits for: so many replies of one instance. */
typedef struct waiting {
    kit_instance    *i;
    uint64_t         wanted;
    _Atomic uint32_t told; /* by hand, not by an event */
} waiting;

static uint32_t is_done(const void *arg)
{
    const waiting *w = arg;
    return atomic_load(&w->told) != 0 || atomic_load(&w->i->counter) >= w->wanted;
}

static void count_reply(kit_instance *i, const patio_reply *r)
{
    if ((r->flags & PATIO_REPLY_PARTIAL) == 0) {
        atomic_fetch_add(&i->counter, 1);
        kit_changed(i->k);
    }
}

static uint64_t in_ns(uint64_t ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + ms * 1000000u;
}

/* From any thread. False, and a breach noted, if it ended in a way it may not. */
static bool poll_for(const waiting *w, uint64_t until_ns, patio_status *out)
{
    kit_instance         *i   = w->i;
    const patio_poll_ops *ops = i->k->ops->query(i->t, PATIO_POLL_ID);
    patio_status          st  = ops->poll(i->t, is_done, w, until_ns);
    if (st != PATIO_OK && st != PATIO_TIMEOUT && st != PATIO_STATE) {
        kit_breach(i->k, "poll returned %s", kit_status_name(st));
        return false;
    }
    if (st == PATIO_OK && is_done(w) == 0) {
        kit_breach(i->k, "poll returned OK, but what it waited for has not come");
        return false;
    }
    *out = st;
    return true;
}

/* One after the other, each waited for in `poll` and, if that was refused, as hosts do. */
static uint32_t call_polling(kit *k, kit_instance *caller, uint32_t first, uint32_t count)
{
    uint32_t taken = 0;
    for (uint32_t n = 0; n < count; n++) {
        waiting      w  = {.i = caller, .wanted = atomic_load(&caller->counter) + 1};
        patio_status st = kit_publish(caller, first + n, CALL);
        KIT_STATUS(k, st, PATIO_OK, "publish");
        KIT_CHECK(k, poll_for(&w, in_ns(KIT_SOON_MS), &st), "poll breaks its word");
        taken += st == PATIO_OK ? 1 : 0;
        KIT_AWAIT(k, KIT_SOON_MS, is_done(&w), "no reply to call %u", first + n);
    }
    return taken;
}

static kit_pair open_pair(kit *k)
{
    kit_pair p           = kit_pair_open(k, NULL);
    p.caller->on_replied = count_reply;
    KIT_CHECK(k, kit_query(p.caller, PATIO_POLL_ID) != NULL, "the interface has gone");
    kit_subscribe(p.worker, 8);
    return p;
}

/* Makes the caller one as offers are made for; then nobody works any more. */
static void warm_up(kit *k, kit_pair *p, uint32_t first)
{
    kit_work(p->worker);
    (void)call_polling(k, p->caller, first, WARM_UP);
    kit_work_stop(p->worker);
}

static kit_pair open_warm(kit *k)
{
    kit_pair p = open_pair(k);
    warm_up(k, &p, 0);
    return p;
}

static void a_reply_that_is_polled_for_comes(kit *k)
{
    kit_pair p = open_pair(k);
    kit_work(p.worker);
    uint32_t taken = call_polling(k, p.caller, 0, CALLS);
    kit_note(k, "%u of %u offers led to the reply", taken, (uint32_t)CALLS);
    for (uint32_t n = 0; n < CALLS; n++) {
        KIT_EQUAL(k, kit_replies_of(p.caller, n), 1, "replies to a call");
    }
}

/* Begins a call that nobody answers, and polls for it. */
static patio_status poll_in_vain(kit *k, kit_pair *p, waiting *w, uint32_t number, patio_tag *tag)
{
    patio_status st = PATIO_OK;
    *w              = (waiting){.i = p->caller, .wanted = number + 1};
    KIT_STATUS(k, kit_publish(p->caller, number, CALL), PATIO_OK, "publish");
    *tag          = kit_delivered(p->worker, number).tag;
    uint64_t from = kit_now_ms();
    KIT_CHECK(k, poll_for(w, in_ns(SHORT_MS), &st), "poll breaks its word");
    KIT_CHECK(k, kit_now_ms() - from < SHORT_MS + KIT_SOON_MS / 2, "a poll of %d ms took %llu ms",
              SHORT_MS, (unsigned long long)(kit_now_ms() - from));
    KIT_CHECK(k, st != PATIO_OK, "poll returned OK though nothing had come");
    return st;
}

static void a_poll_ends_at_its_time_and_the_io_goes_on(kit *k)
{
    kit_pair     p   = open_pair(k);
    uint64_t     end = kit_now_ms() + KIT_SOON_MS / 4;
    patio_status st  = PATIO_STATE;
    waiting      w   = {0};
    patio_tag    tag = 0;
    /* it may say "not now", as to a caller that was not quick enough: once more, then */
    for (uint32_t number = 0; st == PATIO_STATE && kit_now_ms() < end; number += WARM_UP + 1) {
        warm_up(k, &p, number);
        st = poll_in_vain(k, &p, &w, number + WARM_UP, &tag);
        kit_settle_ok(p.worker, tag, PATIO_ACK, 0, 20);
        KIT_AWAIT(k, KIT_SOON_MS, is_done(&w), "no reply after a poll that was over");
    }
}

/* ---- another thread polls ---- */

typedef struct poller {
    waiting          w;
    pthread_t        thread;
    patio_status     status;
    _Atomic uint32_t begun;
    _Atomic uint32_t over;
} poller;

static void *poll_without_limit(void *arg)
{
    poller *p = arg;
    atomic_store(&p->begun, 1);
    (void)poll_for(&p->w, UINT64_MAX, &p->status);
    atomic_store(&p->over, 1);
    kit_changed(p->w.i->k);
    return NULL;
}

static void poller_start(kit *k, poller *p)
{
    KIT_CHECK(k, pthread_create(&p->thread, NULL, poll_without_limit, p) == 0, "no thread");
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&p->begun) != 0, "the thread does not begin");
}

static void poller_end(kit *k, poller *p, const char *after)
{
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&p->over) != 0, "poll does not end after %s", after);
    pthread_join(p->thread, NULL);
}

static void an_interrupt_makes_a_poll_look_again(kit *k)
{
    kit_pair              pair = open_warm(k);
    const patio_poll_ops *ops  = kit_query(pair.caller, PATIO_POLL_ID);
    static poller         p;
    p = (poller){.w = {.i = pair.caller, .wanted = UINT64_MAX}};
    KIT_STATUS(k, kit_publish(pair.caller, WARM_UP, CALL), PATIO_OK, "publish");
    patio_tag tag = kit_delivered(pair.worker, WARM_UP).tag;
    poller_start(k, &p);
    atomic_store(&p.w.told, 1);
    ops->interrupt(pair.caller->t);
    poller_end(k, &p, "interrupt");
    ops->interrupt(pair.caller->t); /* nobody there: it does nothing */
    kit_settle_ok(pair.worker, tag, PATIO_ACK, 0, 20);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(pair.caller, WARM_UP) == 1, "no reply");
}

static void a_stop_ends_a_poll(kit *k)
{
    kit_pair      pair = open_warm(k);
    static poller p;
    p = (poller){.w = {.i = pair.caller, .wanted = UINT64_MAX}};
    KIT_STATUS(k, kit_publish(pair.caller, WARM_UP, CALL), PATIO_OK, "publish");
    (void)kit_delivered(pair.worker, WARM_UP);
    poller_start(k, &p);
    kit_instance_stop(pair.caller);
    poller_end(k, &p, "stop");
    KIT_STATUS(k, p.status, PATIO_STATE, "poll beside a stop");
}

/* ---- inside an event ---- */

static void poll_in_event(kit_instance *i, const patio_reply *r)
{
    const patio_poll_ops *ops = i->k->ops->query(i->t, PATIO_POLL_ID);
    waiting               w   = {.i = i, .wanted = UINT64_MAX};
    patio_status          st  = ops->poll(i->t, is_done, &w, in_ns(SHORT_MS));
    if (st != PATIO_STATE) {
        kit_breach(i->k, "poll inside replied returned %s, expected STATE", kit_status_name(st));
    }
    ops->interrupt(i->t);
    count_reply(i, r);
}

static void inside_an_event_a_poll_is_refused(kit *k)
{
    kit_pair p           = open_pair(k);
    p.caller->on_replied = poll_in_event;
    kit_work(p.worker);
    (void)call_polling(k, p.caller, 0, WARM_UP);
}

/* ---- several at once ---- */

typedef struct many {
    kit_instance    *caller;
    uint32_t         first;
    pthread_t        thread;
    _Atomic uint32_t over;
} many;

/* Replies are counted for the instance: each waits until all that were called for by then are in,
 * which is more than its own. */
static void *call_and_poll(void *arg)
{
    many *m = arg;
    for (uint32_t n = 0; n < CALLS / THREADS; n++) {
        uint32_t     number = m->first + n;
        waiting      w      = {.i = m->caller, .wanted = atomic_load(&m->caller->counter) + 1};
        patio_status st     = PATIO_OK;
        if (kit_publish(m->caller, number, CALL) != PATIO_OK) {
            kit_breach(m->caller->k, "publish of call %u failed", number);
            break;
        }
        (void)poll_for(&w, in_ns(SHORT_MS), &st);
    }
    atomic_store(&m->over, 1);
    kit_changed(m->caller->k);
    return NULL;
}

static void several_poll_at_once_and_every_reply_comes(kit *k)
{
    static many m[THREADS];
    kit_pair    p = open_pair(k);
    kit_work(p.worker);
    for (uint32_t i = 0; i < THREADS; i++) {
        m[i] = (many){.caller = p.caller, .first = i * CALLS};
        KIT_CHECK(k, pthread_create(&m[i].thread, NULL, call_and_poll, &m[i]) == 0, "no thread");
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        KIT_AWAIT(k, 4 * KIT_SOON_MS, atomic_load(&m[i].over) != 0, "a thread stays in poll");
        pthread_join(m[i].thread, NULL);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        for (uint32_t n = 0; n < CALLS / THREADS; n++) {
            KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, i * CALLS + n) == 1,
                      "%llu replies to call %u",
                      (unsigned long long)kit_replies_of(p.caller, i * CALLS + n), i * CALLS + n);
        }
    }
}

const kit_case kit_poll_cases[] = {
    {161, 60, "a_reply_that_is_polled_for_comes", "poll.h poll", 0, KIT_QUERY, PATIO_POLL_ID,
     a_reply_that_is_polled_for_comes},
    {162, 0, "a_poll_ends_at_its_time_and_the_io_goes_on", "poll.h poll", 0, KIT_QUERY,
     PATIO_POLL_ID, a_poll_ends_at_its_time_and_the_io_goes_on},
    {163, 0, "an_interrupt_makes_a_poll_look_again", "poll.h interrupt", 0, KIT_QUERY,
     PATIO_POLL_ID, an_interrupt_makes_a_poll_look_again},
    {164, 0, "a_stop_ends_a_poll", "poll.h poll", 0, KIT_QUERY, PATIO_POLL_ID, a_stop_ends_a_poll},
    {165, 0, "inside_an_event_a_poll_is_refused", "poll.h poll", 0, KIT_QUERY, PATIO_POLL_ID,
     inside_an_event_a_poll_is_refused},
    {166, 60, "several_poll_at_once_and_every_reply_comes", "poll.h poll", 0, KIT_QUERY,
     PATIO_POLL_ID, several_poll_at_once_and_every_reply_comes},
    {0},
};
