/* ledger.h: what the processes of a storm write down. A line is written at once, with one call:
 * what a killed process knew is there.
 *
 * DIR/ledger.WHO.PID, a line per event: WHAT ID MS TEXT, where WHAT is
 *   A U R  who sends: accepted, nobody knows, certainly not taken (TEXT: the status)
 *   B C    who calls: begun; resolved (TEXT: ok, wrong: another call's reply, or the status)
 *   S F    who works: a run starts, and finishes (TEXT: the attempt)
 *   D      at the end: it is a dead letter (TEXT: why)
 * DIR/faults, a line per fault: KIND PID BEGIN_MS END_MS; PID 0: it hit all workers.
 * MS are those of CLOCK_MONOTONIC, which all processes of a machine share.
 */
#ifndef STORM_LEDGER_H
#define STORM_LEDGER_H

#include <patio/patio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ledger.c: writing */
typedef struct storm_ledger {
    int fd;
} storm_ledger;
bool storm_ledger_open(storm_ledger *l, const char *dir, const char *who);
void storm_note(storm_ledger *l, char what, patio_id id, const char *text);
/* It ends now. */
void storm_note_fault(const char *dir, const char *kind, long pid, uint64_t begin_ms);

/* ledger.c: reading */
typedef struct storm_line {
    patio_id id;
    uint64_t at_ms;
    uint32_t pid;
    uint32_t order; /* of one file */
    char     what;
    bool     ok;
    bool     foreign;
} storm_line;
typedef struct storm_fault {
    char     kind[24];
    uint32_t pid;
    uint32_t explains; /* runs that there would not be without it */
    uint64_t begin_ms;
    uint64_t end_ms;
} storm_fault;
typedef struct storm_book {
    storm_line  *lines; /* by task, then by time */
    size_t       line_count;
    storm_fault *faults;
    size_t       fault_count;
    uint64_t     unreadable;
} storm_book;
void storm_book_read(storm_book *b, const char *dir);
void storm_book_free(storm_book *b);

/* judge.c: compares what all have written down; says on stdout what is wrong with it. */
typedef struct storm_limits {
    uint32_t of_one;   /* runs that a fault of one process can have under way */
    uint32_t of_all;   /* and a fault of all workers */
    uint32_t answered; /* percent of the calls that must have been answered */
    bool     copies; /* the transport replaces what it delivers again by a copy, and may be cut off
                      * in between: then there are two before there is a run */
} storm_limits;
/* 0: the ledger is clean */
int storm_check(const char *dir, const storm_limits *limits);

uint64_t storm_now_ms(void);

#endif
