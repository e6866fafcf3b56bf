#include "awaited.h"

#include <string.h>

static const uint64_t ms_ns = 1000000;

uint32_t awaited_more(const call_list *list)
{
    return atomic_load_explicit(&list->more, memory_order_relaxed);
}

static void set_more(call_list *list, uint32_t more)
{
    atomic_store_explicit(&list->more, more, memory_order_relaxed);
}

uint32_t awaited_count(const call_list *list, uint64_t now_ns)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < AWAITED_MAX; i++) {
        count += list->calls[i].until_ns > now_ns ? 1 : 0;
    }
    return count;
}

void awaited_add(call_list *list, const patio_message *call, uint64_t now_ns)
{
    uint64_t left  = UINT64_MAX - now_ns;
    uint64_t until = call->ttl_ms != 0 && call->ttl_ms < left / ms_ns
                         ? now_ns + call->ttl_ms * ms_ns
                         : UINT64_MAX;
    if (awaited_more(list) > 0 && list->more_until_ns <= now_ns) {
        set_more(list, 0);
    }
    for (uint32_t i = 0; i < AWAITED_MAX; i++) {
        if (list->calls[i].until_ns <= now_ns) {
            list->calls[i] = (awaited){call->id, until};
            return;
        }
    }
    bool later          = awaited_more(list) > 0 && list->more_until_ns > until;
    list->more_until_ns = later ? list->more_until_ns : until;
    set_more(list, awaited_more(list) + 1);
}

static awaited *find(call_list *list, const patio_id *id)
{
    for (uint32_t i = 0; i < AWAITED_MAX; i++) {
        if (list->calls[i].until_ns != 0 && memcmp(&list->calls[i].id, id, sizeof(*id)) == 0) {
            return &list->calls[i];
        }
    }
    return NULL;
}

void awaited_forget(call_list *list, const patio_id *id)
{
    awaited *call = find(list, id);
    if (call != NULL) {
        call->until_ns = 0;
    }
}

void awaited_remove(call_list *list, const patio_id *id)
{
    if (find(list, id) != NULL) {
        awaited_forget(list, id);
    } else if (awaited_more(list) > 0) {
        set_more(list, awaited_more(list) - 1);
    }
}
