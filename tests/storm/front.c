#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storm.h"

enum { WINDOW = 256, CALLERS = 4, STEADY_LOOK = 2048, STEADY_MOST = 8192, DEAD_PAGE = 500 };

static char mixed_file[1024];

/* In a rolling deploy each fourth task is one that only new workers know. */
static const char *task_of(int64_t number)
{
    return number % 4 == 3 && access(mixed_file, F_OK) == 0 ? "storm-new" : "storm";
}

static patio_status try_send(patio_broker *broker, int64_t number, const void *filler, size_t size,
                             patio_future **out)
{
    patio_error        err     = PATIO_ERROR_INIT;
    const char        *task    = task_of(number);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE};
    return size > 0 ? patio_send_start(broker, task, PATIO_ARGS(number, patio_blob(filler, size)),
                                       &options, out, &err)
                    : patio_send_start(broker, task, PATIO_ARGS(number), &options, out, &err);
}

static void note_send(storm_ledger *ledger, patio_future *f)
{
    patio_status st =
        patio_future_wait(f, 120000) == PATIO_OK ? patio_future_status(f, NULL) : PATIO_TIMEOUT;
    /* certainly not taken are those that say so; of the others nobody knows, as of one that was on
     * its way when the server blocked */
    bool rejected = st == PATIO_FULL || st == PATIO_NO_ROUTE || st == PATIO_TOO_LARGE ||
                    st == PATIO_UNSUPPORTED;
    storm_note(ledger,
               st == PATIO_OK ? 'A'
               : rejected     ? 'R'
                              : 'U',
               patio_future_id(f), patio_status_name(st));
    patio_future_destroy(f);
}

static char enough_file[1024];
static char steady_file[1024];

static bool is_enough(void)
{
    return access(enough_file, F_OK) == 0;
}

static uint64_t left(patio_broker *broker)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_counts c   = {PATIO_SIZED(patio_counts)};
    if (patio_broker_counts(broker, NULL, 5000, &c, &err) != PATIO_OK) {
        return 1;
    }
    uint64_t sum = 0;
    sum += c.ready != PATIO_COUNT_UNKNOWN ? c.ready : 0;
    sum += c.leased != PATIO_COUNT_UNKNOWN ? c.leased : 0;
    sum += c.delayed != PATIO_COUNT_UNKNOWN ? c.delayed : 0;
    return sum;
}

/* For a load that lasts: no more than so many a second, or (steady) until the queue is short again,
 * lest it outgrows the workers and calls wait behind it for longer than they may. */
static void keep_pace(patio_broker *broker, const storm_load *load, uint64_t n, uint64_t begun_ms)
{
    while (n % STEADY_LOOK == 0 && access(steady_file, F_OK) == 0 && !atomic_load(&storm_stop) &&
           left(broker) > STEADY_MOST) {
        storm_sleep_ms(20);
    }
    while (load->per_s > 0 && !atomic_load(&storm_stop) &&
           n * 1000 > (storm_now_ms() - begun_ms) * load->per_s) {
        storm_sleep_ms(5);
    }
}

bool storm_send_all(patio_broker *broker, storm_ledger *ledger, const storm_load *load)
{
    static patio_future *window[WINDOW];
    uint64_t             tasks  = load->tasks;
    uint64_t             begun  = storm_now_ms();
    size_t               bytes  = (size_t)load->payload_bytes;
    void                *filler = calloc(1, bytes + 1);
    for (uint64_t n = 0; n < tasks + WINDOW && filler != NULL; n++) {
        patio_future **slot = &window[n % WINDOW];
        if (*slot != NULL) {
            note_send(ledger, *slot);
            *slot = NULL;
        }
        if (n % WINDOW == 0 && is_enough()) {
            tasks = n < tasks ? n : tasks;
        }
        keep_pace(broker, load, n, begun);
        while (n < tasks && !atomic_load(&storm_stop)) {
            patio_status st = try_send(broker, (int64_t)n, filler, bytes, slot);
            if (st == PATIO_OK) {
                break;
            }
            storm_sleep_ms(20); /* full, blocked, away: it was not taken */
        }
    }
    free(filler);
    return !atomic_load(&storm_stop);
}

typedef struct caller {
    patio_broker *broker;
    storm_ledger *ledger;
    uint64_t      calls;
    int64_t       first;
    pthread_t     thread;
} caller;

static void *call(void *arg)
{
    caller *c = arg;
    for (uint64_t n = 0; n < c->calls && !atomic_load(&storm_stop) && !is_enough(); n++) {
        patio_error        err     = PATIO_ERROR_INIT;
        patio_future      *f       = NULL;
        int64_t            number  = c->first + (int64_t)n;
        int64_t            got     = 0;
        patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000,
                                      .flags = PATIO_CALL_WAIT_ROUTE};
        while (patio_start(c->broker, "storm", PATIO_ARGS(number), &options, &f, &err) !=
               PATIO_OK) {
            storm_sleep_ms(20); /* it has not begun */
            if (atomic_load(&storm_stop)) {
                return NULL;
            }
        }
        storm_note(c->ledger, 'B', patio_future_id(f), "");
        (void)patio_future_wait(f, 90000);
        patio_status st   = patio_future_status(f, NULL);
        const char  *text = patio_status_name(st);
        if (st == PATIO_OK) {
            bool right = patio_value_get_int64(patio_future_value(f), &got) == PATIO_OK &&
                         got == number * 3 + 1;
            text = right ? "ok" : "wrong";
        }
        storm_note(c->ledger, 'C', patio_future_id(f), text);
        patio_future_destroy(f);
    }
    return NULL;
}

bool storm_call_all(patio_broker *broker, storm_ledger *ledger, uint64_t calls)
{
    caller c[CALLERS];
    for (int n = 0; n < CALLERS; n++) {
        c[n] = (caller){.broker = broker,
                        .ledger = ledger,
                        .calls  = calls / CALLERS,
                        .first  = 1000000000 + n * 100000000};
        if (pthread_create(&c[n].thread, NULL, call, &c[n]) != 0) {
            return false;
        }
    }
    for (int n = 0; n < CALLERS; n++) {
        (void)pthread_join(c[n].thread, NULL);
    }
    return true;
}

bool storm_drained(patio_broker *broker, uint64_t timeout_s)
{
    uint64_t until = storm_now_ms() + timeout_s * 1000;
    int      calm  = 0;
    while (storm_now_ms() < until && !atomic_load(&storm_stop)) {
        calm = left(broker) == 0 ? calm + 1 : 0;
        if (calm >= 5) {
            return true;
        }
        storm_sleep_ms(100);
    }
    fprintf(stderr, "storm: %llu tasks are still in the queue\n", (unsigned long long)left(broker));
    return false;
}

typedef struct dead_page {
    storm_ledger *ledger;
    patio_id      last;
    uint32_t      count;
} dead_page;

static int32_t note_dead(void *arg, const patio_dead_info *d)
{
    dead_page *page = arg;
    storm_note(page->ledger, 'D', d->id, d->cause);
    page->last = d->id;
    page->count++;
    return 0;
}

bool storm_note_dead(patio_broker *broker, storm_ledger *ledger)
{
    dead_page    page = {.ledger = ledger};
    patio_error  err  = PATIO_ERROR_INIT;
    patio_status st   = PATIO_OK;
    bool         more = true;
    for (bool first = true; st == PATIO_OK && more; first = false) {
        page.count = 0;
        st   = patio_dead_list(broker, NULL, first ? NULL : &page.last, DEAD_PAGE, 30000, note_dead,
                               &page, &err);
        more = page.count == DEAD_PAGE;
    }
    if (st != PATIO_OK && st != PATIO_UNSUPPORTED) {
        fprintf(stderr, "storm: dead letters: %s\n", err.message);
        return false;
    }
    return true;
}

typedef struct sender {
    patio_broker     *broker;
    storm_ledger     *ledger;
    const storm_load *load;
} sender;

static void *send(void *arg)
{
    sender *s = arg;
    (void)storm_send_all(s->broker, s->ledger, s->load);
    return NULL;
}

int storm_front(const char *url, const char *dir, const storm_load *load)
{
    patio_registry *registry = load->workers != NULL ? storm_registry(dir) : NULL;
    storm_world     w;
    storm_ledger    ledger;
    pthread_t       thread;
    char            path[1024];
    if (!storm_ledger_open(&ledger, dir, "front")) {
        return 2;
    }
    (void)snprintf(mixed_file, sizeof(mixed_file), "%s/mixed", dir);
    (void)snprintf(enough_file, sizeof(enough_file), "%s/enough", dir);
    (void)snprintf(steady_file, sizeof(steady_file), "%s/steady", dir);
    storm_open(&w, NULL, registry, url, "thread", load->workers);
    sender s  = {w.broker, &ledger, load};
    bool   ok = pthread_create(&thread, NULL, send, &s) == 0;
    ok        = storm_call_all(w.broker, &ledger, load->calls) && ok;
    (void)pthread_join(thread, NULL);
    (void)snprintf(path, sizeof(path), "%s/sent", dir);
    FILE *f = fopen(path, "w"); /* the driver ends the faults now */
    if (f != NULL) {
        (void)fclose(f);
    }
    ok              = storm_drained(w.broker, 300) && ok;
    ok              = storm_note_dead(w.broker, &ledger) && ok;
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_broker_stop(w.broker, 10000, &err);
    patio_broker_destroy(w.broker);
    patio_registry_destroy(registry);
    return ok ? 0 : 1;
}
