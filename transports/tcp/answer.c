/* A peer asks: what this process holds, and those it is connected with. */
#include "tcp.h"

void answer_write(conn *c, uint64_t id, const frame_answer *a, patio_buf *tail, effects *fx)
{
    const patio_host *host = c->t->host;
    uint8_t           small[FRAME_ANSWER_BYTES + 512];
    frame_header      h    = {.type = FRAME_ANSWER, .id = id};
    frame_answer      out  = *a;
    size_t            size = FRAME_ANSWER_BYTES + a->rows.size;
    uint8_t          *head = size <= sizeof(small) ? small : host->alloc(host->self, size);
    if (head == NULL) {
        c->broken = true; /* better gone than mute */
        write_mark_dirty(c);
        return;
    }
    if (tail != NULL && host->buf_view(host->self, tail).size > c->max_bytes) {
        tail       = NULL;
        out.status = PATIO_TOO_LARGE;
    }
    out.flags = (uint8_t)((out.flags & ~(unsigned)ANSWER_TAIL) | (tail != NULL ? ANSWER_TAIL : 0u));
    frame_put_answer(head, &out);
    if (a->rows.size > 0) {
        memcpy(head + FRAME_ANSWER_BYTES, a->rows.data, a->rows.size);
    }
    if (write_frame(c, &h, (patio_bytes){head, size}, tail, 0)) {
        write_kick(c, fx);
    }
    if (head != small) {
        host->free(host->self, head);
    }
}

/* One question while it is answered, out of the lock: this is the I/O thread, so the connection
 * stays. */
typedef struct answering {
    conn        *c;
    uint64_t     id;
    frame_ask    ask;
    frame_answer answer;
    patio_buf   *tail;
    uint8_t      fixed[FRAME_ROOM_BYTES + FRAME_LINKS_BYTES];
    uint8_t      page[ASK_PAGE_BYTES];
    size_t       used;
    bool         full; /* the connection has more to write than it should */
} answering;

static void send_now(answering *w, bool last)
{
    effects fx;
    effects_begin(&fx, w->c->t);
    w->answer.flags = last ? ANSWER_LAST : 0;
    answer_write(w->c, w->id, &w->answer, w->tail, &fx);
    w->full = write_backlog(w->c) > w->c->t->set.write_queue_bytes;
    effects_end(&fx);
    w->used = 0;
}

/* Room for a row in the page; a full page is sent. NULL: the row is larger than a page. */
static uint8_t *add_row(answering *w, size_t size)
{
    if (size > sizeof(w->page)) {
        return NULL;
    }
    if (w->used + size > sizeof(w->page)) {
        w->answer.rows = (patio_bytes){w->page, w->used};
        send_now(w, false);
    }
    uint8_t *at = w->page + w->used;
    w->used += size;
    return at;
}

static int32_t add_queue(void *arg, const char *name)
{
    size_t   size = strlen(name);
    uint8_t *at   = add_row(arg, size + 1);
    at[0]         = (uint8_t)size;
    /* on the wire a name has its length before it */
    memcpy(at + 1, name, size); /* NOLINT(bugprone-not-null-terminated-result) */
    return 0;
}

static int32_t add_letter(void *arg, const patio_dead_letter *d)
{
    answering        *w = arg;
    patio_dead_letter bare;
    uint8_t          *at = add_row(w, frame_letter_size(d));
    if (at == NULL) {
        bare       = *d;
        bare.cause = (patio_bytes){NULL, 0}; /* too long to be shown */
        d          = &bare;
        at         = add_row(w, frame_letter_size(d));
    }
    frame_put_letter(at, d);
    if (d->body != NULL) {
        w->tail = w->c->t->host->buf_ref(w->c->t->host->self, d->body);
    }
    if (w->full) {
        w->answer.status = PATIO_TOO_LARGE; /* they do not fit into one answer */
        return 1;
    }
    return 0;
}

static void answer_dead(answering *w)
{
    patio_transport *t  = w->c->t;
    const frame_ask *a  = &w->ask;
    const patio_id  *id = (a->flags & ASK_HAS_ID) != 0 ? &a->id : NULL;
    patio_status     st = PATIO_INVALID;
    if (a->what == ASK_DEAD_LIST) {
        st = store_dead_list(&t->room, &t->set.bounds, a->queue, NULL, a->limit, add_letter, w,
                             NULL);
        st = w->answer.status != 0 ? (patio_status)w->answer.status : st;
    } else if (a->what == ASK_DEAD_GET && id != NULL) {
        st = store_dead_get(&t->room, a->queue, id, add_letter, w, NULL);
    } else if (a->what == ASK_DEAD_RETRY) {
        st = operate_retry(t, a->queue, id, &w->answer.number, NULL);
    } else if (a->what == ASK_DEAD_DROP) {
        st = store_dead_drop(&t->room, &t->set.bounds, a->queue, id, &w->answer.number, NULL);
    }
    w->answer.status = (uint16_t)st;
}

static void answer_result(answering *w)
{
    patio_transport *t = w->c->t;
    patio_result     r = {PATIO_SIZED(patio_result)};
    store_result_get(&t->room, w->ask.queue, &w->ask.id, &r);
    frame_put64(w->fixed, r.ttl_ms);
    w->answer.number = r.state;
    w->answer.rows   = (patio_bytes){w->fixed, 8};
    w->tail          = r.reply;
}

static void answer_room(answering *w)
{
    patio_transport *t = w->c->t;
    pthread_mutex_lock(&t->lock);
    const uint64_t numbers[] = {t->room.held - t->room.dead, t->set.bounds.max_queued,
                                t->room.held_bytes - t->room.dead_bytes,
                                t->set.bounds.max_queued_bytes, t->room.dead};
    links_put(t, w->fixed + FRAME_ROOM_BYTES);
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        frame_put64(w->fixed + i * 8, numbers[i]);
    }
    w->answer.rows = (patio_bytes){w->fixed, FRAME_ROOM_BYTES + FRAME_LINKS_BYTES};
}

static void fill_answer(answering *w)
{
    patio_transport *t      = w->c->t;
    const frame_ask *a      = &w->ask;
    patio_counts     counts = {PATIO_SIZED(patio_counts)};
    switch (a->what) {
    case ASK_QUEUES:
        operate_queues(t, add_queue, w);
        break;
    case ASK_COUNTS:
        operate_counts(t, a->queue, &counts);
        frame_put_counts(w->fixed, &counts);
        w->answer.rows = (patio_bytes){w->fixed, FRAME_COUNTS_BYTES};
        break;
    case ASK_PURGE:
        w->answer.number = operate_purge(t, a->queue);
        break;
    case ASK_SET_STATE:
        w->answer.status = (uint16_t)operate_set_state(t, a->queue, a->state, NULL);
        break;
    case ASK_GET_STATE:
        w->answer.number = operate_state(t, a->queue);
        break;
    case ASK_RESULT:
        answer_result(w);
        break;
    case ASK_PRESENCE:
        pthread_mutex_lock(&t->lock);
        w->tail = t->ask.info != NULL ? t->host->buf_ref(t->host->self, t->ask.info) : NULL;
        pthread_mutex_unlock(&t->lock);
        break;
    case ASK_ROOM:
        answer_room(w);
        break;
    default:
        answer_dead(w);
        break;
    }
}

static void answer_aside(void *arg)
{
    answering *w = arg;
    fill_answer(w);
    if (w->used > 0) {
        w->answer.rows = (patio_bytes){w->page, w->used};
    }
    send_now(w, true);
    w->c->t->host->buf_drop(w->c->t->host->self, w->tail);
}

/* Was it here before, by another way? */
static bool is_known(patio_transport *t, const frame_ask *a)
{
    for (uint32_t i = 0; i < ASK_RECENT; i++) {
        if (t->ask.recent[i].origin == a->origin && t->ask.recent[i].number == a->number) {
            return true;
        }
    }
    uint32_t at              = t->ask.recent_at++ % ASK_RECENT;
    t->ask.recent[at].origin = a->origin;
    t->ask.recent[at].number = a->number;
    return false;
}

const char *answer_ask(conn *c, uint64_t id, patio_bytes body, effects *fx)
{
    patio_transport  *t    = c->t;
    const patio_host *host = t->host;
    frame_ask         question;
    if (!frame_get_ask(body, &question)) {
        return "a malformed ASK";
    }
    frame_answer answer = {
        .what = question.what, .flags = ANSWER_LAST, .incarnation = t->incarnation};
    bool relayed = true;
    /* it has much to announce, which is on its way; or it has to read what it has asked for */
    if (!c->announced || write_replies(c) > t->set.write_queue_bytes) {
        answer.status = PATIO_FULL;
    } else if (c->foreign || !allow_operate(c->allow)) {
        answer.status = PATIO_AUTH;
    } else if (question.what == 0 || question.what > ASK_WHAT_HIGHEST) {
        answer.status = PATIO_UNSUPPORTED;
    } else if (is_known(t, &question)) {
        answer.flags |= ANSWER_AGAIN;
    }
    if (answer.status != 0 || (answer.flags & ANSWER_AGAIN) != 0) {
        frame_header h = {.type = FRAME_ANSWER, .id = id};
        uint8_t      head[FRAME_ANSWER_BYTES];
        frame_put_answer(head, &answer);
        echo_write(c, &h, (patio_bytes){head, sizeof(head)}, fx);
        return NULL;
    }
    if ((question.flags & ASK_RELAY) != 0) {
        /* first of all how many will answer, for they may be quicker than we are */
        answer.flags = 0;
        relayed      = relay_all(c, id, &question, &answer.others, fx);
        answer_write(c, id, &answer, NULL, fx);
        answer.others = 0;
    }
    answer.flags = ANSWER_LAST;
    if (question.what == ASK_CANCEL) {
        cancel_for_peer(c, id, &question, fx);
        return NULL;
    }
    answering *w = relayed ? host->alloc(host->self, sizeof(*w)) : NULL;
    if (w == NULL) {
        answer.status = PATIO_FULL;
        answer_write(c, id, &answer, NULL, fx);
        return NULL;
    }
    memset(w, 0, sizeof(*w));
    w->c      = c;
    w->id     = id;
    w->ask    = question;
    w->answer = answer;
    effects_aside(fx, answer_aside, w);
    host->free(host->self, w);
    return NULL;
}
