/* refuse.c: what a plugin does not declare, it must refuse by name. */
#include <strings.h>

#include <patio/dead.h>
#include <patio/queues.h>
#include <patio/results.h>

#include "kit.h"

const char *kit_cap_word(uint32_t cap)
{
    switch (cap) {
#define PATIO_X(name, bit, word, text)                                                             \
    case 1u << (bit):                                                                              \
        return word;
        PATIO_TRANSPORT_CAP_MAP(PATIO_X)
#undef PATIO_X
    default:
        return "?";
    }
}

/* By return, or by a receipt that rejects. */
static void must_refuse(kit *k, kit_instance *i, patio_message *m, const char *word)
{
    patio_error  err = PATIO_ERROR_INIT;
    kit_receipt  r   = {0};
    patio_status st  = kit_publish_message(i, m, 10, &err);
    if (st == PATIO_OK) {
        KIT_CHECK(k, kit_outcome(i, kit_number(&m->id)) == PATIO_REJECTED,
                  "\"%s\" is not declared, and a task that needs it was accepted", word);
        pthread_mutex_lock(&k->lock);
        r = i->receipts[i->receipt_count - 1];
        pthread_mutex_unlock(&k->lock);
        st = r.status;
        (void)snprintf(err.message, sizeof(err.message), "%s", r.text);
    }
    KIT_STATUS(k, st, PATIO_UNSUPPORTED, "publish of what is not declared");
    KIT_CHECK(k, strcasestr(err.message, word) != NULL, "the refusal does not name \"%s\": %s",
              word, err.message);
}

static void refuse_message(kit *k, uint32_t cap)
{
    kit_instance *i = kit_instance_open(k, NULL);
    patio_message m = kit_message(k, 1, 0);
    if (cap == PATIO_CAP_PRIORITY) {
        m.priority = PATIO_PRIORITY_MAX;
        must_refuse(k, i, &m, "priorit");
    } else if (cap == PATIO_CAP_DELAY) {
        m.delay_ms = 1000;
        must_refuse(k, i, &m, "delay");
    } else if (cap == PATIO_CAP_DEDUP) {
        m.dedup_key       = (patio_bytes){(const uint8_t *)"key", 3};
        m.dedup_window_ms = 1000;
        must_refuse(k, i, &m, "dedup");
    } else if (cap == PATIO_CAP_RESULTS) {
        m.flags = PATIO_MESSAGE_KEEP_RESULT;
        must_refuse(k, i, &m, "result");
    } else {
        m.level = PATIO_LEVEL_REPLICATED;
        must_refuse(k, i, &m, "level");
        m       = kit_message(k, 2, 0);
        m.level = PATIO_LEVEL_DISK;
        must_refuse(k, i, &m, "level");
    }
}

static void refuse_slot(kit *k, uint32_t cap)
{
    kit_instance *i   = kit_instance_open(k, NULL);
    patio_error   err = PATIO_ERROR_INIT;
    patio_id      id  = kit_id(k, 1);
    patio_status  st  = cap == PATIO_CAP_CANCEL ? k->ops->cancel(i->t, "q", &id, &err)
                                                : k->ops->started(i->t, 1, &err);
    KIT_STATUS(k, st, PATIO_UNSUPPORTED, "a slot whose capability is not declared");
    kit_check_error(k, &err, st, kit_cap_word(cap));
    KIT_CHECK(k, strstr(err.message, kit_cap_word(cap)) != NULL,
              "the refusal does not name \"%s\": %s", kit_cap_word(cap), err.message);
}

static void refuse_interface(kit *k, const char *id)
{
    kit_instance *i = kit_instance_open(k, NULL);
    KIT_CHECK(k, kit_query(i, id) == NULL, "\"%s\" is there without its capability", id);
    kit_instance_close(i);
}

static void refuse_limits(kit *k)
{
    kit_instance           *i = kit_instance_open(k, NULL);
    const patio_queues_ops *q = kit_query(i, PATIO_QUEUES_ID);
    if (q != NULL) {
        patio_error err = PATIO_ERROR_INIT;
        KIT_STATUS(k, q->set_limit(i->t, "q", 1, 5000, &err), PATIO_UNSUPPORTED, "set_limit");
        kit_check_error(k, &err, PATIO_UNSUPPORTED, "set_limit");
    }
}

/* The outcome of what nobody can run, by return or by receipt. */
static patio_status of_no_worker(kit *k, uint32_t flags)
{
    kit_instance *i   = kit_instance_open(k, NULL);
    patio_error   err = PATIO_ERROR_INIT;
    patio_message m   = kit_message(k, 1, flags);
    patio_status  st  = kit_publish_message(i, &m, 10, &err);
    if (st == PATIO_OK && kit_outcome(i, 1) != PATIO_ACCEPTED) {
        st = i->receipts[0].status;
    }
    return st;
}

/* Who does not know the routes cannot say that there is none. */
static void refuse_no_route(kit *k)
{
    KIT_CHECK(k, of_no_worker(k, PATIO_MESSAGE_CALL) != PATIO_NO_ROUTE,
              "\"routes\" is not declared, and a call nobody can run was refused for that");
}

static void refuse_queue(kit *k)
{
    KIT_CHECK(k, of_no_worker(k, 0) != PATIO_OK,
              "\"queue\" is not declared, and a task without a worker was accepted");
}

void kit_check_refused(kit *k, uint32_t cap)
{
    switch (cap) {
    case PATIO_CAP_PERSIST:
    case PATIO_CAP_PRIORITY:
    case PATIO_CAP_DELAY:
    case PATIO_CAP_DEDUP:
        refuse_message(k, cap);
        break;
    case PATIO_CAP_CANCEL:
    case PATIO_CAP_STARTED:
        refuse_slot(k, cap);
        break;
    case PATIO_CAP_RESULTS:
        refuse_interface(k, PATIO_RESULTS_ID);
        refuse_message(k, cap);
        break;
    case PATIO_CAP_DEAD_LETTERS:
        refuse_interface(k, PATIO_DEAD_ID);
        break;
    case PATIO_CAP_LIMITS:
        refuse_limits(k);
        break;
    case PATIO_CAP_ROUTES:
        refuse_no_route(k);
        break;
    case PATIO_CAP_QUEUE:
        refuse_queue(k);
        break;
    default:
        break;
    }
}
