/* Slots of the tasks that we hold, found by their tags. Under the lock. */
#include "redis.h"

/* Four times what credit can hold is never needed: what is settled is answered soon. */
delivery *delivery_new(patio_transport *t)
{
    if (t->delivery_free == 0) {
        uint32_t room = t->delivery_room != 0 ? 2 * t->delivery_room : 64;
        if (room > 4 * CREDIT_MAX) {
            return NULL;
        }
        delivery *more = t->host->resize(t->host->self, t->deliveries, room * sizeof(*more));
        if (more == NULL) {
            return NULL;
        }
        for (uint32_t i = room; i > t->delivery_room; i--) {
            more[i - 1]      = (delivery){.tag = i, .next_free = t->delivery_free};
            t->delivery_free = i;
        }
        t->deliveries    = more;
        t->delivery_room = room;
    }
    delivery *d      = &t->deliveries[t->delivery_free - 1];
    t->delivery_free = d->next_free;
    patio_tag tag    = d->tag + (UINT64_C(1) << 32);
    *d               = (delivery){.tag = tag, .state = DELIVERY_HELD};
    return d;
}

delivery *delivery_find(patio_transport *t, patio_tag tag)
{
    uint64_t slot = tag & UINT32_MAX;
    if (slot == 0 || slot > t->delivery_room) {
        return NULL;
    }
    delivery *d = &t->deliveries[slot - 1];
    return d->tag == tag && d->state != DELIVERY_FREE ? d : NULL;
}

void delivery_free(patio_transport *t, delivery *d)
{
    if (d->start == START_WANTED && d->q->marks > 0) {
        d->q->marks--;
    }
    t->host->free(t->host->self, d->dedup);
    d->dedup         = NULL;
    d->state         = DELIVERY_FREE;
    d->next_free     = t->delivery_free;
    t->delivery_free = (uint32_t)(d->tag & UINT32_MAX);
}

void deliveries_fini(patio_transport *t)
{
    for (uint32_t i = 0; i < t->delivery_room; i++) {
        t->host->free(t->host->self, t->deliveries[i].dedup);
    }
    t->host->free(t->host->self, t->deliveries);
    t->deliveries    = NULL;
    t->delivery_room = 0;
}
