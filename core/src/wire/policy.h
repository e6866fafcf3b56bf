/* wire/policy.h: how one task is to be treated, as its options and its caller say. */
#ifndef PT_POLICY_H
#define PT_POLICY_H

#include <patio/base.h>

#include <patio/registry.h>

#include <stdbool.h>

enum { PT_BACKOFF_LIST_MAX = 16 };

typedef struct pt_policy {
    uint64_t attempt_timeout_ms;
    uint64_t backoff_base_ms;
    uint64_t backoff_cap_ms;
    uint64_t result_ttl_ms; /* 0: keep none */
    uint64_t queue_ttl_ms;  /* 0: any time */
    uint32_t max_attempts;
    uint32_t max_crashes;
    uint32_t backoff;       /* PATIO_BACKOFF_… */
    uint32_t ack;           /* PATIO_ACK_ON_… */
    uint32_t backoff_count; /* of the list; 0: none */
    uint32_t backoff_list_ms[PT_BACKOFF_LIST_MAX];
} pt_policy;

/* Lay what the caller said in an encoded request over *policy. Takes no memory; where the bytes are
 * no request, or say nothing, *policy stays as it is. *ttl_ms is the whole time that the call had
 * when it was sent; 0: any. */
void pt_policy_read(patio_bytes request, pt_policy *policy, uint64_t *ttl_ms);

/* How long to wait after this attempt (1, 2 …); `random` is any 64 random bits. */
uint64_t pt_policy_backoff_ms(const pt_policy *policy, uint32_t attempt, uint64_t random);

#endif
