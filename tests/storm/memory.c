#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "storm.h"

typedef struct restarter {
    patio_runtime *runtime;
    const char    *url;
    const char    *dir;
    uint32_t       seed;
    pthread_t      thread;
    uint64_t       restarts;
} restarter;

static atomic_bool over;

/* A worker that leaves in the middle of its work, again and again. */
static void *come_and_go(void *arg)
{
    restarter *r = arg;
    do {
        storm_world w;
        storm_open(&w, r->runtime, storm_registry(r->dir), r->url, "4");
        r->seed        = r->seed * 1664525u + 1013904223u;
        uint64_t until = storm_now_ms() + 100 + r->seed % 900;
        while (storm_now_ms() < until && !atomic_load(&over)) {
            storm_sleep_ms(10);
        }
        patio_error err = PATIO_ERROR_INIT;
        (void)patio_broker_stop(w.broker, atomic_load(&over) ? 5000 : r->seed % 3 * 5, &err);
        patio_broker_destroy(w.broker);
        patio_registry_destroy(w.registry);
        r->restarts++;
    } while (!atomic_load(&over));
    return NULL;
}

static void *call(void *arg)
{
    void **both = arg;
    (void)storm_call_all(both[0], both[1], *(uint64_t *)both[2]);
    return NULL;
}

int storm_memory(const char *url, const char *dir, uint64_t tasks, uint64_t calls, uint32_t workers)
{
    patio_error    err     = PATIO_ERROR_INIT;
    patio_runtime *runtime = NULL;
    storm_world    front;
    storm_ledger   ledger;
    restarter     *all = calloc(workers, sizeof(*all));
    pthread_t      thread;
    if (all == NULL || !storm_ledger_open(&ledger, dir, "front") ||
        patio_runtime_create(NULL, &runtime, &err) != PATIO_OK) {
        return 2;
    }
    storm_open(&front, runtime, NULL, url, NULL);
    /* the ledger of the workers is opened before there are threads */
    patio_registry_destroy(storm_registry(dir));
    for (uint32_t n = 0; n < workers; n++) {
        all[n] = (restarter){.runtime = runtime, .url = url, .dir = dir, .seed = n * 77 + 1};
        if (pthread_create(&all[n].thread, NULL, come_and_go, &all[n]) != 0) {
            return 2;
        }
    }
    void *both[] = {front.broker, &ledger, &calls};
    bool  ok     = pthread_create(&thread, NULL, call, both) == 0 &&
              storm_send_all(front.broker, &ledger, &(storm_load){.tasks = tasks});
    (void)pthread_join(thread, NULL);
    ok = storm_drained(front.broker, 120) && ok;
    storm_note_dead(front.broker, dir);
    atomic_store(&over, true);
    uint64_t restarts = 0;
    for (uint32_t n = 0; n < workers; n++) {
        (void)pthread_join(all[n].thread, NULL);
        restarts += all[n].restarts;
    }
    (void)patio_broker_stop(front.broker, 5000, &err);
    patio_broker_destroy(front.broker);
    patio_runtime_destroy(runtime);
    free(all);
    printf("%llu restarts of workers\n", (unsigned long long)restarts);
    return ok ? storm_check(dir, restarts, 0) : 1;
}
