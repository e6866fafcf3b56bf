/* One answer, to where it belongs. NULL: the connection ended before it came. */
#include "redis.h"

static void lost_read(queue *q)
{
    pthread_mutex_lock(&q->t->lock);
    q->armed    = false;
    q->reserved = q->listening ? q->reserved : 0;
    q->reads++;
    pthread_mutex_unlock(&q->t->lock);
}

static void lost(conn *c, cmd *k)
{
    patio_transport *t = c->t;
    queue           *q = k->q;
    switch (k->type) {
    case CMD_ENQUEUE:
    case CMD_SPECIAL:
        publish_lost(c, k);
        return;
    case CMD_SETTLE:
        settle_lost(c, k);
        return;
    case CMD_ASK:
        ask_lost(c, k, c->why.message);
        return;
    case CMD_READ:
        lost_read(q);
        return;
    case CMD_CANCEL:
        cancel_answer(c, k, NULL);
        return;
    default:
        break;
    }
    if (q == NULL) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    if (k->type == CMD_FETCH) {
        q->fetching = false;
        q->reserved = 0;
    } else if (k->type == CMD_BEAT) {
        q->beating = false;
        q->opened  = false;
    } else if (k->type == CMD_PROMOTE) {
        q->promoting = false;
    } else if (k->type == CMD_CONTROL) {
        q->controlling = false;
    } else if (k->type == CMD_MARK) {
        mark_lost(q);
    } else if (k->type == CMD_PRESENCE) {
        q->beating = false;
    } else if (k->type == CMD_LEAVE) {
        q->left = true;
    }
    pthread_mutex_unlock(&t->lock);
}

static void came_leave(queue *q, const resp *r)
{
    if (resp_error(r)) {
        patio_host_log(q->t->host, PATIO_LOG_WARN, "queue %s could not be left: %s", q->name,
                       r->text);
    }
    pthread_mutex_lock(&q->t->lock);
    q->left = true;
    pthread_mutex_unlock(&q->t->lock);
}

static void came_probe(conn *c, const cmd *k, const resp *r)
{
    uint8_t trouble = trouble_of(r);
    if (trouble != TROUBLE_NONE) {
        (void)trouble_note(c, k, trouble, r);
        return;
    }
    pthread_mutex_lock(&c->t->lock);
    c->node->trouble.status = PATIO_OK;
    c->node->holds          = 0;
    pthread_mutex_unlock(&c->t->lock);
}

static void came_presence(conn *c, const cmd *k, const resp *r)
{
    pthread_mutex_lock(&c->t->lock);
    k->q->beating = false;
    pthread_mutex_unlock(&c->t->lock);
    (void)(resp_error(r) && trouble_note(c, k, trouble_of(r), r));
}

static void came_mark(queue *q)
{
    pthread_mutex_lock(&q->t->lock);
    q->mark_flights--;
    pthread_mutex_unlock(&q->t->lock);
}

/* What has no file of its own. */
static void came_other(conn *c, const cmd *k, const resp *r)
{
    switch (k->type) {
    case CMD_LEAVE:
        came_leave(k->q, r);
        break;
    case CMD_SLOTS:
        if (!resp_error(r)) {
            cluster_learn(c, r);
        }
        break;
    case CMD_PRESENCE:
        came_presence(c, k, r);
        break;
    case CMD_MARK:
        came_mark(k->q);
        break;
    case CMD_PING:
        came_probe(c, k, r);
        break;
    default:
        break;
    }
}

void dispatch(conn *c, cmd *k, const resp *r)
{
    if (r == NULL) {
        lost(c, k);
        return;
    }
    switch (k->type) {
    case CMD_HELLO:
    case CMD_LOAD:
        hello_answer(c, k, r);
        break;
    case CMD_ENQUEUE:
    case CMD_SPECIAL:
        publish_answer(c, k, r);
        break;
    case CMD_SETTLE:
        settle_answer(c, k, r);
        break;
    case CMD_FETCH:
        fetch_answer(c, k, r);
        break;
    case CMD_READ:
        read_answer(c, k, r);
        break;
    case CMD_REPLIES:
        replies_answer(c, k, r);
        break;
    case CMD_BEAT:
        beat_answer(c, k, r);
        break;
    case CMD_PROMOTE:
        promote_answer(c, k, r);
        break;
    case CMD_CONTROL:
        control_answer(c, k, r);
        break;
    case CMD_ASK:
        ask_answer(c, k, r);
        break;
    case CMD_CANCEL:
        cancel_answer(c, k, r);
        break;
    default:
        came_other(c, k, r);
        break;
    }
}
