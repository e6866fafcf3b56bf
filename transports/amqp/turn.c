#include "transport.h"

#include <time.h>

enum {
    STREAK     = 8,               /* calls in a row, before the I/O thread is asked to step aside */
    SOON_NS    = 1000 * 1000,     /* from an answer to the next call */
    PARK_NS    = 8 * 1000 * 1000, /* without a guest, until the I/O thread has the loop back */
    FEW        = 4,               /* messages that are not confirmed */
    NS_PER_MS  = 1000 * 1000,
    NS_PER_SEC = 1000 * 1000 * 1000,
};

/* A thread, as a number that is not 0. */
static uintptr_t me(void)
{
    return (uintptr_t)pthread_self();
}

void turn_init(io_turn *u)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&u->passed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void turn_fini(io_turn *u)
{
    pthread_cond_destroy(&u->passed);
}

/* Real time, also where the host's clock is moved by hand: this is about threads. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Under the lock: until something is passed on, or that time. */
static void wait_until(patio_transport *t, uint64_t until_ns)
{
    struct timespec when = {.tv_sec  = (time_t)(until_ns / NS_PER_SEC),
                            .tv_nsec = (long)(until_ns % NS_PER_SEC)};
    if (until_ns == UINT64_MAX) {
        pthread_cond_wait(&t->turn.passed, &t->lock);
    } else {
        (void)pthread_cond_timedwait(&t->turn.passed, &t->lock, &when);
    }
}

static uintptr_t runner(const io_turn *u)
{
    return atomic_load_explicit(&u->runner, memory_order_relaxed);
}

static void run_by(io_turn *u, uintptr_t thread)
{
    atomic_store_explicit(&u->runner, thread, memory_order_relaxed);
}

bool turn_is_mine(const patio_transport *t)
{
    /* only this thread writes itself there */
    return runner(&t->turn) == me();
}

void turn_begin(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    run_by(&t->turn, me());
    pthread_mutex_unlock(&t->lock);
}

void turn_end(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    run_by(&t->turn, 0);
    pthread_mutex_unlock(&t->lock);
}

bool turn_will_poll(const patio_transport *t)
{
    const io_turn *u = &t->turn;
    return u->parked && !u->wanted && runner(u) == 0 && u->guest == me();
}

void turn_publishes(patio_transport *t, bool call)
{
    if ((t->turn.parked || t->turn.asked) && !(call && t->turn.guest == me())) {
        turn_recall(t);
    }
}

void turn_recall(patio_transport *t)
{
    io_turn *u = &t->turn;
    u->streak  = 0;
    if (u->asked) {
        u->asked = false;
        pthread_cond_broadcast(&u->passed);
    }
    if (u->parked && !u->wanted) {
        u->wanted = true;
        if (runner(u) != 0) {
            loop_wake(t); /* the guest leaves, and says so */
        } else {
            pthread_cond_broadcast(&u->passed);
        }
    }
}

/* ---- the I/O thread ---- */

/* Parked: until the role is wanted back, or nobody has come for it. A guest that stays for long is
 * not looked after: it says when it leaves. */
static void wait_for_turn(patio_transport *t)
{
    io_turn *u      = &t->turn;
    uint64_t before = u->polls;
    for (;;) {
        bool     taken = runner(u) != 0;
        uint64_t now   = now_ns();
        if (!taken && (u->wanted || now >= u->left_ns + PARK_NS)) {
            return;
        }
        u->asleep = taken && u->polls == before;
        before    = u->polls;
        wait_until(t, u->asleep ? UINT64_MAX : (taken ? now : u->left_ns) + PARK_NS);
        u->asleep = false;
    }
}

bool turn_lend(patio_transport *t)
{
    io_turn *u = &t->turn;
    pthread_mutex_lock(&t->lock);
    if (u->asked) {
        u->asked   = false;
        u->parked  = true;
        u->wanted  = false;
        u->left_ns = now_ns();
        run_by(u, 0);
        pthread_cond_broadcast(&u->passed);
        wait_for_turn(t);
        u->parked = false;
        u->wanted = false;
        run_by(u, me());
    }
    bool on = !t->quit;
    pthread_mutex_unlock(&t->lock);
    return on;
}

/* ---- the guest ---- */

/* One call is all there is to do here, and the confirmations of those before it, which may come
 * after their replies. TLS is left to the I/O thread: it writes there, too. */
static bool is_alone(const patio_transport *t)
{
    if (!t->started || t->stopping || t->quit || t->set.tls || t->raised != PATIO_LINK_UP ||
        t->posts > FEW || t->ring_next - t->ring_first > FEW || t->resend.first != NULL ||
        t->rpc_first != NULL || t->decided != NULL || t->asks != NULL || t->browses != NULL ||
        t->leases.next != &t->leases) {
        return false;
    }
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        if (q->subscribed) {
            return false;
        }
    }
    return true;
}

/* Has one call followed the other often enough, quickly enough? */
static bool is_sequential(patio_transport *t)
{
    io_turn *u    = &t->turn;
    uint64_t now  = t->host->now_ns(t->host->self);
    bool     soon = now < u->answered_ns + SOON_NS && u->guest == me();
    u->guest      = me();
    u->streak     = soon ? u->streak + 1 : 0;
    return u->streak >= STREAK;
}

/* Have the I/O thread put the role down. */
static void ask_for_it(patio_transport *t, patio_poll_done_fn done, const void *arg,
                       uint64_t until_ns)
{
    io_turn *u = &t->turn;
    u->asked   = true;
    loop_wake(t);
    while (u->asked && done(arg) == 0 && now_ns() < until_ns) {
        wait_until(t, until_ns);
    }
    if (u->asked && done(arg) == 0) {
        turn_recall(t); /* the call goes on, and its caller does not wait here */
    }
    /* one whose reply has come will be back at once: the I/O thread may step aside all the same */
}

/* Under the lock. */
static bool take(patio_transport *t, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    io_turn *u = &t->turn;
    if (!is_alone(t) || (u->parked && runner(u) != 0)) {
        turn_recall(t);
        return false;
    }
    if (!u->parked) {
        if (u->asked || !is_sequential(t)) {
            return false;
        }
        ask_for_it(t, done, arg, until_ns);
    }
    if (!u->parked || u->wanted || runner(u) != 0) {
        return false;
    }
    u->guest = me();
    u->polls++;
    run_by(u, me());
    return true;
}

/* How long a round may sleep, if it is to be over in time; 0: the host knows better how to wait. */
static int limit_ms(uint64_t until_ns)
{
    uint64_t now = now_ns();
    if (until_ns < now + NS_PER_MS) {
        return 0;
    }
    uint64_t ms = (until_ns - now) / NS_PER_MS;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* Under the lock, which is open while the loop runs. */
static patio_status run_loop(patio_transport *t, patio_poll_done_fn done, const void *arg,
                             uint64_t until_ns)
{
    const io_turn *u    = &t->turn;
    patio_status   st   = done(arg) != 0 ? PATIO_OK : PATIO_TIMEOUT;
    int            most = limit_ms(until_ns);
    while (st != PATIO_OK && !u->wanted && most > 0) {
        pthread_mutex_unlock(&t->lock);
        loop_round(t, done, arg, most);
        pthread_mutex_lock(&t->lock);
        st   = done(arg) != 0 ? PATIO_OK : PATIO_TIMEOUT;
        most = limit_ms(until_ns);
    }
    return st != PATIO_OK && u->wanted ? PATIO_STATE : st;
}

static patio_status poll_loop(patio_transport *t, patio_poll_done_fn done, const void *arg,
                              uint64_t until_ns)
{
    io_turn *u   = &t->turn;
    int      old = 0;
    if (turn_is_mine(t)) {
        return PATIO_STATE; /* inside an event */
    }
    /* a guest that were cancelled in here would take the loop with it */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_mutex_lock(&t->lock);
    patio_status st = PATIO_STATE;
    if (take(t, done, arg, until_ns)) {
        st = run_loop(t, done, arg, until_ns);
        run_by(u, 0);
        u->left_ns = now_ns();
        /* what its callbacks have begun, or a call that goes on without it, is not left to wait */
        u->wanted = u->wanted || st != PATIO_OK || !is_alone(t);
        if (u->wanted || u->asleep) {
            pthread_cond_broadcast(&u->passed);
        }
    }
    st = st != PATIO_OK && done(arg) != 0 ? PATIO_OK : st;
    /* from here on it may be stopped and freed: another thread has the role, or takes it */
    pthread_mutex_unlock(&t->lock);
    (void)pthread_setcancelstate(old, NULL);
    return st;
}

static void interrupt(patio_transport *t)
{
    io_turn *u = &t->turn;
    pthread_mutex_lock(&t->lock);
    if (u->asked) {
        pthread_cond_broadcast(&u->passed);
    } else if (u->parked && runner(u) != 0) {
        loop_wake(t);
    }
    pthread_mutex_unlock(&t->lock);
}

const patio_poll_ops poll_ops = {PATIO_SIZED(patio_poll_ops), .poll = poll_loop,
                                 .interrupt = interrupt};
