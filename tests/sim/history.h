/* sim/history.h: one history of the simulated world: what happened to each task, and what may still
 * happen to it. All of it on the test's thread; what its seed draws is all that differs.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "fixture.h"
#include "world.h"

enum { TASKS_MAX = 400, WORKERS = 2, KEYS = 3, MAX_ATTEMPTS = 5, MAX_CRASHES = 3, HOUR = 3600000 };

/* What a task does is in its argument. */
enum { DO_OK, DO_FAIL, DO_RETRY, DO_RETRY_ONCE, DO_SNOOZE_ONCE, DO_KINDS };

typedef struct record {
    patio_id      id;
    patio_future *future; /* of a call */
    uint32_t      kind;
    uint32_t      starts;
    uint32_t      ends;    /* that were OK */
    uint32_t      charged; /* attempts since it was sent, or last put back from the dead */
    uint32_t      crashes;
    bool          accepted;
    bool          once;    /* acknowledged before it runs */
    bool          repeats; /* another one: a duplicate under a dedup key */
    bool          removed; /* by a cancel or a purge, or it may have been */
    bool          gone;    /* it was removed for certain */
    bool          dead;
    bool          calls_back;
} record;

/* The task that holds a dedup key, as far as it is known. */
typedef struct holder {
    record  *task;
    uint64_t until_ms;
    bool     left; /* it was dead, and is back without its key */
} holder;

typedef struct history {
    fixture       f;
    uint64_t      random;
    sim_world     worlds[WORKERS];
    patio_broker *workers[WORKERS];
    record        tasks[TASKS_MAX];
    uint32_t      count;
    holder        keys[KEYS];
} history;

extern history *h;       /* the one that is played */
extern uint64_t playing; /* its seed; 0: none */

/* What all histories so far had in them: a rule that is never put to the test holds always. */
typedef struct sightings {
    uint64_t crashes;
    uint64_t once; /* started after they were acknowledged */
    uint64_t repeats;
    uint64_t replaced;
    uint64_t cancelled;
    uint64_t purged;
    uint64_t back; /* from the dead */
} sightings;
extern sightings seen;

/* history.c */
void     history_open(uint64_t seed);
void     history_close(void);
uint32_t draw(uint32_t below);
record  *task_of(patio_id id);
void     open_worker(uint32_t w, uint32_t slots);
void     close_worker(uint32_t w);
void     run_job(uint32_t w, uint32_t i, bool crashes);
void     play_job(uint32_t w); /* one of those it has; it may crash */
void     move(uint64_t ms);

/* steps.c */
void step(void); /* one of all that can happen */
void look_at_the_dead(void);

#endif
