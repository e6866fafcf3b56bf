/* What the tasks of a child call goes through the host, and the answers back to the child. */
#include "pool.h"

static bool is_own_id(const child *c, const patio_id *id)
{
    uint64_t half;
    memcpy(&half, id->bytes, sizeof(half));
    return half == c->incarnation;
}

static void refuse_call(patio_executor *x, child *c, const patio_id *id, patio_status st,
                        const char *why)
{
    patio_child_answer a = {.id = *id, .outcome = PATIO_REJECTED, .status = st};
    a.text_bytes         = (uint32_t)strlen(why) + 1;
    words_say(x, c, PATIO_CHILD_RECEIPT, 0, &a, why, (patio_bytes){NULL, 0});
}

bool calls_publish(patio_executor *x, child *c, const patio_child_part *part, int fd)
{
    patio_child_call call;
    memcpy(&call, part->body, sizeof(call));
    const char *queue = part->text;
    const char *task  = queue + strlen(queue) + 1;
    size_t      used  = (size_t)(task - part->text);
    if (used >= part->text_bytes || !is_own_id(c, &call.id)) {
        return false;
    }
    const char *key = task + strlen(task) + 1;
    used            = (size_t)(key - part->text);
    if (used + call.dedup_bytes + 1 != part->text_bytes || call.priority > PATIO_PRIORITY_MAX) {
        return false;
    }
    patio_error   err     = PATIO_ERROR_INIT;
    patio_message message = {
        PATIO_SIZED(patio_message),
        .flags           = call.flags,
        .id              = call.id,
        .queue           = queue,
        .task            = task,
        .dedup_key       = {(const uint8_t *)key, call.dedup_bytes},
        .dedup_window_ms = call.dedup_window_ms,
        .dedup_conflict  = call.dedup_conflict,
        .ttl_ms          = call.ttl_ms,
        .delay_ms        = call.delay_ms,
        .priority        = call.priority,
        .attempt         = 1,
        .level           = call.level,
        .body            = results_bytes(x->host, part, fd),
    };
    patio_status st = message.body != NULL
                          ? x->setup->publish(x->setup->self, &message, &err)
                          : patio_fail(&err, PATIO_NO_MEMORY, 0, "call %s: out of memory", task);
    x->host->buf_drop(x->host->self, message.body);
    if (st != PATIO_OK) {
        refuse_call(x, c, &call.id, st, err.message);
    }
    return true;
}

bool calls_cancel(patio_executor *x, child *c, const patio_child_part *part)
{
    patio_child_answer a;
    memcpy(&a, part->body, sizeof(a));
    if (!is_own_id(c, &a.id)) {
        return false;
    }
    (void)x->setup->cancel(x->setup->self, part->text, &a.id, NULL);
    return true;
}

/* ---- answers to the calls of children ---- */

static child *find_caller(patio_executor *x, const patio_id *id)
{
    uint64_t half;
    memcpy(&half, id->bytes, sizeof(half));
    child *c = x->children;
    while (c != NULL && (c->incarnation != half || c->gone)) {
        c = c->next;
    }
    return c;
}

static int32_t relay_word(patio_executor *x, uint32_t type, const patio_child_answer *a,
                          const char *text, patio_bytes bytes)
{
    pthread_mutex_lock(&x->lock);
    child *c = find_caller(x, &a->id);
    if (c != NULL) {
        c->pins++;
    }
    pthread_mutex_unlock(&x->lock);
    if (c == NULL) {
        return 0;
    }
    words_say(x, c, type, 0, a, text, bytes);
    pthread_mutex_lock(&x->lock);
    c->pins--;
    bool gone = c->gone;
    pthread_mutex_unlock(&x->lock);
    if (gone) {
        pool_wake(x);
    }
    return 1;
}

static int32_t relay_replied(patio_executor *x, const patio_reply *reply)
{
    patio_child_answer a = {.id = reply->id, .flags = reply->flags};
    return relay_word(x, PATIO_CHILD_REPLY, &a, NULL,
                      x->host->buf_view(x->host->self, reply->body));
}

static int32_t relay_published(patio_executor *x, const patio_receipt *receipt)
{
    const char        *why = receipt->error != NULL ? receipt->error->message : "";
    patio_child_answer a   = {
          .id         = receipt->id,
          .original   = receipt->original,
          .outcome    = receipt->outcome,
          .level      = receipt->level,
          .status     = receipt->error != NULL ? receipt->error->status : PATIO_OK,
          .text_bytes = (uint32_t)strlen(why) + 1,
    };
    return relay_word(x, PATIO_CHILD_RECEIPT, &a, why, (patio_bytes){NULL, 0});
}

const patio_relay_ops calls_relay_ops = {
    PATIO_SIZED(patio_relay_ops),
    .replied   = relay_replied,
    .published = relay_published,
};
