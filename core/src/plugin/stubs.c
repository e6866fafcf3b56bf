#include "plugin/stubs.h"

#include <patio/executor.h>
#include <patio/transport.h>

#include "base/error.h"

/* The origin stays empty: whoever made the call knows the plugin's name and stamps it. */
static patio_status unsupported(patio_error *err, const char *kind, const char *slot)
{
    return pt_fail(err, PATIO_UNSUPPORTED, "", "this %s has no \"%s\"", kind, slot);
}

static patio_status transport_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    (void)t;
    (void)tag;
    return unsupported(err, "transport", "started");
}

static patio_status transport_notify(patio_transport *t, patio_tag tag, patio_buf *body,
                                     patio_error *err)
{
    (void)t;
    (void)tag;
    (void)body;
    return unsupported(err, "transport", "notify");
}

static patio_status transport_cancel(patio_transport *t, const char *queue, const patio_id *id,
                                     patio_error *err)
{
    (void)t;
    (void)queue;
    (void)id;
    return unsupported(err, "transport", "cancel");
}

static const void *transport_query(patio_transport *t, const char *interface_id)
{
    (void)t;
    (void)interface_id;
    return NULL;
}

void pt_stubs_fill_transport(void *ops)
{
    patio_transport_ops *o = ops;
    o->started             = o->started != NULL ? o->started : transport_started;
    o->notify              = o->notify != NULL ? o->notify : transport_notify;
    o->cancel              = o->cancel != NULL ? o->cancel : transport_cancel;
    o->query               = o->query != NULL ? o->query : transport_query;
}

static patio_status executor_cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)x;
    (void)job;
    return unsupported(err, "executor", "cancel");
}

static const void *executor_query(patio_executor *x, const char *interface_id)
{
    (void)x;
    (void)interface_id;
    return NULL;
}

static patio_status executor_add_task(patio_executor *x, const char *task,
                                      const patio_option_value *options, patio_error *err)
{
    (void)x;
    (void)task;
    (void)options;
    (void)err;
    return PATIO_OK; /* it has nothing to prepare */
}

void pt_stubs_fill_executor(void *ops)
{
    patio_executor_ops *o = ops;
    o->cancel             = o->cancel != NULL ? o->cancel : executor_cancel;
    o->query              = o->query != NULL ? o->query : executor_query;
    o->add_task           = o->add_task != NULL ? o->add_task : executor_add_task;
}
