/* What is done while memory runs out, and what must be well afterwards. */
#include "no_memory_world.h"

#include <string.h>
#include <unistd.h>

static uint8_t long_data[LONG_BYTES];

/* A send that was accepted. */
typedef struct sent {
    bool     accepted;
    patio_id id;
} sent;

enum { SENT_PLAIN, SENT_LATER, SENT_KEYED, SENT_KEPT, SENT_BROKEN, SENT_COUNT };

const patio_call_options patient = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                    .flags = PATIO_CALL_WAIT_ROUTE};

patio_status call_note(const half *h, const char *task, int64_t number,
                       const patio_call_options *options, const char *what)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    patio_status  st     = patio_call(h->broker, task, PATIO_ARGS(number), options, &future, &err);
    expect_clean(st, &err, what);
    if (st == PATIO_OK) {
        const patio_value *v = patio_future_value(future);
        assert_non_null(v);
        assert_int_equal(v->as.i64, number);
    }
    patio_future_destroy(future);
    return st;
}

static void call_same(const half *h)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    patio_status  st =
        patio_call(h->broker, "same", PATIO_ARGS(patio_blob(long_data, sizeof(long_data))),
                   &patient, &future, &err);
    expect_clean(st, &err, "call of many bytes");
    if (st == PATIO_OK) {
        const patio_value *v = patio_future_value(future);
        assert_non_null(v);
        assert_int_equal(v->size, sizeof(long_data));
        assert_memory_equal(v->as.bytes, long_data, sizeof(long_data));
    }
    patio_future_destroy(future);
}

static void call_broken(const half *h)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_call(h->broker, "broken", PATIO_NO_ARGS, &patient, NULL, &err);
    expect_clean(st, &err, "call that fails");
    if (st == PATIO_OK) {
        give_up("a call that fails ended well");
    }
}

static void send_one(const half *h, const char *task, int64_t number, patio_call_options options,
                     sent *s)
{
    patio_error err     = PATIO_ERROR_INIT;
    options.struct_size = sizeof(options);
    options.timeout_ms  = DEADLINE_MS;
    patio_status st     = patio_send(h->broker, task, PATIO_ARGS(number), &options, &s->id, &err);
    expect_clean(st, &err, "send");
    s->accepted = s->accepted || st == PATIO_OK;
}

static void send_all(const half *h, sent all[SENT_COUNT])
{
    memset(all, 0, SENT_COUNT * sizeof(*all));
    send_one(h, "broken", SENT_BROKEN, (patio_call_options){.queue = NULL}, &all[SENT_BROKEN]);
    send_one(h, "note", SENT_LATER, (patio_call_options){.delay_ms = 5}, &all[SENT_LATER]);
    send_one(h, "note", SENT_PLAIN, (patio_call_options){.queue = NULL}, &all[SENT_PLAIN]);
    for (int i = 0; i < 2; i++) {
        send_one(h, "note", SENT_KEYED,
                 (patio_call_options){.dedup_key = "one", .dedup_window_ms = 60000},
                 &all[SENT_KEYED]);
    }
    send_one(h, "note", SENT_KEPT, (patio_call_options){.result_ttl_ms = 60000}, &all[SENT_KEPT]);
}

/* ---- dead letters ---- */

typedef struct search {
    const patio_id *id;
    bool            found;
} search;

static int32_t compare(void *arg, const patio_dead_info *info)
{
    search *s = arg;
    s->found  = s->found || memcmp(&info->id, s->id, sizeof(info->id)) == 0;
    return 0;
}

static bool is_dead(const half *h, const patio_id *id)
{
    search       s   = {.id = id};
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_dead_list(h->broker, NULL, NULL, 100, DEADLINE_MS, compare, &s, &err);
    expect_clean(st, &err, "list of dead letters");
    return st == PATIO_OK && s.found;
}

/* Each ran, or is there to be looked at: until then it is waited for. */
static void expect_all_done(const half *h, const sent all[SENT_COUNT])
{
    for (int64_t i = 0; i < SENT_COUNT; i++) {
        if (all[i].accepted) {
            UNTIL(notes_of(i) > 0 || is_dead(h, &all[i].id),
                  "a send that was accepted did neither run nor is it a dead letter");
        }
    }
}

/* ---- the other things ---- */

static void cancel_one(const half *h)
{
    patio_future *future = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    uint32_t      what   = 0;
    patio_status  st     = patio_start(h->broker, "wait", PATIO_NO_ARGS, &patient, &future, &err);
    expect_clean(st, &err, "start");
    if (st == PATIO_OK) {
        UNTIL(waits() > 0 || patio_future_done(future), "a task to be cancelled does not begin");
        st = patio_cancel(h->broker, NULL, patio_future_id(future), DEADLINE_MS, &what, &err);
        expect_clean(st, &err, "cancel");
        patio_future_cancel(future); /* if it has found no memory for the other way */
        patio_future_destroy(future);
    }
}

static void fetch_result(const half *h, const sent *s)
{
    patio_task_report report = {PATIO_SIZED(patio_task_report)};
    patio_future     *future = NULL;
    patio_error       err    = PATIO_ERROR_INIT;
    if (!s->accepted) {
        return;
    }
    patio_status st = patio_result_get(h->broker, NULL, s->id, DEADLINE_MS, &report, &future, &err);
    expect_clean(st, &err, "result");
    if (st == PATIO_OK && report.state == PATIO_STATE_DONE && future == NULL) {
        give_up("a result that is kept is not there, and nothing is said of it");
    }
    if (future != NULL) {
        expect_clean(patio_future_status(future, &err), &err, "kept result");
    }
    patio_future_destroy(future);
}

static int32_t see_worker(void *arg, const patio_worker_info *info)
{
    *(bool *)arg = *(bool *)arg || (info->task_count > 0 && info->slots > 0);
    return 0;
}

static int32_t see_finding(void *arg, const patio_finding *finding)
{
    (void)arg;
    (void)finding;
    return 0;
}

static int32_t see_queue(void *arg, const char *name)
{
    *(bool *)arg = *(bool *)arg || strcmp(name, "default") == 0;
    return 0;
}

/* All are there for an operator. A link that breaks meanwhile may leave one out. */
static bool sees_all(const half *h)
{
    patio_error  err    = PATIO_ERROR_INIT;
    patio_counts counts = {PATIO_SIZED(patio_counts)};
    patio_status st     = patio_broker_counts(h->broker, NULL, DEADLINE_MS, &counts, &err);
    expect_clean(st, &err, "counts");
    return st == PATIO_OK && counts.consumers == 3;
}

static void look_around(const half *h)
{
    patio_error err    = PATIO_ERROR_INIT;
    bool        seen   = false;
    uint64_t    number = 0;
    uint32_t    state  = 0;
    (void)sees_all(h);
    expect_clean(patio_queue_list(h->broker, DEADLINE_MS, see_queue, &seen, &err), &err, "queues");
    seen = false;
    expect_clean(patio_worker_list(h->broker, DEADLINE_MS, see_worker, &seen, &err), &err,
                 "workers");
    expect_clean(patio_queue_get_state(h->broker, NULL, DEADLINE_MS, &state, &err), &err, "state");
    expect_clean(patio_queue_purge(h->broker, "other", DEADLINE_MS, &number, &err), &err, "purge");
    expect_clean(patio_doctor_check(h->broker, DEADLINE_MS, see_finding, NULL, &err), &err,
                 "doctor");
}

static int32_t see_letter(void *arg, const patio_dead_info *info)
{
    *(bool *)arg = info->payload != NULL;
    return 0;
}

static void handle_dead(const half *h, const sent *s)
{
    patio_error err    = PATIO_ERROR_INIT;
    uint64_t    number = 0;
    bool        seen   = false;
    if (!s->accepted) {
        return;
    }
    UNTIL(is_dead(h, &s->id), "what fails is no dead letter");
    patio_status st = patio_dead_show(h->broker, NULL, s->id, DEADLINE_MS, see_letter, &seen, &err);
    expect_clean(st, &err, "one dead letter");
    st = patio_dead_retry(h->broker, NULL, &s->id, DEADLINE_MS, &number, &err);
    expect_clean(st, &err, "retry");
    UNTIL(is_dead(h, &s->id), "what was retried is no dead letter");
    st = patio_dead_drop(h->broker, NULL, &s->id, DEADLINE_MS, &number, &err);
    expect_clean(st, &err, "drop");
}

static bool set_state(const half *h, uint32_t state)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_queue_set_state(h->broker, NULL, state, DEADLINE_MS, &err);
    expect_clean(st, &err, "pause or open");
    return st == PATIO_OK;
}

/* An operator tries again: whose link is just away is not asked. */
static bool opens(const half *h)
{
    return set_state(h, PATIO_QUEUE_OPEN);
}

/* ---- all of it ---- */

void use(const pair *p, size_t in_row)
{
    sent        all[SENT_COUNT];
    const half *h = &p->caller;
    allow_timeouts(in_row > 1);
    call_note(h, "note", 7, &patient, "call");
    call_note(&p->worker, "note", 5, &patient, "call of its own");
    call_same(h);
    call_broken(h);
    call_note(&p->worker, "back", 6, &patient, "call of the other side");
    send_all(h, all);
    cancel_one(h);
    look_around(h);
    look_around(&p->worker);
    expect_all_done(h, all);
    fetch_result(h, &all[SENT_KEPT]);
    fetch_result(&p->worker, &all[SENT_KEPT]);
    handle_dead(h, &all[SENT_BROKEN]);
    allow_timeouts(true); /* who is paused while its link is away stays so */
    (void)set_state(h, PATIO_QUEUE_PAUSED);
    (void)opens(h);
}

/* Once there is memory everybody can be called again. */
void expect_well(const pair *p)
{
    const patio_call_options soon = {PATIO_SIZED(patio_call_options), .timeout_ms = 500,
                                     .flags = PATIO_CALL_WAIT_ROUTE};
    UNTIL(opens(&p->caller) &&
              call_note(&p->caller, "note", 7, &soon, "call afterwards") == PATIO_OK,
          "it does not recover");
    UNTIL(call_note(&p->worker, "back", 6, &soon, "call back afterwards") == PATIO_OK,
          "the other side does not recover");
    UNTIL(sees_all(&p->caller) && sees_all(&p->worker), "an operator does not see all");
}
