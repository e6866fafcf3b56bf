/* Callbacks of futures, where they may run. */
#include "runtime/broker.h"

/* The calls that this thread is starting right now, the innermost first. */
static _Thread_local const pt_starting *now_starting __attribute__((tls_model("initial-exec")));

void pt_callback_hold(pt_starting *starting, const patio_future *f)
{
    *starting    = (pt_starting){.outer = now_starting, .future = f};
    now_starting = starting;
}

void pt_callback_release(const pt_starting *starting)
{
    now_starting = starting->outer;
}

bool pt_callback_may_run(const patio_future *f)
{
    const pt_starting *s = now_starting;
    while (s != NULL && s->future != f) {
        s = s->outer;
    }
    return s == NULL;
}

void pt_callback_run(patio_future *f)
{
    if (f->on_done != NULL) {
        f->on_done(f, f->on_done_arg);
    }
    pt_future_unref(f);
}

static _Atomic uint32_t *next_owed(const void *table, uint32_t slot)
{
    return &pt_futures_at(table, slot)->next_free;
}

static void pay(void *self)
{
    patio_broker *b = self;
    pthread_mutex_lock(&b->lock);
    pt_timers_drop(b->runtime->timers, b->owed_timer); /* if it is not the timer that called */
    b->owed_timer = 0;
    pthread_mutex_unlock(&b->lock);
    uint32_t slot = pt_stack_pop(&b->futures.owed, next_owed, &b->futures);
    while (slot != 0) {
        pt_callback_run(pt_futures_at(&b->futures, slot - 1));
        slot = pt_stack_pop(&b->futures.owed, next_owed, &b->futures);
    }
}

void pt_callback_owe(patio_future *f)
{
    patio_broker *b = f->table->broker;
    pt_stack_push(&b->futures.owed, f->slot, &f->next_free);
    pthread_mutex_lock(&b->lock);
    if (b->owed_timer == 0) {
        b->owed_timer = pt_timers_after(b->runtime->timers, 0, pay, b);
    }
    bool timed = b->owed_timer != 0;
    pthread_mutex_unlock(&b->lock);
    if (!timed) {
        pay(b); /* out of memory: on the wrong thread is better than never */
    }
}

void pt_callbacks_pay(patio_broker *b)
{
    pay(b);
}
