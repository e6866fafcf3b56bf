/* act.c: what cases look at all the time. */
#include "kit.h"

uint32_t kit_get(kit_instance *i, const uint32_t *member)
{
    pthread_mutex_lock(&i->k->lock);
    uint32_t value = *member;
    pthread_mutex_unlock(&i->k->lock);
    return value;
}

patio_counts kit_counts(kit_instance *i)
{
    patio_counts c   = {PATIO_SIZED(patio_counts)};
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = kit_instance_counts(i, "q", &c, &err);
    KIT_CHECK(i->k, st == PATIO_OK, "counts returned %s: %s", kit_status_name(st), err.message);
    return c;
}

uint64_t kit_known(uint64_t count)
{
    return count != PATIO_COUNT_UNKNOWN ? count : 0;
}

/* What cannot be known is said to be unknown, which is no lie. */
static bool is(uint64_t count, uint64_t want)
{
    return count == want || count == PATIO_COUNT_UNKNOWN;
}

static bool counts_are(kit_instance *i, patio_counts *c, const uint64_t want[4])
{
    *c = kit_counts(i);
    return is(c->ready, want[0]) && is(c->leased, want[1]) && is(c->delayed, want[2]) &&
           is(c->dead, want[3]);
}

void kit_await_counts(kit_instance *i, uint64_t ready, uint64_t leased, uint64_t delayed,
                      uint64_t dead)
{
    patio_counts   c       = {PATIO_SIZED(patio_counts)};
    const uint64_t want[4] = {ready, leased, delayed, dead};
    KIT_AWAIT(i->k, KIT_SOON_MS, counts_are(i, &c, want),
              "counts are ready %lld, leased %lld, delayed %lld, dead %lld; expected %llu, %llu, "
              "%llu, %llu",
              (long long)c.ready, (long long)c.leased, (long long)c.delayed, (long long)c.dead,
              (unsigned long long)ready, (unsigned long long)leased, (unsigned long long)delayed,
              (unsigned long long)dead);
}

const void *kit_query(kit_instance *i, const char *interface_id)
{
    return i->k->ops->query(i->t, interface_id);
}

kit_pair kit_pair_open(kit *k, const kit_open *o)
{
    kit_instance *caller = kit_instance_open(k, o);
    return (kit_pair){caller, kit_instance_open(k, o)};
}
