#include "turn.h"

#include <time.h>

enum {
    STREAK     = 8,           /* waits in a row, before the I/O thread is asked to step aside */
    SOON_NS    = 1000 * 1000, /* from an answer to the next wait */
    NS_PER_MS  = 1000 * 1000,
    TICK_MS    = 100, /* the kernel's clock that costs little is not as late as that */
    NS_PER_SEC = 1000 * 1000 * 1000,
};

/* A thread, as a number that is not 0. */
static uintptr_t me(void)
{
    return (uintptr_t)pthread_self();
}

void turn_init(io_turn *u, const io_turn_ops *ops, void *self, pthread_mutex_t *lock)
{
    pthread_condattr_t monotonic;
    *u = (io_turn){.ops = ops, .self = self, .lock = lock};
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
static uint64_t ns_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static uint64_t real_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

/* Under the lock: until something is passed on, or that time. */
static void wait_until(io_turn *u, uint64_t until_ns)
{
    struct timespec when = {.tv_sec  = (time_t)(until_ns / NS_PER_SEC),
                            .tv_nsec = (long)(until_ns % NS_PER_SEC)};
    if (until_ns == UINT64_MAX) {
        pthread_cond_wait(&u->passed, u->lock);
    } else {
        (void)pthread_cond_timedwait(&u->passed, u->lock, &when);
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

static bool is_asked(const io_turn *u)
{
    return atomic_load_explicit(&u->asked, memory_order_relaxed);
}

static void ask(io_turn *u, bool asked)
{
    atomic_store_explicit(&u->asked, asked, memory_order_relaxed);
}

bool turn_is_mine(const io_turn *u)
{
    return runner(u) == me(); /* only this thread writes itself there */
}

void turn_begin(io_turn *u)
{
    pthread_mutex_lock(u->lock);
    run_by(u, me());
    pthread_mutex_unlock(u->lock);
}

void turn_end(io_turn *u)
{
    pthread_mutex_lock(u->lock);
    run_by(u, 0);
    pthread_mutex_unlock(u->lock);
}

bool turn_will_poll(const io_turn *u)
{
    return u->guest == me();
}

bool turn_is_free(const io_turn *u)
{
    return u->parked && !u->wanted && runner(u) == 0;
}

bool turn_is_wanted(const io_turn *u)
{
    return is_asked(u) || u->wanted;
}

void turn_recall(io_turn *u)
{
    u->streak = 0;
    if (is_asked(u)) {
        ask(u, false);
        pthread_cond_broadcast(&u->passed);
    }
    if (u->parked && !u->wanted) {
        u->wanted = true;
        if (runner(u) != 0) {
            u->ops->kick(u->self); /* the guest leaves, and says so */
        } else {
            pthread_cond_broadcast(&u->passed);
        }
    }
}

bool turn_is_taken(io_turn *u)
{
    if (u->parked && runner(u) == 0) {
        turn_recall(u);
        return false;
    }
    return true;
}

void turn_task_came(io_turn *u, uint64_t now_ns)
{
    if (now_ns >= u->answered_ns + u->ops->park_ns) {
        u->streak = 0;
    }
}

/* ---- the I/O thread ---- */

/* Parked: until the role is wanted back, or nobody has come for it. A guest that stays for long is
 * not looked after: it says when it leaves. */
static void wait_for_turn(io_turn *u)
{
    uint64_t seen = u->polls;
    for (;;) {
        bool     taken = runner(u) != 0;
        uint64_t now   = real_ns();
        if (!taken && (u->wanted || now >= u->left_ns + u->ops->park_ns)) {
            return;
        }
        u->asleep = taken && u->polls == seen;
        seen      = u->polls;
        wait_until(u, u->asleep ? UINT64_MAX : (taken ? now : u->left_ns) + u->ops->park_ns);
        u->asleep = false;
    }
}

void turn_lend(io_turn *u)
{
    if (!is_asked(u)) {
        return;
    }
    pthread_mutex_lock(u->lock);
    if (is_asked(u)) { /* else it was recalled before it was lent */
        ask(u, false);
        u->parked  = true;
        u->wanted  = false;
        u->left_ns = real_ns();
        run_by(u, 0);
        pthread_cond_broadcast(&u->passed);
        wait_for_turn(u);
        u->parked = false;
        u->wanted = false;
        run_by(u, me());
    }
    pthread_mutex_unlock(u->lock);
}

/* ---- the guest ---- */

/* Has one wait followed the other often enough, quickly enough? */
static bool is_sequential(io_turn *u)
{
    bool soon = u->ops->now_ns(u->self) < u->answered_ns + SOON_NS && u->guest == me();
    u->guest  = me();
    u->streak = soon ? u->streak + 1 : 0;
    return u->streak >= STREAK;
}

/* Have the I/O thread put the role down. */
static void ask_for_it(io_turn *u, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    ask(u, true);
    u->ops->kick(u->self);
    while (is_asked(u) && done(arg) == 0 && real_ns() < until_ns) {
        wait_until(u, until_ns);
    }
    if (is_asked(u) && done(arg) == 0) {
        turn_recall(u); /* the call goes on, and its caller does not wait here */
    }
    /* one whose reply has come will be back at once: the I/O thread may step aside all the same */
}

/* Under the lock. */
static bool take(io_turn *u, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    if (!u->ops->alone(u->self) || (u->parked && runner(u) != 0)) {
        turn_recall(u);
        return false;
    }
    if (!u->parked) {
        if (is_asked(u) || !is_sequential(u)) {
            return false;
        }
        ask_for_it(u, done, arg, until_ns);
    }
    if (!u->parked || u->wanted || runner(u) != 0) {
        return false;
    }
    u->guest = me();
    u->polls++;
    run_by(u, me());
    return true;
}

int turn_sleep_ms(uint64_t until_ns)
{
    /* of a time far off it sleeps a little less, and then looks at the exact clock */
    uint64_t now = ns_of(CLOCK_MONOTONIC_COARSE) + (uint64_t)TICK_MS * NS_PER_MS;
    now          = until_ns > now + NS_PER_MS ? now : real_ns();
    uint64_t ms  = until_ns > now ? (until_ns - now) / NS_PER_MS : 0;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* Under the lock. */
static patio_status run(io_turn *u, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    patio_status st = done(arg) != 0 ? PATIO_OK : PATIO_TIMEOUT;
    bool         on = true;
    while (st != PATIO_OK && !u->wanted && on) {
        on = u->ops->run(u->self, done, arg, until_ns);
        st = done(arg) != 0 ? PATIO_OK : PATIO_TIMEOUT;
    }
    return st != PATIO_OK && u->wanted ? PATIO_STATE : st;
}

patio_status turn_poll(io_turn *u, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    int old = 0;
    if (turn_is_mine(u)) {
        return PATIO_STATE; /* inside an event */
    }
    /* a guest that were cancelled in here would take the role with it */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_mutex_lock(u->lock);
    patio_status st = PATIO_STATE;
    if (take(u, done, arg, until_ns)) {
        st = run(u, done, arg, until_ns);
        run_by(u, 0);
        u->left_ns = real_ns();
        /* what its callbacks have begun, or a call that goes on without it, is not left to wait;
         * nor does one lend to whom tasks come side by side, or now and then */
        u->wanted = u->wanted || st != PATIO_OK || u->streak == 0 || u->ops->rest(u->self);
        if (u->wanted || u->asleep) {
            pthread_cond_broadcast(&u->passed);
        }
    }
    st = st != PATIO_OK && done(arg) != 0 ? PATIO_OK : st;
    /* from here on it may be stopped and freed: another thread has the role, or takes it */
    pthread_mutex_unlock(u->lock);
    (void)pthread_setcancelstate(old, NULL);
    return st;
}

void turn_interrupt(io_turn *u)
{
    if (turn_is_mine(u) && u->parked) { /* a guest: nobody else writes that while it is there */
        u->ops->hurry(u->self);         /* done before it sleeps: it must not */
        return;
    }
    pthread_mutex_lock(u->lock);
    if (is_asked(u)) {
        pthread_cond_broadcast(&u->passed);
    } else if (u->parked && runner(u) != 0) {
        u->ops->kick(u->self);
    }
    pthread_mutex_unlock(u->lock);
}
