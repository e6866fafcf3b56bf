/* How often an address may begin: a bucket of tokens for each, in a table of fixed size. And how
 * often the log hears of strangers. */
#include "tcp.h"

enum { PROBES = 4, BURST = 2, WARN_MAX = 20 };

#define WARN_SPAN_NS UINT64_C(10000000000)

void limits_address(const struct sockaddr *a, uint8_t out[16])
{
    memset(out, 0, 16);
    if (a->sa_family == AF_INET6) {
        /* who has one has its whole /64 */
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 8);
        const struct in6_addr *in = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(in)) {
            memcpy(out, in, 16);
        }
    } else {
        out[10] = 0xff;
        out[11] = 0xff;
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    }
}

static uint32_t hash(const uint8_t from[16])
{
    uint32_t h = 2166136261u;
    for (unsigned i = 0; i < 16; i++) {
        h = (h ^ from[i]) * 16777619u;
    }
    return h;
}

/* Its bucket; else a new one in place of the fullest, which limits nobody, or little. */
static rate *find(patio_transport *t, const uint8_t from[16], uint64_t full)
{
    uint32_t h    = hash(from);
    rate    *best = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        rate *r = &t->rates[(h + i) % RATE_SLOTS];
        if (r->at_ns != 0 && memcmp(r->address, from, 16) == 0) {
            return r;
        }
        if (best == NULL || r->at_ns == 0 ||
            (best->at_ns != 0 && r->tokens_milli > best->tokens_milli)) {
            best = r;
        }
    }
    memcpy(best->address, from, 16);
    best->at_ns        = 0;
    best->tokens_milli = full;
    return best;
}

bool limits_allow(patio_transport *t, const struct sockaddr *a, uint64_t now)
{
    const patio_host *host  = t->host;
    uint64_t          limit = t->set.handshakes_per_second;
    uint64_t          full  = limit * 1000u * BURST;
    uint8_t           from[16];
    if (limit == 0 || a->sa_family == AF_UNIX) {
        return true;
    }
    if (t->rates == NULL) {
        t->rates = host->alloc(host->self, RATE_SLOTS * sizeof(*t->rates));
        if (t->rates == NULL) {
            return true;
        }
        memset(t->rates, 0, RATE_SLOTS * sizeof(*t->rates));
    }
    limits_address(a, from);
    rate    *r     = find(t, from, full);
    uint64_t since = r->at_ns != 0 && now > r->at_ns ? (now - r->at_ns) / 1000u : 0; /* us */
    since          = since < 1000000000u ? since : 1000000000u;
    r->tokens_milli += since * limit / 1000u;
    r->tokens_milli = r->tokens_milli < full ? r->tokens_milli : full;
    r->at_ns        = now;
    if (r->tokens_milli < 1000u) {
        return false;
    }
    r->tokens_milli -= 1000u;
    return true;
}

void limits_warn_summary(patio_transport *t, uint64_t now)
{
    if (t->warned == 0 || now < t->warn_from_ns + WARN_SPAN_NS) {
        return;
    }
    if (t->unwarned > 0) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "%u more peers were turned away, failed to say who they are or broke the "
                       "rules since then, and are not listed",
                       t->unwarned);
    }
    t->warned   = 0;
    t->unwarned = 0;
}

bool limits_may_warn(patio_transport *t, uint64_t now)
{
    limits_warn_summary(t, now);
    if (t->warned == 0) {
        t->warn_from_ns = now;
    }
    bool may = t->warned < WARN_MAX;
    t->warned += may ? 1 : 0;
    t->unwarned += may ? 0 : 1;
    return may;
}
