/* reconnect_world.h: reconnect.c from inside, with a loop whose timers and look-ups are in the
 * test's hands: nothing here waits. One URL, whose name has two addresses. */
#ifndef RECONNECT_WORLD_H
#define RECONNECT_WORLD_H

#include "tcp.h"

enum { MIN_MS = 100, MAX_MS = 15000 };
#define NONE UINT64_MAX

extern patio_transport t;
extern endpoint        ep;
extern uint64_t        random_now;
extern uint64_t        clock_ns;
extern uint64_t        paused_ms; /* until it is tried again; NONE: it is not */
extern uv_timer_cb     then;
extern uv_async_cb     found;   /* to call when the look-up is over */
extern bool            unknown; /* the name */
extern uint32_t        lookups;
extern uint32_t        tries;    /* addresses that were gone to, and refused at once */
extern bool            silent;   /* nobody refuses, and nobody answers: */
extern conn            tried[2]; /* the first, the second; and again */
extern uint32_t        tried_count;

/* A setup of cmocka: it has begun, with the first look-up. */
int begin(void **state);

#endif
