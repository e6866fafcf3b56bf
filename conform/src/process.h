/* process.h: workers in other processes. */
#ifndef CONFORM_PROCESS_H
#define CONFORM_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include <patio/base.h>

typedef struct kit kit;

typedef struct kit_process {
    pid_t  pid; /* 0: unused, or collected */
    int    go;  /* write end: commands */
    int    say; /* read end: lines */
    char   line[256];
    char   said[256]; /* the line that was expected last */
    size_t used;
    bool   eof;
    int    status;
} kit_process;

/* Fork a process that waits for kit_process_go and then runs fn; only before the first instance. */
kit_process *kit_process_fork(kit *k, void (*fn)(kit *k, kit_process *self), uint32_t index);
void         kit_process_go(kit *k, kit_process *p);
void         kit_process_kill(kit *k, kit_process *p, int signal);
void         kit_process_collect(kit *k, kit_process *p);
/* In the child: say a line; in the parent: wait for one that begins so. */
void kit_process_say(kit_process *self, const char *format, ...) PATIO_PRINTF(2, 3);
void kit_process_expect(kit *k, kit_process *p, const char *begin, uint64_t within_ms);
/* A worker that holds what it gets: says "d NUMBER ATTEMPT CRASHES" for each delivery. */
void kit_hold_process(kit *k, kit_process *self);
/* The same, but it settles each with ACK and a reply. */
void kit_work_process(kit *k, kit_process *self);
void kit_processes_end(kit *k);

#endif
