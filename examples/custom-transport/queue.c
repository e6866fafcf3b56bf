/* queue.c: what the host calls. Everything is checked against what is in memory and then left to
 * the thread. */
#include "spool.h"

#include <stdio.h>
#include <unistd.h>

void spool_wake(patio_transport *t)
{
    uint64_t one = 1;
    (void)!write(t->wake_fd, &one, sizeof(one));
}

command *spool_command(patio_transport *t, enum command_kind kind, size_t bytes)
{
    command *c = t->host->alloc(t->host->self, sizeof(*c) + bytes);
    if (c != NULL) {
        memset(c, 0, sizeof(*c));
        c->kind = kind;
    }
    return c;
}

void spool_command_free(patio_transport *t, command *c)
{
    t->host->buf_drop(t->host->self, c->body);
    t->host->free(t->host->self, c);
}

/* Takes the command, or frees it. */
patio_status spool_append(patio_transport *t, command *c, patio_error *err)
{
    if (c == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    pthread_mutex_lock(&t->lock);
    bool closed = t->stopping || !t->running;
    /* everything else is bounded by what the host has been given */
    bool full = !closed && c->kind == CMD_PUBLISH && t->command_count >= COMMANDS_MAX;
    if (!closed && !full) {
        *t->last = c;
        t->last  = &c->next;
        t->command_count++;
    }
    bool first = t->command_count == 1;
    pthread_mutex_unlock(&t->lock);
    if (closed || full) {
        spool_command_free(t, c);
        return closed ? patio_fail(err, PATIO_CLOSED, 0, "the spool transport is stopped")
                      : patio_fail(err, PATIO_FULL, 0, "%d operations wait for the disk",
                                   COMMANDS_MAX);
    }
    if (first) {
        spool_wake(t);
    }
    return PATIO_OK;
}

static patio_status check_message(const patio_transport *t, const patio_message *m,
                                  patio_error *err)
{
    size_t size = t->host->buf_view(t->host->self, m->body).size;
    if (size > t->max_body_bytes) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "task %s has %zu bytes, the limit is %llu",
                          m->task, size, (unsigned long long)t->max_body_bytes);
    }
    if (m->level > PATIO_LEVEL_DISK) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "level %u is demanded, a spool reaches 2: one disk", m->level);
    }
    if (m->dedup_key.size > 0 && m->dedup_conflict == PATIO_DEDUP_ATTACH) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "a spool cannot attach to a task by dedup key");
    }
    return PATIO_OK;
}

patio_status spool_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    patio_status st = check_message(t, m, err);
    if (st != PATIO_OK) {
        return st;
    }
    size_t   task = strlen(m->task) + 1;
    command *c    = spool_command(t, CMD_PUBLISH, task + m->dedup_key.size);
    if (c != NULL) {
        c->message = *m;
        c->id      = m->id;
        c->body    = t->host->buf_ref(t->host->self, m->body);
        (void)snprintf(c->queue, sizeof(c->queue), "%s", m->queue);
        memcpy(c->data, m->task, task);
        if (m->dedup_key.size > 0) {
            memcpy(c->data + task, m->dedup_key.data, m->dedup_key.size);
        }
        c->message.task           = (const char *)c->data;
        c->message.queue          = c->queue;
        c->message.dedup_key.data = c->data + task;
    }
    return spool_append(t, c, err);
}

/* ---- leases ---- */

lease *spool_lease_find(patio_transport *t, patio_tag tag)
{
    uint64_t slot = (tag & UINT32_MAX) - 1;
    return tag != 0 && slot < t->lease_room && t->leases[slot].tag == tag ? &t->leases[slot] : NULL;
}

lease *spool_lease_new(patio_transport *t)
{
    for (uint32_t i = 0; i < t->lease_room; i++) {
        uint32_t at = (t->lease_free + i) % t->lease_room;
        lease   *l  = &t->leases[at];
        if (l->tag == 0) {
            uint32_t generation = l->generation + 1;
            *l = (lease){.generation = generation, .tag = (uint64_t)generation << 32 | (at + 1)};
            t->lease_free = (at + 1) % t->lease_room;
            return l;
        }
    }
    uint32_t room = t->lease_room != 0 ? t->lease_room * 2 : 64;
    lease   *more = t->host->resize(t->host->self, t->leases, room * sizeof(*more));
    if (more == NULL) {
        return NULL;
    }
    memset(more + t->lease_room, 0, (room - t->lease_room) * sizeof(*more));
    t->lease_free = t->lease_room;
    t->leases     = more;
    t->lease_room = room;
    return spool_lease_new(t);
}

void spool_lease_end(patio_transport *t, lease *l)
{
    t->subscriptions[l->subscription].unsettled--;
    t->look = true;
    l->tag  = 0;
}

static patio_status stale(bool stopped, const char *what, patio_error *err)
{
    return stopped ? patio_fail(err, PATIO_CLOSED, 0, "%s: the spool transport is stopped", what)
                   : patio_fail(err, PATIO_STALE, 0,
                                "%s: this delivery is settled or its lease is gone", what);
}

/* Fill a command from a lease; ends the lease if `final`. */
static patio_status take(patio_transport *t, patio_tag tag, command *c, bool final,
                         const char *what, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    bool   closed = t->stopping;
    lease *l      = closed ? NULL : spool_lease_find(t, tag);
    if (l != NULL) {
        c->tag   = tag;
        c->seq   = l->seq;
        c->fence = l->fence;
        c->id    = l->id;
        if (final) {
            spool_lease_end(t, l);
        } else if (c->verdict == PATIO_CLAIM) {
            l->claimed = true;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (l == NULL) {
        spool_command_free(t, c);
        return stale(closed, what, err);
    }
    return spool_append(t, c, err);
}

patio_status spool_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                          patio_error *err)
{
    if (s->verdict < PATIO_ACK || s->verdict > PATIO_CLAIM) {
        return patio_fail(err, PATIO_INVALID, 0, "settle: unknown verdict %u", s->verdict);
    }
    command *c = spool_command(t, CMD_SETTLE, s->cause.size);
    if (c == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    c->verdict       = s->verdict;
    c->delay_ms      = s->delay_ms;
    c->result_ttl_ms = s->result_ttl_ms;
    c->cause_bytes   = s->cause.size;
    if (s->cause.size > 0) {
        memcpy(c->data, s->cause.data, s->cause.size);
    }
    c->body = s->reply != NULL ? t->host->buf_ref(t->host->self, s->reply) : NULL;
    return take(t, tag, c, s->verdict != PATIO_CLAIM, "settle", err);
}

patio_status spool_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    command *c = spool_command(t, CMD_STARTED, 0);
    return c != NULL ? take(t, tag, c, false, "started", err)
                     : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
}

patio_status spool_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    command *c = spool_command(t, CMD_NOTIFY, 0);
    if (c == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    c->body = t->host->buf_ref(t->host->self, body);
    return take(t, tag, c, false, "notify", err);
}

patio_status spool_cancel(patio_transport *t, const char *queue, const patio_id *id,
                          patio_error *err)
{
    command *c = spool_command(t, CMD_CANCEL, 0);
    if (c != NULL) {
        c->id = *id;
        (void)snprintf(c->queue, sizeof(c->queue), "%s", queue);
    }
    return spool_append(t, c, err);
}

/* ---- subscriptions ---- */

/* The names as a JSON array, for json_each in the statement. */
static char *json_of(const patio_transport *t, const patio_subscription *s)
{
    size_t room = 3;
    for (size_t i = 0; i < s->task_count; i++) {
        room += strlen(s->tasks[i]) * 2 + 3;
    }
    char *json = t->host->alloc(t->host->self, room);
    if (json == NULL) {
        return NULL;
    }
    char *at = json;
    *at++    = '[';
    for (size_t i = 0; i < s->task_count; i++) {
        at[0] = ',';
        at += i > 0 ? 1 : 0;
        *at++ = '"';
        for (const char *c = s->tasks[i]; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\') {
                *at++ = '\\';
            }
            *at++ = *c;
        }
        *at++ = '"';
    }
    *at++ = ']';
    *at   = '\0';
    return json;
}

static subscription *find(patio_transport *t, const char *queue)
{
    for (uint32_t i = 0; i < t->subscription_count; i++) {
        if (strcmp(t->subscriptions[i].queue, queue) == 0) {
            return &t->subscriptions[i];
        }
    }
    return NULL;
}

patio_status spool_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    char *tasks = json_of(t, s);
    if (tasks == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    subscription *sub = find(t, s->queue);
    if (t->stopping || !t->running) {
        st = PATIO_CLOSED;
    } else if (sub == NULL && t->subscription_count == SUBSCRIPTIONS_MAX) {
        st = PATIO_FULL;
    } else {
        if (sub == NULL) {
            sub = &t->subscriptions[t->subscription_count++];
            (void)snprintf(sub->queue, sizeof(sub->queue), "%s", s->queue);
        }
        t->subs_changed = t->subs_changed || !sub->open;
        char *old       = sub->tasks;
        sub->tasks      = tasks;
        tasks           = old;
        sub->credit     = s->credit;
        sub->open       = true;
        t->look         = true;
    }
    pthread_mutex_unlock(&t->lock);
    t->host->free(t->host->self, tasks);
    spool_wake(t);
    return st == PATIO_OK ? st
                          : patio_fail(err, st, 0, "subscribe to %s: %s", s->queue,
                                       st == PATIO_FULL ? "too many queues" : "it is stopped");
}

patio_status spool_unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    subscription *sub  = find(t, queue);
    bool          open = sub != NULL && sub->open;
    if (open) {
        sub->open       = false;
        sub->credit     = 0;
        t->subs_changed = true;
    }
    pthread_mutex_unlock(&t->lock);
    spool_wake(t);
    return open ? PATIO_OK
                : patio_fail(err, PATIO_NOT_FOUND, 0, "queue %s is not subscribed", queue);
}
