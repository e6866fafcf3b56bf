#include "redis.h"

patio_status redis_counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                          patio_counts *out, patio_error *err)
{
    char most[24];
    char age[24];
    (void)snprintf(most, sizeof(most), "%llu", (unsigned long long)t->set.max_dead);
    (void)snprintf(age, sizeof(age), "%llu", (unsigned long long)t->set.dead_ttl_ms);
    patio_bytes  args[] = {ops_text(most), ops_text(age)};
    resp_reader *holder = NULL;
    const resp  *r      = NULL;
    patio_status st     = ops_ask(t, name, SCRIPT_COUNTS, args, 2, timeout_ms, &holder, &r, err);
    if (st != PATIO_OK) {
        return st;
    }
    patio_counts now  = {.struct_size = out->struct_size};
    now.ready         = (uint64_t)resp_number(resp_at(r, 0), 0);
    now.leased        = (uint64_t)resp_number(resp_at(r, 1), 0);
    now.delayed       = (uint64_t)resp_number(resp_at(r, 2), 0);
    now.dead          = (uint64_t)resp_number(resp_at(r, 3), 0);
    now.consumers     = (uint64_t)resp_number(resp_at(r, 4), 0);
    now.oldest_age_ms = (uint64_t)resp_number(resp_at(r, 5), 0);
    memcpy(out, &now, out->struct_size < sizeof(now) ? out->struct_size : sizeof(now));
    resp_reader_free(holder);
    return PATIO_OK;
}
