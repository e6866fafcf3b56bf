/* runtime/timers.h: one thread that runs functions at their time; a binary heap by due time. */
#ifndef PT_TIMERS_H
#define PT_TIMERS_H

#include <stdbool.h>

#include <patio/host.h>

#include "base/alloc.h"
#include "base/clock.h"

typedef struct pt_timers pt_timers;

/* clock may be NULL: the real one. The thread begins with the first timer, so a process without any
 * has none; with a manual clock there never is one, and timers run in pt_timers_advance. */
patio_status pt_timers_create(const patio_allocator *mem, pt_clock *clock, pt_timers **out,
                              patio_error *err);
/* Waits for the function that runs now; timers still set never run. NULL is allowed. */
void pt_timers_destroy(pt_timers *timers);

/* See patio_host.after and .cancel. 0: out of memory, or no thread to be had. */
uint64_t pt_timers_after(pt_timers *timers, uint64_t delay_ns, patio_fn fn, void *arg);
bool     pt_timers_cancel(pt_timers *timers, uint64_t timer);
/* Wait until the function that runs now, if any, has returned. Not for its own thread, where it
 * does nothing. */
void pt_timers_quiesce(pt_timers *timers);
/* Move a manual clock to then_ns, from timer to timer, each run on this thread in its turn. `calm`
 * is called where others may have something to do, and waits for them. false: somebody else moves
 * it now. */
bool pt_timers_advance(pt_timers *timers, uint64_t then_ns, patio_fn calm, void *arg);
/* Cancel without waiting: it may be running, or about to. Any lock may be held. */
void pt_timers_drop(pt_timers *timers, uint64_t timer);

#endif
