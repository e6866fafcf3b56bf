#include "wire/records.h"

#include <string.h>
#include <time.h>

#include <patio/v1/dead_letter.pb-c.h>
#include <patio/v1/worker.pb-c.h>

#include "wire/payload.h"

enum { TEXT_MAX = 16384, NAME_BYTES = 260 };

static const char *clean(pt_arena *arena, const char *text)
{
    const char *out = pt_clean_text(arena, text, TEXT_MAX);
    return out != NULL ? out : "";
}

patio_bytes pt_write_death(pt_arena *arena, const pt_death *death)
{
    const char *message = pt_clean_text(arena, death->message, PT_DEATH_MESSAGE_MAX);
    const char *type    = pt_clean_text(arena, death->error_type, PT_ERROR_TYPE_MAX);
    if (message == NULL || type == NULL) {
        return (patio_bytes){NULL, 0};
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    Patio__V1__DeadLetter letter;
    patio__v1__dead_letter__init(&letter);
    letter.cause           = pt_packed_text(death->cause);
    letter.status          = death->status;
    letter.message         = pt_packed_text(message);
    letter.error_type      = pt_packed_text(type);
    letter.worker          = pt_packed_text(death->worker != NULL ? death->worker : "");
    letter.attempts        = death->attempts;
    letter.crashes         = death->crashes;
    letter.died_at_unix_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    size_t   size          = patio__v1__dead_letter__get_packed_size(&letter);
    uint8_t *data          = pt_arena_alloc(arena, size);
    if (data == NULL) {
        return (patio_bytes){NULL, 0};
    }
    (void)patio__v1__dead_letter__pack(&letter, data);
    return (patio_bytes){data, size};
}

void pt_read_death(pt_arena *arena, patio_bytes bytes, patio_dead_info *out)
{
    ProtobufCMessage *message = NULL;
    out->cause                = "";
    out->message              = "";
    out->error_type           = "";
    out->worker               = "";
    if (bytes.size == 0 || pt_unpack(arena, &patio__v1__dead_letter__descriptor, bytes,
                                     "dead letter", &message, NULL) != PATIO_OK) {
        return;
    }
    const Patio__V1__DeadLetter *d = (const Patio__V1__DeadLetter *)message;
    out->cause                     = clean(arena, d->cause);
    out->message                   = clean(arena, d->message);
    out->error_type                = clean(arena, d->error_type);
    out->worker                    = clean(arena, d->worker);
    out->status                    = d->status;
    out->attempts                  = d->attempts != 0 ? d->attempts : out->attempts;
    out->crashes                   = d->crashes != 0 ? d->crashes : out->crashes;
    out->died_at_unix_ms           = d->died_at_unix_ms;
}

static void fill_numbers(Patio__V1__Worker *w, const patio_worker_info *info)
{
    w->host               = pt_packed_text(info->host);
    w->pid                = info->pid;
    w->version            = pt_packed_text(info->version);
    w->project            = pt_packed_text(info->project);
    w->executor           = pt_packed_text(info->executor);
    w->problem            = pt_packed_text(info->problem);
    w->state              = pt_packed_text(info->state);
    w->task_count         = (uint32_t)info->tasks_total;
    w->slots              = info->slots;
    w->running            = info->running;
    w->received           = info->received;
    w->ok                 = info->ok;
    w->failed             = info->failed;
    w->retried            = info->retried;
    w->returned           = info->returned;
    w->rejected           = info->rejected;
    w->leases_lost        = info->leases_lost;
    w->started_at_unix_ms = info->started_at_unix_ms;
}

/* As many as fit; `room` is what is left after them. */
static size_t fit(const char *const *names, size_t count, size_t *room)
{
    size_t n = 0;
    while (n<count && * room> NAME_BYTES) {
        *room -= strlen(names[n]) + 8;
        n++;
    }
    return n;
}

patio_bytes pt_write_worker(pt_arena *arena, const patio_worker_info *info, size_t max_bytes)
{
    const patio_bytes none = {NULL, 0};
    size_t            room = max_bytes > 4096 ? max_bytes - 4096 : 0; /* for all but the names */
    Patio__V1__Worker w;
    patio__v1__worker__init(&w);
    fill_numbers(&w, info);
    w.n_queues                = fit(info->queues, info->queue_count, &room);
    w.n_tasks                 = fit(info->tasks, info->task_count, &room);
    w.queues                  = pt_arena_alloc(arena, (w.n_queues + 1) * sizeof(*w.queues));
    w.tasks                   = pt_arena_alloc(arena, (w.n_tasks + 1) * sizeof(*w.tasks));
    Patio__V1__Queue *storage = pt_arena_alloc(arena, (w.n_queues + 1) * sizeof(*storage));
    if (w.queues == NULL || w.tasks == NULL || storage == NULL) {
        return none;
    }
    for (size_t i = 0; i < w.n_queues; i++) {
        patio__v1__queue__init(&storage[i]);
        storage[i].name = pt_packed_text(info->queues[i]);
        w.queues[i]     = &storage[i];
    }
    for (size_t i = 0; i < w.n_tasks; i++) {
        w.tasks[i] = pt_packed_text(info->tasks[i]);
    }
    size_t   size = patio__v1__worker__get_packed_size(&w);
    uint8_t *data = pt_arena_alloc(arena, size);
    if (data == NULL) {
        return none;
    }
    (void)patio__v1__worker__pack(&w, data);
    return (patio_bytes){data, size};
}

patio_status pt_read_worker(pt_arena *arena, patio_bytes bytes, patio_worker_info *out,
                            patio_error *err)
{
    ProtobufCMessage *message = NULL;
    patio_status      st =
        pt_unpack(arena, &patio__v1__worker__descriptor, bytes, "worker", &message, err);
    if (st != PATIO_OK) {
        return st;
    }
    const Patio__V1__Worker *w      = (const Patio__V1__Worker *)message;
    const char             **queues = pt_arena_alloc(arena, (w->n_queues + 1) * sizeof(*queues));
    const char             **tasks  = pt_arena_alloc(arena, (w->n_tasks + 1) * sizeof(*tasks));
    if (queues == NULL || tasks == NULL) {
        return pt_arena_fail(arena, "worker", "reading", err);
    }
    for (size_t i = 0; i < w->n_queues; i++) {
        queues[i] = clean(arena, w->queues[i]->name);
    }
    for (size_t i = 0; i < w->n_tasks; i++) {
        tasks[i] = clean(arena, w->tasks[i]);
    }
    out->slots              = w->slots;
    out->host               = clean(arena, w->host);
    out->pid                = w->pid;
    out->version            = clean(arena, w->version);
    out->project            = clean(arena, w->project);
    out->executor           = clean(arena, w->executor);
    out->problem            = clean(arena, w->problem);
    out->state              = clean(arena, w->state);
    out->queues             = queues;
    out->queue_count        = w->n_queues;
    out->tasks              = tasks;
    out->task_count         = w->n_tasks;
    out->tasks_total        = w->task_count;
    out->running            = w->running;
    out->received           = w->received;
    out->ok                 = w->ok;
    out->failed             = w->failed;
    out->retried            = w->retried;
    out->returned           = w->returned;
    out->rejected           = w->rejected;
    out->leases_lost        = w->leases_lost;
    out->started_at_unix_ms = w->started_at_unix_ms;
    return PATIO_OK;
}
