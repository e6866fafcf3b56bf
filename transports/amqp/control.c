/* Questions to all processes of a project: a fanout exchange that every inbox
 * is bound to. What is asked is a line of words; docs/protocol.md has them. */
#include "transport.h"

#include <stdlib.h>

enum { WORDS_MOST = 512 };

bool control_can(const patio_transport *t, patio_error *err, const char *what)
{
    if (t->set.reply == REPLY_DIRECT) {
        (void)patio_fail(err, PATIO_UNSUPPORTED, 0,
                         "%s: needs a queue of this process and the project's exchange, which "
                         "reply=direct and topology=none do without",
                         what);
        return false;
    }
    return true;
}

ask *control_new(patio_transport *t, uint32_t kind)
{
    ask *a = t->host->alloc(t->host->self, sizeof(*a));
    if (a != NULL) {
        memset(a, 0, sizeof(*a));
        a->kind = kind;
    }
    return a;
}

static void broadcast(patio_transport *t, const patio_id *nonce, const char *reply_to,
                      const char *words, bool *sent)
{
    char control[NAME_MAX_BYTES];
    CONTROL_NAME(t, control);
    patio_bytes bytes = {(const uint8_t *)words, strlen(words)};
    post       *p     = t->links[PUBLISHING].state == LINK_READY
                            ? post_new_control(t, control, "", "patio.control.ask", nonce, reply_to, bytes)
                            : NULL;
    *sent             = p != NULL;
    if (p != NULL) {
        post_submit(t, p);
    }
}

bool control_ask(patio_transport *t, ask *a, const char *words)
{
    bool sent = false;
    (void)t->host->random(t->host->self, &a->nonce, sizeof(a->nonce));
    a->asked_ns = t->host->now_ns(t->host->self);
    /* before it is sent, which may let go of the lock: the first answer may come meanwhile */
    a->next = t->asks;
    t->asks = a;
    broadcast(t, &a->nonce, t->inbox, words, &sent);
    if (sent) {
        loop_wake(t);
    } else {
        t->asks = a->next;
    }
    return sent;
}

void control_tell_all(patio_transport *t, const char *words)
{
    patio_id nobody = {{0}};
    bool     sent   = false;
    broadcast(t, &nobody, "", words, &sent);
}

void control_forget(patio_transport *t, ask *a)
{
    ask **at = &t->asks;
    while (*at != NULL && *at != a) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = a->next;
    }
    t->host->free(t->host->self, a->got.data);
    t->host->free(t->host->self, a);
}

void control_free_all(patio_transport *t)
{
    while (t->asks != NULL) {
        control_forget(t, t->asks);
    }
}

/* How long somebody may be silent until he counts as not there: our own question comes back to us
 * as well, and so says how fast the broker is just now. */
static uint64_t patience_ns(const ask *a, uint64_t least_ms, uint64_t most_ms)
{
    enum { ECHOES = 4 };
    uint64_t ns    = most_ms * 1000000u;
    uint64_t least = least_ms * 1000000u;
    if (a->echo_ns != 0) {
        least = least > ECHOES * a->echo_ns ? least : ECHOES * a->echo_ns;
        ns    = ns < least ? ns : least;
    }
    return ns;
}

void control_wait(patio_transport *t, ask *a, uint64_t least_ms, uint64_t most_ms)
{
    while (!t->stopping && (a->expected == 0 || a->answers < a->expected)) {
        uint64_t until = a->asked_ns + patience_ns(a, least_ms, most_ms);
        uint64_t now   = t->host->now_ns(t->host->self);
        if (now >= until) {
            return;
        }
        state_sleep(t, until - now);
    }
}

/* ---- what others ask us ---- */

void control_answer(patio_transport *t, const inbound *in, const void *data, size_t size)
{
    patio_bytes words = {data, size};
    pthread_mutex_lock(&t->lock);
    post *p = in->props.reply_to[0] != '\0' && t->links[PUBLISHING].state == LINK_READY
                  ? post_new_control(t, "", in->props.reply_to, "patio.control.answer",
                                     &in->props.id, "", words)
                  : NULL;
    if (p != NULL) {
        post_submit(t, p);
    }
    pthread_mutex_unlock(&t->lock);
}

static void answer_leased(patio_transport *t, const inbound *in, const char *name)
{
    char words[64];
    pthread_mutex_lock(&t->lock);
    queue   *q          = place_queue(t, name, false);
    uint64_t leased     = q != NULL ? q->unsettled : 0;
    bool     subscribed = q != NULL && subscribe_is_wanted(q);
    pthread_mutex_unlock(&t->lock);
    int size = snprintf(words, sizeof(words), "%llu %d", (unsigned long long)leased, subscribed);
    if (leased > 0 || subscribed) {
        control_answer(t, in, words, (size_t)size);
    }
}

static void answer_cancel(patio_transport *t, const inbound *in, const char *words)
{
    patio_id    id;
    const char *space = strchr(words, ' ');
    if (space == NULL || !props_read_id(&id, (amqp_bytes_t){.len   = (size_t)(space - words),
                                                            .bytes = wire_text(words).bytes})) {
        return;
    }
    const char *said = cancel_here(t, space + 1, &id);
    control_answer(t, in, said, strlen(said));
}

/* Whose call it was hears it here; the host drops what it does not know. */
static void tell_removed(patio_transport *t, const patio_id *id)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_fail(&err, PATIO_CANCELLED, 0, "it was cancelled by somebody else");
    patio_receipt receipt = {PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = *id,
                             .error = &err};
    t->events->published(t->events->self, &receipt);
}

static void heard(patio_transport *t, const char *words)
{
    patio_id id;
    bool     removed = false;
    char    *name    = NULL;
    uint64_t ms      = strncmp(words, "step ", 5) == 0 ? strtoull(words + 5, &name, 10) : 0;
    pthread_mutex_lock(&t->lock);
    if (name != NULL && *name == ' ') {
        queue *q = place_queue(t, name + 1, false);
        if (q != NULL) {
            place_made(q, ms);
        }
    } else if (strncmp(words, "state ", 6) == 0 && words[6] >= '0' && words[6] <= '2' &&
               words[7] == ' ') {
        queue *q = place_queue(t, words + 8, false);
        if (q != NULL) {
            queues_follow(t, q, (uint32_t)(words[6] - '0'));
        }
    } else if (strncmp(words, "gone ", 5) == 0 && props_read_id(&id, wire_text(words + 5))) {
        cancel_open(t, &id, NULL);
    } else if (strncmp(words, "removed ", 8) == 0 && strlen(words) > 41 &&
               props_read_id(&id, (amqp_bytes_t){.len = 32, .bytes = wire_text(words + 8).bytes})) {
        cancel_open(t, &id, place_queue(t, words + 41, false)); /* anybody may name anything */
        removed = true;
    }
    pthread_mutex_unlock(&t->lock);
    if (removed) {
        tell_removed(t, &id);
    }
}

/* Our own question has come back. */
static void note_echo(patio_transport *t, const inbound *in)
{
    pthread_mutex_lock(&t->lock);
    for (ask *a = t->asks; a != NULL; a = a->next) {
        if (memcmp(&a->nonce, &in->props.id, sizeof(a->nonce)) == 0) {
            a->echo_ns = t->host->now_ns(t->host->self) - a->asked_ns + 1;
            pthread_cond_broadcast(&t->calm);
        }
    }
    pthread_mutex_unlock(&t->lock);
}

static void on_ask(patio_transport *t, const inbound *in, const char *words)
{
    note_echo(t, in);
    if (strncmp(words, "leased ", 7) == 0) {
        answer_leased(t, in, words + 7);
    } else if (strncmp(words, "cancel ", 7) == 0) {
        answer_cancel(t, in, words + 7);
    } else if (strcmp(words, "presence") == 0) {
        presence_answer(t, in);
    } else {
        heard(t, words);
    }
}

/* ---- what they answer ---- */

static void on_answer(patio_transport *t, const inbound *in, const char *words, patio_bytes body)
{
    pthread_mutex_lock(&t->lock);
    ask *a = t->asks;
    while (a != NULL && memcmp(&a->nonce, &in->props.id, sizeof(a->nonce)) != 0) {
        a = a->next;
    }
    if (a != NULL && a->kind == ASK_LEASED) {
        char *rest = NULL;
        a->sum += strtoull(words, &rest, 10);
        a->answers += strcmp(rest, " 1") == 0;
    } else if (a != NULL && a->kind == ASK_CANCEL) {
        a->told    = a->told || strcmp(words, "told") == 0;
        a->late    = a->late || strcmp(words, "late") == 0;
        a->delayed = a->delayed || strcmp(words, "delayed") == 0;
        a->answers++;
        t->work = true;
    } else if (a != NULL) {
        presence_heard(t, a, body);
    }
    if (a != NULL && a->awaited) {
        pthread_cond_broadcast(&t->calm);
    }
    pthread_mutex_unlock(&t->lock);
}

void control_input(patio_transport *t, inbound *in)
{
    char        words[WORDS_MOST] = {0};
    patio_bytes body              = {NULL, 0};
    if (in->skip || !in->props.has_id) {
        return;
    }
    body        = t->host->buf_view(t->host->self, in->body);
    size_t size = body.size < sizeof(words) ? body.size : sizeof(words) - 1;
    if (size > 0) {
        memcpy(words, body.data, size);
    }
    words[size] = '\0';
    if (strcmp(in->props.task, "patio.control.ask") == 0) {
        on_ask(t, in, words);
    } else if (strcmp(in->props.task, "patio.control.answer") == 0) {
        on_answer(t, in, words, body);
    }
}

/* Somebody has said it all, or who has not answered by now is not there. */
static bool cancel_is_over(const ask *a, uint64_t now)
{
    enum { LEAST_MS = 300, MOST_MS = 3000 };
    return a->told || a->late || now >= a->asked_ns + patience_ns(a, LEAST_MS, MOST_MS);
}

/* For cancels no thread waits. */
void control_step(patio_transport *t, uint64_t now)
{
    for (;;) {
        pthread_mutex_lock(&t->lock);
        ask **at = &t->asks;
        while (*at != NULL && !((*at)->kind == ASK_CANCEL && cancel_is_over(*at, now))) {
            at = &(*at)->next;
        }
        ask *a = *at;
        if (a != NULL) {
            *at = a->next;
        }
        pthread_mutex_unlock(&t->lock);
        if (a == NULL) {
            return;
        }
        cancel_finish(t, a);
    }
}

/* The end: what was asked without anybody waiting has an outcome, too. */
void control_end(patio_transport *t)
{
    control_step(t, UINT64_MAX);
    pthread_mutex_lock(&t->lock);
    rpc_link_lost(t);
    browse_link_lost(t);
    pthread_mutex_unlock(&t->lock);
}
