/* no_memory_world.h: two brokers that each have a memory of their own, which may say no; and tasks
 * that leave a note. */
#ifndef NO_MEMORY_WORLD_H
#define NO_MEMORY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "failing_alloc.h"
#include "place.h"

#include "tcp_world.h"

enum { LONG_BYTES = 300 * 1000, NOTES = 8, DEADLINE_MS = 20000 };

typedef struct half {
    const char     *name;
    failing_alloc   memory;
    patio_registry *registry;
    patio_config   *config;
    patio_runtime  *runtime;
    patio_broker   *broker;
} half;

/* The worker listens; the caller goes to it, and has a task, too; and so does the onlooker, so that
 * questions of an operator's are passed on. */
typedef struct pair {
    place where;
    half  worker;
    half  caller;
    half  onlooker;
} pair;

void pair_make(pair *p, const char *scheme);
void pair_free(pair *p);

/* All are up; whoever has too little memory for that tries again. */
void pair_begin(pair *p);
/* One of them alone. */
void half_begin(half *h);
void half_end(half *h);
/* All are gone, and nothing of theirs is left. */
void pair_end(pair *p);

/* How often the task "note" ran with that number, since forget_notes(). */
uint32_t notes_of(int64_t number);
void     forget_notes(void);
uint32_t waits(void); /* tasks "wait" that run */

/* What may become of anything here when memory runs out. */
void expect_clean(patio_status st, const patio_error *err, const char *what);
/* May a deadline be what ends something? Not where one allocation fails and all goes on. */
void allow_timeouts(bool allowed);
/* In the words of a failure: which allocation it was. */
void set_about(const char *text);

/* ---- no_memory_use.c ---- */

/* Waits for whoever has the task, and long. */
extern const patio_call_options patient;
/* A task that returns the number; checks it. */
patio_status call_note(const half *h, const char *task, int64_t number,
                       const patio_call_options *options, const char *what);
/* A little of everything; `in_row` allocations fail meanwhile. */
void use(const pair *p, size_t in_row);
/* There is memory again: everybody can be called, and is seen by an operator. */
void expect_well(const pair *p);

#define UNTIL(condition, text)                                                                     \
    do {                                                                                           \
        for (uint64_t end_ = now_ms() + 60000; !(condition); usleep(200)) {                        \
            if (now_ms() > end_) {                                                                 \
                give_up(text);                                                                     \
            }                                                                                      \
        }                                                                                          \
    } while (0)
void give_up(const char *text);

#endif
