/* process/world.h: a broker with child processes, and what is left when it is gone. */
#ifndef PROCESS_WORLD_H
#define PROCESS_WORLD_H

#include "fixture.h"
#include "tasks.h"

#include <sys/types.h>

/* Is this program built with a sanitizer that changes how a process ends? */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#elif defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* The settings every test begins with: two children, with time to start under valgrind as well. */
#define WORLD(...)                                                                                 \
    SETTINGS("executor=process", "executor.workers=2", "executor.start_timeout_ms=120s",           \
             "log.level=off", __VA_ARGS__)

/* A runtime that counts memory, the registry of tasks.c, a started broker. */
void world_open(fixture *f, const char *const *settings);
/* Stops with that grace and asserts that no memory, descriptor or child is left. */
void world_close(fixture *f, uint64_t grace_ms);

/* Calls with one crash allowed; waits for the end. */
patio_future *call_it(fixture *f, const char *task, const patio_payload *payload,
                      uint64_t timeout_ms);
int64_t       number_of(patio_future *future); /* and destroys it */
/* Calls, and expects that the task's child died of `type`, with `part` in the words. */
void expect_crash(fixture *f, const char *task, const char *type, const char *part);
void expect_good(fixture *f);

/* Is there such a process, and is it not a zombie? */
bool lives(pid_t pid);
/* Children of this process that are not reaped. */
unsigned count_children(void);
/* Those that a SIGSTOP has stopped. */
unsigned count_stopped_children(void);
/* SIGCONT to all of them. */
void continue_children(void);

#endif
