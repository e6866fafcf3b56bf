#include "base/clock.h"
#include "runtime/worker.h"

enum { LEND_AGAIN_NS = 20 * 1000 * 1000 };

bool patio_future_done(const patio_future *f)
{
    /* in one order with what a waiter has said before it looks: see finish() in future_table.c */
    return atomic_load_explicit(&f->done, memory_order_seq_cst) != 0;
}

static bool is_done(const void *arg)
{
    return patio_future_done(arg);
}

/* The waiter is there anyway: it ends its own call when the time is up, to the microsecond. */
void pt_future_expire(patio_future *f, uint64_t now_ns)
{
    uint64_t word = atomic_load(&f->word);
    now_ns        = f->table->clock->manual ? pt_clock_now(f->table->clock) : now_ns;
    if (now_ns >= atomic_load(&f->deadline_ns) && pt_future_claim_word(f, word)) {
        pt_future_give_up(f, PATIO_TIMEOUT, NULL);
    }
}

static uint32_t is_over(const void *arg)
{
    return patio_future_done(arg) ? 1 : 0;
}

/* Read the reply here, instead of waiting for somebody who reads it. */
static void wait_polling(patio_future *f, uint64_t until_ns)
{
    const pt_futures *table = f->table;
    if (table->poll != NULL) {
        atomic_fetch_add_explicit(&f->pollers, 1, memory_order_seq_cst);
        (void)table->poll->poll(table->transport, is_over, f, until_ns);
        atomic_fetch_sub_explicit(&f->pollers, 1, memory_order_seq_cst);
    }
}

static bool wait_until(patio_future *f, uint64_t until_ns)
{
    if (patio_future_done(f)) {
        return true;
    }
    uint64_t deadline = pt_future_sleep_end(f);
    uint64_t sleep_to = deadline < until_ns ? deadline : until_ns;
    bool     in_time  = true;
    if (!pt_has_passed(sleep_to)) {
        wait_polling(f, sleep_to);
        if (patio_future_done(f)) {
            return true;
        }
    }
    uint64_t from = pt_now_ns();
    if (sleep_to > from) {
        (void)patio_spin_until(&f->table->spin, is_done, f);
    }
    while (!patio_future_done(f) && in_time) {
        atomic_fetch_add_explicit(&f->sleepers, 1, memory_order_seq_cst);
        if (!patio_future_done(f)) {
            in_time = pt_park(&f->done, 0, sleep_to);
        }
        atomic_fetch_sub_explicit(&f->sleepers, 1, memory_order_seq_cst);
    }
    uint64_t now = pt_now_ns();
    patio_spin_learn(&f->table->spin, now - from);
    if (!patio_future_done(f)) {
        pt_future_expire(f, now);
        if (now < until_ns) {
            /* somebody else is completing it this very moment */
            while (!patio_future_done(f)) {
                patio_spin_pause();
            }
        }
    }
    return patio_future_done(f);
}

/* Where the thread of the task sleeps, its slot is somebody else's meanwhile. */
static patio_status wait_lending(pt_awaiter *me, patio_future *const *futures, size_t count,
                                 uint64_t until_ns, size_t *index)
{
    bool         lends = me->ops == NULL && pt_lends(me);
    bool         lent  = lends && pt_lend(me);
    patio_status st    = PATIO_OK;
    for (bool again = true; again;) {
        /* As many as may be are lent, for now: some of them by tasks that end soon. Nobody says
         * when, so it is asked again now and then. */
        uint64_t slice = pt_now_ns() + LEND_AGAIN_NS;
        uint64_t end   = lends && !lent && slice < until_ns ? slice : until_ns;
        st             = pt_future_await(me, futures, count, end, index);
        again = st == PATIO_TIMEOUT && end < until_ns && pt_await_told(me, pt_now_ns()) == PATIO_OK;
        lent  = lent || (again && pt_lend(me));
    }
    if (lent) {
        pt_lend_back(me);
    }
    return st;
}

/* A task that holds its thread looks for a moment first. */
static patio_status wait_on_thread(pt_awaiter *me, patio_future *f, uint64_t until_ns)
{
    size_t       index = 0;
    uint64_t     from  = pt_now_ns();
    patio_status st    = PATIO_OK;
    if (!patio_spin_until(&f->table->spin, is_done, f)) {
        st = wait_lending(me, &f, 1, until_ns, &index);
    }
    patio_spin_learn(&f->table->spin, pt_now_ns() - from);
    return st;
}

/* A task waits as its executor can, and until it is told to end. */
static patio_status wait_one(patio_future *f, uint64_t until_ns)
{
    pt_awaiter *me = pt_await_current();
    if (patio_future_done(f)) {
        return PATIO_OK;
    }
    if (me == NULL) {
        return wait_until(f, until_ns) ? PATIO_OK : PATIO_TIMEOUT;
    }
    size_t index = 0;
    return me->ops != NULL ? pt_future_await(me, &f, 1, until_ns, &index)
                           : wait_on_thread(me, f, until_ns);
}

static uint64_t end_of(uint64_t timeout_ms)
{
    return timeout_ms == PATIO_FOREVER ? UINT64_MAX : pt_after_ms(pt_now_ns(), timeout_ms);
}

patio_status patio_future_wait(patio_future *f, uint64_t timeout_ms)
{
    return patio_future_done(f) ? PATIO_OK : wait_one(f, end_of(timeout_ms));
}

patio_status patio_future_wait_all(patio_future *const *futures, size_t count, uint64_t timeout_ms)
{
    uint64_t     until = end_of(timeout_ms);
    patio_status st    = PATIO_OK;
    for (size_t i = 0; i < count && st == PATIO_OK; i++) {
        st = wait_one(futures[i], until);
    }
    return st;
}

static bool find_done(patio_future *const *futures, size_t count, size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (patio_future_done(futures[i])) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* The futures may be of several brokers, and so of several tables; sleeping on one word is then not
 * enough. The first's table gets the sleep, the others are looked at now and then. */
static uint64_t nap_end(patio_future *const *futures, size_t count, uint64_t now, uint64_t until)
{
    uint64_t end = until;
    for (size_t i = 0; i < count; i++) {
        uint64_t deadline = pt_future_sleep_end(futures[i]);
        end               = deadline < end ? deadline : end;
        if (futures[i]->table != futures[0]->table) {
            uint64_t look = now + PT_NS_PER_MS;
            end           = look < end ? look : end;
        }
    }
    return end;
}

patio_status patio_future_wait_any(patio_future *const *futures, size_t count, uint64_t timeout_ms,
                                   size_t *index)
{
    if (count == 0) {
        return PATIO_INVALID;
    }
    if (pt_await_current() != NULL) {
        return wait_lending(pt_await_current(), futures, count, end_of(timeout_ms), index);
    }
    uint64_t    now   = pt_now_ns();
    uint64_t    until = end_of(timeout_ms);
    pt_futures *table = futures[0]->table;
    bool        found = find_done(futures, count, index);
    atomic_fetch_add_explicit(&table->crowd, 1, memory_order_seq_cst);
    while (!found && now < until) {
        uint32_t tide = atomic_load_explicit(&table->tide, memory_order_seq_cst);
        found         = find_done(futures, count, index);
        if (!found) {
            (void)pt_park(&table->tide, tide, nap_end(futures, count, now, until));
            now = pt_now_ns();
            for (size_t i = 0; i < count; i++) {
                pt_future_expire(futures[i], now);
            }
            found = find_done(futures, count, index);
        }
    }
    atomic_fetch_sub_explicit(&table->crowd, 1, memory_order_seq_cst);
    return found ? PATIO_OK : PATIO_TIMEOUT;
}
