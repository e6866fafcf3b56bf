/* Cases 140 to 149: dead letters, looked at and given another chance. */
#include <patio/dead.h>

#include "kit.h"

typedef struct found {
    kit     *k;
    uint32_t count;
    uint32_t limit;
    uint32_t numbers[32];
    uint32_t body_bytes;
    bool     body;
} found;

static int32_t visit(void *arg, const patio_dead_letter *d)
{
    found *f = arg;
    if (strcmp(d->queue, "q") != 0) {
        kit_breach(f->k, "dead letter of queue %s", d->queue);
    }
    if (d->cause.size != 5 || memcmp(d->cause.data, "cause", 5) != 0) {
        kit_breach(f->k, "the cause of a dead letter is not the one that was given");
    }
    if (f->count < 32) {
        f->numbers[f->count] = kit_number(&d->id);
    }
    f->body       = d->body != NULL;
    f->body_bytes = d->body != NULL ? (uint32_t)kit_buf_size(d->body) : 0;
    f->count++;
    return f->limit != 0 && f->count >= f->limit ? 1 : 0;
}

static const patio_dead_ops *kill_some(kit *k, kit_pair *p, uint32_t count)
{
    *p = kit_pair_open(k, NULL);
    kit_subscribe(p->worker, 1);
    for (uint32_t n = 0; n < count; n++) {
        kit_send(p->caller, n);
        kit_settle_ok(p->worker, kit_delivered(p->worker, n).tag, PATIO_REJECT, 0, -1);
    }
    kit_await_counts(p->caller, 0, 0, 0, count);
    const patio_dead_ops *dead = kit_query(p->caller, PATIO_DEAD_ID);
    KIT_CHECK(k, dead != NULL, "\"dead_letters\" without its interface");
    return dead;
}

static void they_are_listed_oldest_first(kit *k)
{
    kit_pair              p;
    const patio_dead_ops *dead = kill_some(k, &p, 5);
    found                 f    = {.k = k};
    KIT_STATUS(k, dead->list(p.caller->t, "q", NULL, 100, 5000, visit, &f, NULL), PATIO_OK, "list");
    KIT_EQUAL(k, f.count, 5, "dead letters");
    for (uint32_t n = 0; n < 5; n++) {
        KIT_EQUAL(k, f.numbers[n], n, "task");
    }
    f = (found){.k = k};
    KIT_STATUS(k, dead->list(p.caller->t, "q", NULL, 2, 5000, visit, &f, NULL), PATIO_OK, "list");
    KIT_EQUAL(k, f.count, 2, "dead letters within the limit");
    patio_id after = kit_id(k, 1);
    f              = (found){.k = k};
    KIT_STATUS(k, dead->list(p.caller->t, "q", &after, 2, 5000, visit, &f, NULL), PATIO_OK, "list");
    KIT_EQUAL(k, f.count, 2, "dead letters of the next page");
    KIT_EQUAL(k, f.numbers[0], 2, "task");
    f = (found){.k = k, .limit = 1};
    KIT_STATUS(k, dead->list(p.caller->t, "q", NULL, 100, 5000, visit, &f, NULL), PATIO_OK, "list");
    KIT_EQUAL(k, f.count, 1, "visits after the visitor said stop");
    f               = (found){.k = k};
    after           = kit_id(k, 99);
    patio_error err = PATIO_ERROR_INIT;
    KIT_STATUS(k, dead->list(p.caller->t, "q", &after, 2, 5000, visit, &f, &err), PATIO_NOT_FOUND,
               "list after one that is not there");
    kit_check_error(k, &err, PATIO_NOT_FOUND, "list");
    KIT_STATUS(k, dead->list(p.caller->t, "nowhere", NULL, 9, 5000, visit, &f, NULL), PATIO_OK,
               "list of no queue");
    KIT_EQUAL(k, f.count, 0, "dead letters of no queue");
}

static void one_is_shown_with_its_body(kit *k)
{
    kit_pair              p;
    const patio_dead_ops *dead = kill_some(k, &p, 3);
    found                 f    = {.k = k};
    patio_id              id   = kit_id(k, 1);
    patio_error           err  = PATIO_ERROR_INIT;
    KIT_STATUS(k, dead->get(p.caller->t, "q", &id, 5000, visit, &f, NULL), PATIO_OK, "get");
    KIT_EQUAL(k, f.count, 1, "visits");
    KIT_EQUAL(k, f.numbers[0], 1, "task");
    KIT_CHECK(k, f.body && f.body_bytes == 21, "the body has %u bytes, expected 21", f.body_bytes);
    id = kit_id(k, 77);
    KIT_STATUS(k, dead->get(p.caller->t, "q", &id, 5000, visit, &f, &err), PATIO_NOT_FOUND, "get");
    kit_check_error(k, &err, PATIO_NOT_FOUND, "get");
}

static void a_retried_one_starts_anew(kit *k)
{
    kit_pair              p;
    const patio_dead_ops *dead  = kill_some(k, &p, 4);
    patio_id              id    = kit_id(k, 2);
    uint64_t              count = 77;
    patio_error           err   = PATIO_ERROR_INIT;
    KIT_STATUS(k, dead->retry(p.caller->t, "q", &id, 5000, &count, &err), PATIO_OK, "retry");
    KIT_EQUAL(k, count, 1, "retried");
    kit_delivery d = kit_delivered(p.worker, 4);
    KIT_EQUAL(k, d.number, 2, "task");
    KIT_EQUAL(k, d.attempt, 1, "attempt");
    KIT_EQUAL(k, d.crashes, 0, "crashes");
    KIT_EQUAL(k, d.ttl_ms, 0, "time left");
    KIT_EQUAL(k, d.flags & PATIO_MESSAGE_CALL, 0, "CALL");
    kit_ack(p.worker, d.tag);
    kit_await_counts(p.caller, 0, 0, 0, 3);
    KIT_STATUS(k, dead->retry(p.caller->t, "q", &id, 5000, NULL, &err), PATIO_NOT_FOUND, "retry");
    kit_check_error(k, &err, PATIO_NOT_FOUND, "retry");
    KIT_STATUS(k, dead->retry(p.caller->t, "q", NULL, 5000, &count, &err), PATIO_OK,
               "retry of all");
    KIT_EQUAL(k, count, 3, "retried");
    kit_work(p.worker);
    (void)kit_delivered(p.worker, 7);
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void a_dropped_one_is_gone(kit *k)
{
    kit_pair              p;
    const patio_dead_ops *dead  = kill_some(k, &p, 4);
    patio_id              id    = kit_id(k, 2);
    uint64_t              count = 77;
    KIT_STATUS(k, dead->drop(p.caller->t, "q", &id, 5000, &count, NULL), PATIO_OK, "drop");
    KIT_EQUAL(k, count, 1, "dropped");
    kit_await_counts(p.caller, 0, 0, 0, 3);
    KIT_STATUS(k, dead->drop(p.caller->t, "q", &id, 5000, NULL, NULL), PATIO_NOT_FOUND, "drop");
    KIT_STATUS(k, dead->drop(p.caller->t, "q", NULL, 5000, &count, NULL), PATIO_OK, "drop of all");
    KIT_EQUAL(k, count, 3, "dropped");
    kit_await_counts(p.caller, 0, 0, 0, 0);
    kit_quiet(p.worker, 4, 200);
}

static void they_are_bounded_and_the_oldest_go(kit *k)
{
    if (kit_option(k->ops->options, "max_dead") < 0) {
        kit_skip(k, "it has no option max_dead");
    }
    static const char *const settings[] = {"max_dead=3", NULL};
    kit_instance            *i          = kit_instance_open(k, &(kit_open){.settings = settings});
    kit_subscribe(i, 1);
    for (uint32_t n = 0; n < 6; n++) {
        kit_send(i, n);
        kit_settle_ok(i, kit_delivered(i, n).tag, PATIO_REJECT, 0, -1);
    }
    kit_await_counts(i, 0, 0, 0, 3);
    const patio_dead_ops *dead = kit_query(i, PATIO_DEAD_ID);
    found                 f    = {.k = k};
    if (dead != NULL) {
        KIT_STATUS(k, dead->list(i->t, "q", NULL, 9, 5000, visit, &f, NULL), PATIO_OK, "list");
        KIT_EQUAL(k, f.numbers[0], 3, "the oldest that is kept");
    }
}

static void they_end_with_their_time(kit *k)
{
    if (kit_option(k->ops->options, "dead_ttl_ms") < 0) {
        kit_skip(k, "it has no option dead_ttl_ms");
    }
    static const char *const settings[] = {"dead_ttl_ms=3s", NULL};
    kit_instance            *i          = kit_instance_open(k, &(kit_open){.settings = settings});
    kit_subscribe(i, 1);
    kit_send(i, 0);
    uint64_t from = kit_now_ms();
    kit_settle_ok(i, kit_delivered(i, 0).tag, PATIO_REJECT, 0, -1);
    kit_await_counts(i, 0, 0, 0, 1);
    kit_await_counts(i, 0, 0, 0, 0);
    KIT_CHECK(k, kit_now_ms() - from >= 2900, "a dead letter of 3 s was gone after %llu ms",
              (unsigned long long)(kit_now_ms() - from));
}

const kit_case kit_dead_cases[] = {
    {140, 0, "dead_letters_are_listed_oldest_first", "dead.h list", PATIO_CAP_DEAD_LETTERS, 0, NULL,
     they_are_listed_oldest_first},
    {141, 0, "a_dead_letter_is_shown_with_its_body", "dead.h get", PATIO_CAP_DEAD_LETTERS, 0, NULL,
     one_is_shown_with_its_body},
    {142, 0, "a_retried_dead_letter_starts_anew", "dead.h retry", PATIO_CAP_DEAD_LETTERS, 0, NULL,
     a_retried_one_starts_anew},
    {143, 0, "a_dropped_dead_letter_is_gone", "dead.h drop", PATIO_CAP_DEAD_LETTERS, 0, NULL,
     a_dropped_one_is_gone},
    {144, 0, "dead_letters_are_bounded_and_the_oldest_go", "delivery 5", PATIO_CAP_DEAD_LETTERS, 0,
     NULL, they_are_bounded_and_the_oldest_go},
    {145, 0, "dead_letters_end_with_their_time", "delivery 5", PATIO_CAP_DEAD_LETTERS, 0, NULL,
     they_end_with_their_time},
    {0},
};
