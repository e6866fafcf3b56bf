#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storm.h"

typedef struct restarter {
    patio_runtime *runtime;
    const char    *url;
    const char    *dir;
    uint32_t       seed;
    pthread_t      thread;
} restarter;

typedef struct killer {
    const char *dir;
    uint64_t    every_ms;
    pthread_t   thread;
    uint64_t    kills;
} killer;

static atomic_bool over;

/* A worker that leaves in the middle of its work, again and again. */
static void *come_and_go(void *arg)
{
    restarter *r = arg;
    do {
        storm_world w;
        storm_open(&w, r->runtime, storm_registry(r->dir), r->url, "thread", STORM_MEMORY_THREADS);
        r->seed        = r->seed * 1664525u + 1013904223u;
        uint64_t until = storm_now_ms() + 100 + r->seed % 900;
        while (storm_now_ms() < until && !atomic_load(&over)) {
            storm_sleep_ms(10);
        }
        patio_error err = PATIO_ERROR_INIT;
        uint64_t    now = storm_now_ms();
        (void)patio_broker_stop(w.broker, atomic_load(&over) ? 5000 : r->seed % 3 * 5, &err);
        storm_note_fault(r->dir, "leave", getpid(), now);
        patio_broker_destroy(w.broker);
        patio_registry_destroy(w.registry);
    } while (!atomic_load(&over));
    return NULL;
}

/* Is it a child of this process, and not one that has ended and is not collected yet? */
static bool is_child(const char *pid)
{
    char  path[64];
    char  text[512];
    char  state  = 0;
    int   parent = 0;
    FILE *f      = NULL;
    if (isdigit((unsigned char)pid[0]) != 0) {
        (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
        f = fopen(path, "re");
    }
    if (f == NULL) {
        return false;
    }
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    (void)fclose(f);
    const char *name = strrchr(text, ')');
    return name != NULL && sscanf(name + 1, " %c %d", &state, &parent) == 2 && parent == getpid() &&
           state != 'Z';
}

/* The child that is the `skip`th in /proc, or the last before it. */
static pid_t some_child(uint64_t skip)
{
    pid_t found = 0;
    DIR  *dir   = opendir("/proc");
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (is_child(e->d_name)) {
            found = (pid_t)strtol(e->d_name, NULL, 10);
            if (skip-- == 0) {
                break;
            }
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return found;
}

static void *kill_children(void *arg)
{
    killer *k = arg;
    while (k->every_ms > 0 && !atomic_load(&over)) {
        storm_sleep_ms(k->every_ms);
        pid_t    child = some_child(k->kills % 4);
        uint64_t now   = storm_now_ms();
        if (child != 0 && kill(child, SIGKILL) == 0) {
            storm_note_fault(k->dir, "kill", child, now);
            k->kills++;
        }
    }
    return NULL;
}

typedef struct calls {
    patio_broker *broker;
    storm_ledger *ledger;
    uint64_t      count;
} calls;

static void *call(void *arg)
{
    const calls *c = arg;
    (void)storm_call_all(c->broker, c->ledger, c->count);
    return NULL;
}

int storm_memory(const char *url, const char *dir, const storm_load *load, uint32_t workers,
                 uint64_t kill_ms, const storm_limits *limits)
{
    patio_error    err     = PATIO_ERROR_INIT;
    patio_runtime *runtime = NULL;
    storm_world    front;
    storm_world    parent;
    storm_ledger   ledger;
    pthread_t      caller;
    char           children[16];
    killer         k   = {.dir = dir, .every_ms = kill_ms};
    uint32_t       n   = workers / 2;
    restarter     *all = calloc(n + 1, sizeof(*all));
    if (all == NULL || !storm_ledger_open(&ledger, dir, "front") ||
        setenv("STORM_DIR", dir, 1) != 0 ||
        patio_runtime_create(NULL, &runtime, &err) != PATIO_OK) {
        return 2;
    }
    storm_open(&front, runtime, NULL, url, NULL, NULL);
    (void)snprintf(children, sizeof(children), "%u", workers - n);
    storm_open(&parent, runtime, storm_registry(dir), url, "process", children);
    bool ok = pthread_create(&k.thread, NULL, kill_children, &k) == 0;
    for (uint32_t i = 0; ok && i < n; i++) {
        all[i] = (restarter){.runtime = runtime, .url = url, .dir = dir, .seed = i * 77 + 1};
        ok     = pthread_create(&all[i].thread, NULL, come_and_go, &all[i]) == 0;
    }
    calls c = {front.broker, &ledger, load->calls};
    if (!ok || pthread_create(&caller, NULL, call, &c) != 0) {
        return 2;
    }
    ok = storm_send_all(front.broker, &ledger, load);
    (void)pthread_join(caller, NULL);
    ok = storm_drained(front.broker, 120) && ok;
    ok = storm_note_dead(front.broker, &ledger) && ok;
    atomic_store(&over, true);
    (void)pthread_join(k.thread, NULL);
    for (uint32_t i = 0; i < n; i++) {
        (void)pthread_join(all[i].thread, NULL);
    }
    (void)patio_broker_stop(parent.broker, 5000, &err);
    patio_broker_destroy(parent.broker);
    patio_registry_destroy(parent.registry);
    (void)patio_broker_stop(front.broker, 5000, &err);
    patio_broker_destroy(front.broker);
    patio_runtime_destroy(runtime);
    free(all);
    return ok ? storm_check(dir, limits) : 1;
}
