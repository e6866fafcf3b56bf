/* act_call.c: what a case does as a caller: tasks by number, published; what it hears of them. */
#include "kit.h"

patio_id kit_id(kit *k, uint32_t number)
{
    patio_id id  = {{0}};
    uint64_t run = k->options->seed * UINT64_C(0x9E3779B97F4A7C15) + k->self->number;
    memcpy(id.bytes, &run, sizeof(run));
    memcpy(id.bytes + 8, &number, sizeof(number));
    memcpy(id.bytes + 12, k->run_name, 4);
    return id;
}

uint32_t kit_number(const patio_id *id)
{
    uint32_t number = 0;
    memcpy(&number, id->bytes + 8, sizeof(number));
    return number;
}

patio_message kit_message(kit *k, uint32_t number, uint32_t flags)
{
    return (patio_message){
        PATIO_SIZED(patio_message),
        .flags    = flags,
        .id       = kit_id(k, number),
        .queue    = "q",
        .task     = "t",
        .priority = PATIO_PRIORITY_DEFAULT,
        .attempt  = 1,
    };
}

patio_status kit_publish_message(kit_instance *i, patio_message *m, size_t body_bytes,
                                 patio_error *err)
{
    bool own = m->body == NULL;
    if (own) {
        m->body = kit_buf(i->k, kit_number(&m->id), KIT_REQUEST, body_bytes);
    }
    patio_status st = i->k->ops->publish(i->t, m, err);
    if (own) {
        kit_buf_drop(i->k, m->body);
        m->body = NULL;
    }
    return st;
}

patio_status kit_publish(kit_instance *i, uint32_t number, uint32_t flags)
{
    patio_message m = kit_message(i->k, number, flags);
    return kit_publish_message(i, &m, 20 + number % 50, NULL);
}

uint64_t kit_receipts_of(kit_instance *i, uint32_t number)
{
    pthread_mutex_lock(&i->k->lock);
    uint64_t n = kit_map_get(i->receipts_by, number);
    pthread_mutex_unlock(&i->k->lock);
    return n;
}

uint64_t kit_replies_of(kit_instance *i, uint32_t number)
{
    pthread_mutex_lock(&i->k->lock);
    uint64_t n = kit_map_get(i->replies_by, number);
    pthread_mutex_unlock(&i->k->lock);
    return n;
}

static bool find_receipt(kit_instance *i, uint32_t number, kit_receipt *out)
{
    pthread_mutex_lock(&i->k->lock);
    bool found = false;
    for (uint32_t n = i->receipt_count; n > 0 && !found; n--) {
        found = i->receipts[n - 1].number == number;
        if (found) {
            *out = i->receipts[n - 1];
        }
    }
    pthread_mutex_unlock(&i->k->lock);
    return found;
}

uint32_t kit_outcome(kit_instance *i, uint32_t number)
{
    kit_receipt r = {0};
    KIT_AWAIT(i->k, KIT_SOON_MS, find_receipt(i, number, &r), "publish %u has no outcome", number);
    return r.outcome;
}

void kit_await_cancelled(kit_instance *i, uint32_t number)
{
    kit_receipt r = {0};
    KIT_AWAIT(i->k, KIT_SOON_MS, find_receipt(i, number, &r),
              "task %u is gone, and who waits for it does not hear so", number);
    KIT_EQUAL(i->k, r.outcome, PATIO_UNKNOWN, "outcome of what is gone");
    KIT_STATUS(i->k, r.status, PATIO_CANCELLED, "the receipt of what is gone");
}

bool kit_conflict_is_refused(kit_instance *i, patio_message *m, const char *word)
{
    kit         *k   = i->k;
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = kit_publish_message(i, m, 10, &err);
    if (st != PATIO_UNSUPPORTED) {
        KIT_STATUS(k, st, PATIO_OK, "publish");
        return false;
    }
    KIT_CHECK(k, strstr(err.message, word) != NULL, "the refusal does not name \"%s\": %s", word,
              err.message);
    kit_note(k, "%s is refused", word);
    return true;
}

void kit_send_message(kit_instance *i, patio_message *m)
{
    patio_error  err    = PATIO_ERROR_INIT;
    uint32_t     number = kit_number(&m->id);
    patio_status st     = kit_publish_message(i, m, 20 + number % 50, &err);
    KIT_CHECK(i->k, st == PATIO_OK, "publish of task %u returned %s: %s", number,
              kit_status_name(st), err.message);
    if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0) {
        kit_receipt r = {0};
        KIT_AWAIT(i->k, KIT_SOON_MS, find_receipt(i, number, &r), "publish %u has no outcome",
                  number);
        KIT_CHECK(i->k, r.outcome == PATIO_ACCEPTED, "task %u was not accepted (outcome %u): %s",
                  number, r.outcome, r.text);
    }
}

void kit_send(kit_instance *i, uint32_t number)
{
    patio_message m = kit_message(i->k, number, 0);
    kit_send_message(i, &m);
}

void kit_call(kit_instance *i, uint32_t number)
{
    patio_message m = kit_message(i->k, number, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE);
    kit_send_message(i, &m);
}

patio_message kit_quiet_call(kit *k, uint32_t number)
{
    return kit_message(k, number,
                       PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT);
}
