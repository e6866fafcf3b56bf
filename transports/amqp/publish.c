/* What callers hand over. */
#include "transport.h"

static patio_status refuse_priority(const patio_message *m, patio_error *err)
{
    return patio_fail(
        err, PATIO_UNSUPPORTED, 0,
        "send %s: priority %u is asked for, and its queue is a quorum queue, which has "
        "none (capability \"priority\"; a classic queue has it)",
        m->task, m->priority);
}

static patio_status refuse_unsupported(const patio_transport *t, const patio_message *m,
                                       patio_error *err)
{
    if (m->dedup_key.size > 0) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: RabbitMQ cannot drop duplicates (capability \"dedup\")",
                          m->task);
    }
    if ((m->flags & PATIO_MESSAGE_KEEP_RESULT) != 0) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: its result is to be kept, and amqp keeps none (capability "
                          "\"results\")",
                          m->task);
    }
    if (m->level > PATIO_LEVEL_DISK) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: level %u is demanded; a broker does not say "
                          "how many disks it "
                          "has, amqp reaches level 2 (the broker's disk)",
                          m->task, m->level);
    }
    if (m->level == PATIO_LEVEL_DISK && !t->set.persistent) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: level 2 is demanded, but persistent=false reaches level 1",
                          m->task);
    }
    if (m->priority != PATIO_PRIORITY_DEFAULT && t->set.queue_type == QUEUE_QUORUM) {
        return refuse_priority(m, err);
    }
    if (m->delay_ms > place_longest_delay_ms()) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: a delay of %llu ms is asked for, and the longest delay queue "
                          "has %llu (capability \"delay\")",
                          m->task, (unsigned long long)m->delay_ms,
                          (unsigned long long)place_longest_delay_ms());
    }
    return PATIO_OK;
}

/* Under the lock: what speaks against taking it now. */
static patio_status refuse_now(const patio_transport *t, const patio_message *m, size_t size,
                               patio_error *err)
{
    if (!t->started || t->stopping) {
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    if (t->fatal != PATIO_OK) {
        return patio_fail(err, t->fatal, 0, "send %s: %s", m->task, t->why);
    }
    if (t->links[PUBLISHING].blocked) {
        return patio_fail(err, PATIO_BLOCKED, 0, "send %s: %s", m->task, t->why);
    }
    if (t->raised != PATIO_LINK_UP && t->set.enqueue_ms == 0) {
        return patio_fail(err, PATIO_UNREACHABLE, 0, "send %s: %s", m->task, t->why);
    }
    if (t->posts >= t->set.max_unconfirmed || size > t->set.max_unconfirmed_bytes - t->post_bytes) {
        return patio_fail(err, PATIO_FULL, 0,
                          "send %s: %llu messages of %llu bytes wait for the "
                          "broker's confirmation "
                          "(max_unconfirmed %llu, max_unconfirmed_bytes %llu)",
                          m->task, (unsigned long long)t->posts, (unsigned long long)t->post_bytes,
                          (unsigned long long)t->set.max_unconfirmed,
                          (unsigned long long)t->set.max_unconfirmed_bytes);
    }
    return PATIO_OK;
}

static post *make_post(patio_transport *t, const patio_message *m, queue *q, place *to,
                       const char *inbox)
{
    uint64_t   wall  = props_wall_ms();
    bool       call  = (m->flags & PATIO_MESSAGE_CALL) != 0;
    task_facts facts = {
        .id         = m->id,
        .task       = m->task,
        .reply_to   = !call                          ? ""
                      : t->set.reply == REPLY_DIRECT ? "amq.rabbitmq.reply-to"
                                                     : inbox,
        .ttl_ms     = m->ttl_ms,
        .expire_ms  = to == &q->work ? m->ttl_ms : m->delay_ms,
        .sent_ms    = wall,
        .flags      = m->flags,
        .attempt    = m->attempt != 0 ? m->attempt : 1,
        .crashes    = m->crashes,
        .priority   = (uint8_t)m->priority,
        .persistent = t->set.persistent,
    };
    post *p = post_new_task(t, POST_TASK, to, &facts, m->body);
    if (p != NULL) {
        p->prioritized = m->priority != PATIO_PRIORITY_DEFAULT;
        p->receipt     = (m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0;
        p->end_ns      = m->ttl_ms != 0 && m->ttl_ms < (UINT64_MAX - p->made_ns) / 1000000u
                             ? p->made_ns + m->ttl_ms * 1000000u
                             : 0;
    }
    return p;
}

patio_status transport_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    char         inbox[NAME_MAX_BYTES];
    size_t       size = t->host->buf_view(t->host->self, m->body).size;
    patio_status st   = refuse_unsupported(t, m, err);
    if (st == PATIO_OK) {
        st = place_check_name(m->queue, err);
    }
    if (st == PATIO_OK && size > t->max_body_bytes) {
        st = patio_fail(err, PATIO_TOO_LARGE, 0, "send %s: %zu bytes, at most %llu are allowed",
                        m->task, size, (unsigned long long)t->max_body_bytes);
    }
    if (st != PATIO_OK) {
        return st;
    }
    pthread_mutex_lock(&t->lock);
    guest_publishes(t, (m->flags & PATIO_MESSAGE_CALL) != 0);
    st        = refuse_now(t, m, size, err);
    queue *q  = st == PATIO_OK ? place_queue(t, m->queue, true) : NULL;
    place *to = q == NULL ? NULL : m->delay_ms > 0 ? place_delay(t, q, m->delay_ms) : &q->work;
    memcpy(inbox, t->inbox, sizeof(inbox));
    if (q != NULL) {
        (void)queues_ask(t, q);
        if (q->operator_state == PATIO_QUEUE_DRAINING) {
            st = patio_fail(err, PATIO_BLOCKED, 0, "send %s: queue \"%s\" is draining", m->task,
                            m->queue);
        }
    }
    if (st == PATIO_OK && q != NULL && m->priority != PATIO_PRIORITY_DEFAULT &&
        kinds_no_priorities(q)) {
        st = refuse_priority(m, err);
    }
    if (st == PATIO_OK && to != NULL && to->state == PLACE_FAILED && to->waiting.first == NULL &&
        t->host->now_ns(t->host->self) - to->failed_ns < UINT64_C(1000000000)) {
        st = patio_fail(err, to->status, 0, "send %s: %s", m->task, to->why);
    }
    pthread_mutex_unlock(&t->lock);
    if (st != PATIO_OK) {
        return st;
    }
    post *p = to != NULL ? make_post(t, m, q, to, inbox) : NULL;
    if (p == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "send %s: out of memory", m->task);
    }
    pthread_mutex_lock(&t->lock);
    if (t->stopping) {
        pthread_mutex_unlock(&t->lock);
        post_free(t, p);
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    t->posts++;
    t->post_bytes += size;
    post_submit(t, p);
    pthread_mutex_unlock(&t->lock);
    return PATIO_OK;
}
