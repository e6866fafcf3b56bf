/* The transport of the broker in a child: what a task calls goes to the parent, which publishes it
 * on its own transport under the same id, and brings the answer back. */
#include <string.h>

#include "base/error.h"
#include "child/child.h"
#include "runtime/runtime.h"

struct patio_transport {
    pt_child                     *child;
    const patio_transport_events *events;
};

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    patio_runtime   *runtime = ((pt_host *)host->self)->runtime;
    patio_transport *t       = pt_alloc(&runtime->mem, sizeof(*t));
    if (t == NULL) {
        return pt_no_memory(err, "child");
    }
    t->child         = runtime->child;
    t->events        = params->events;
    t->child->events = params->events;
    *out             = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    (void)err;
    t->events->link(t->events->self, PATIO_LINK_UP, NULL);
    return PATIO_OK;
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    (void)grace_ms;
    (void)err;
    pt_child_words_stop(t->child); /* no event after this */
    return PATIO_OK;
}

static void destroy(patio_transport *t)
{
    if (t != NULL) {
        pt_free(&t->child->runtime->mem, t);
    }
}

static patio_status publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    const patio_allocator *mem   = &t->child->runtime->mem;
    size_t                 queue = strlen(m->queue) + 1;
    size_t                 task  = strlen(m->task) + 1;
    size_t                 size  = queue + task + m->dedup_key.size + 1;
    char                   small[1024];
    char                  *text = size <= sizeof(small) ? small : pt_alloc(mem, size);
    if (text == NULL) {
        return pt_no_memory(err, "child");
    }
    memcpy(text, m->queue, queue);
    memcpy(text + queue, m->task, task);
    if (m->dedup_key.size > 0) {
        memcpy(text + queue + task, m->dedup_key.data, m->dedup_key.size);
    }
    text[size - 1]        = '\0';
    patio_child_call call = {
        .id              = m->id,
        .ttl_ms          = m->ttl_ms,
        .delay_ms        = m->delay_ms,
        .dedup_window_ms = m->dedup_window_ms,
        .flags           = m->flags,
        .dedup_conflict  = m->dedup_conflict,
        .priority        = m->priority,
        .level           = m->level,
        .dedup_bytes     = (uint32_t)m->dedup_key.size,
        .text_bytes      = (uint32_t)size,
    };
    patio_status st =
        pt_child_tell(t->child, PATIO_CHILD_CALL, 0, &call, text, size, pt_buf_view(m->body));
    if (text != small) {
        pt_free(mem, text);
    }
    return st == PATIO_OK ? st : pt_no_memory(err, "child");
}

static patio_status cancel(patio_transport *t, const char *queue, const patio_id *id,
                           patio_error *err)
{
    patio_child_answer a = {.id = *id, .text_bytes = (uint32_t)strlen(queue) + 1};
    (void)err;
    return pt_child_tell(t->child, PATIO_CHILD_CALL_CANCEL, 0, &a, queue, a.text_bytes,
                         (patio_bytes){NULL, 0});
}

static patio_status counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err)
{
    (void)t;
    (void)queue;
    (void)timeout_ms;
    (void)out;
    return pt_fail(err, PATIO_UNSUPPORTED, "child", "counts: a child process does not know them");
}

static patio_status subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    (void)t;
    (void)s;
    (void)err;
    return PATIO_OK;
}

static patio_status unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    (void)t;
    (void)queue;
    (void)err;
    return PATIO_OK;
}

static patio_status settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err)
{
    (void)t;
    (void)tag;
    (void)s;
    return pt_fail(err, PATIO_STALE, "child", "settle: nothing is delivered here");
}

static patio_status started(patio_transport *t, patio_tag tag, patio_error *err)
{
    return settle(t, tag, NULL, err);
}

static patio_status notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    (void)body;
    return settle(t, tag, NULL, err);
}

static const void *query(patio_transport *t, const char *interface_id)
{
    (void)t;
    (void)interface_id;
    return NULL;
}

static const patio_plugin identity = {
    .magic       = PATIO_PLUGIN_MAGIC,
    .struct_size = sizeof(patio_plugin),
    .abi_major   = PATIO_ABI_MAJOR,
    .abi_minor   = PATIO_ABI_MINOR,
    .name        = "parent",
    .version     = PATIO_VERSION,
    .license     = "MIT",
    .summary     = "calls of a child process go through its parent",
};

const pt_transport_plugin pt_child_transport = {
    .identity = &identity,
    .path     = "",
    .ops =
        {
            PATIO_SIZED(patio_transport_ops),
            .caps        = PATIO_CAP_CANCEL,
            .create      = create,
            .start       = start,
            .stop        = stop,
            .destroy     = destroy,
            .publish     = publish,
            .subscribe   = subscribe,
            .unsubscribe = unsubscribe,
            .settle      = settle,
            .started     = started,
            .notify      = notify,
            .cancel      = cancel,
            .counts      = counts,
            .query       = query,
        },
};
