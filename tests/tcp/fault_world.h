/* fault_world.h: a thousand calls to workers that are killed or halted: what became of each, and
 * when, and a ledger on disk that tells what ran how often. */
#ifndef FAULT_WORLD_H
#define FAULT_WORLD_H

#include <patio/patio.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "place.h"

#include "tcp_world.h"

enum { CALLS = 1000, DEADLINE_MS = 15000, LEDGER_IDS = 100000 };

/* Where the listener of this test is, and the ledger of its workers. */
extern place site;
extern char  ledger[80];
void         fresh(const char *scheme, const char *options);

/* Tasks that take negative time, and so wait for it, end. */
void let_go(void);

/* The program is also its own worker ("worker URL LEDGER", "slot URL LEDGER" with one thread) and
 * caller ("caller URL OUTCOMES", a line for each call: its status, and when it ended in ms of the
 * monotonic clock): call it first in main; -1: it is neither. */
int   fault_role(int argc, char **argv);
pid_t fault_begin(const char *role, const char *url, const char *file);
void  fault_end(pid_t pid);

typedef struct outcomes {
    uint64_t     begun_ms;
    uint64_t     ended_ms[CALLS];
    patio_status status[CALLS];
    int          ok;
    int          lost; /* PEER_LOST */
} outcomes;

/* Calls of ids first, first + 1 …, which take so long each; all are accepted. */
void start_all(patio_broker *broker, int64_t first, int64_t task_us, uint32_t flags, outcomes *o);
/* All end by their one deadline, as what they asked for or PEER_LOST. */
void end_all(int64_t first, outcomes *o);
/* Those that were lost were told of it within so long after that moment. */
void expect_told(const outcomes *o, uint64_t since_ms, uint64_t within_ms);

/* Until the ledger has so many lines. */
void wait_lines(long count);
long ledger_lines(void);
/* How often each id ran, all below LEDGER_IDS; to be freed. */
uint16_t *ledger_read(void);
/* What was answered ran; with `once`, nothing ran twice. */
void check_ledger(int64_t first, const outcomes *o, bool once);

void wait_consumers(patio_broker *broker, uint64_t wanted);
/* A call works within so long. */
void expect_whole(patio_broker *broker, int64_t id, uint64_t within_ms);

#endif
