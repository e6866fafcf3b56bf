#include "plugin/kind.h"

#include <string.h>

#include "plugin/stubs.h"

#define TRANSPORT_SLOT(slot)                                                                       \
    {                                                                                              \
#slot, offsetof(patio_transport_ops, slot)                                                 \
    }
static const pt_slot transport_slots[] = {
    TRANSPORT_SLOT(create),      TRANSPORT_SLOT(start),   TRANSPORT_SLOT(stop),
    TRANSPORT_SLOT(destroy),     TRANSPORT_SLOT(publish), TRANSPORT_SLOT(subscribe),
    TRANSPORT_SLOT(unsubscribe), TRANSPORT_SLOT(settle),  TRANSPORT_SLOT(counts),
};

#define EXECUTOR_SLOT(slot)                                                                        \
    {                                                                                              \
#slot, offsetof(patio_executor_ops, slot)                                                  \
    }
static const pt_slot executor_slots[] = {
    EXECUTOR_SLOT(create),  EXECUTOR_SLOT(start),  EXECUTOR_SLOT(stop),
    EXECUTOR_SLOT(destroy), EXECUTOR_SLOT(submit), EXECUTOR_SLOT(slots),
};

static const patio_option *const *transport_options(const void *ops)
{
    return ((const patio_transport_ops *)ops)->options;
}

static uint32_t transport_caps(const void *ops)
{
    return ((const patio_transport_ops *)ops)->caps;
}

static const patio_option *const *executor_options(const void *ops)
{
    return ((const patio_executor_ops *)ops)->options;
}

static uint32_t executor_caps(const void *ops)
{
    return ((const patio_executor_ops *)ops)->caps;
}

static const patio_option *const *no_task_options(const void *ops)
{
    (void)ops;
    return NULL;
}

static const patio_option *const *executor_task_options(const void *ops)
{
    return ((const patio_executor_ops *)ops)->task_options;
}

const pt_kind pt_kind_transport = {
    .word           = "transport",
    .folder         = "transports",
    .interface_id   = PATIO_TRANSPORT_ID,
    .ops_bytes      = sizeof(patio_transport_ops),
    .head_bytes     = offsetof(patio_transport_ops, create),
    .required       = transport_slots,
    .required_count = sizeof(transport_slots) / sizeof(transport_slots[0]),
    .fill           = pt_stubs_fill_transport,
    .options        = transport_options,
    .caps           = transport_caps,
    .task_options   = no_task_options,
};

const pt_kind pt_kind_executor = {
    .word           = "executor",
    .folder         = "executors",
    .interface_id   = PATIO_EXECUTOR_ID,
    .ops_bytes      = sizeof(patio_executor_ops),
    .head_bytes     = offsetof(patio_executor_ops, create),
    .required       = executor_slots,
    .required_count = sizeof(executor_slots) / sizeof(executor_slots[0]),
    .fill           = pt_stubs_fill_executor,
    .options        = executor_options,
    .caps           = executor_caps,
    .task_options   = executor_task_options,
};

const pt_kind *const pt_kinds[PT_KIND_COUNT] = {&pt_kind_transport, &pt_kind_executor};

const pt_kind *pt_kind_find(const char *word)
{
    for (size_t i = 0; i < PT_KIND_COUNT; i++) {
        if (strcmp(pt_kinds[i]->word, word) == 0) {
            return pt_kinds[i];
        }
    }
    return NULL;
}

bool pt_is_plugin_name(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z') {
        return false;
    }
    size_t size = 1;
    for (; name[size] != '\0'; size++) {
        char c  = name[size];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!ok || size >= PT_PLUGIN_NAME_MAX) {
            return false;
        }
    }
    return true;
}
