#include "wire/encode_extra.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Readers in other languages refuse a whole message for one string that is no UTF-8. */
static patio_status check_texts(const pt_request *r, patio_error *err)
{
    const struct {
        const char *name;
        const char *text;
    } texts[] = {
        {"queue", r->queue},
        {"dedup key", r->dedup_key},
        {"traceparent", r->traceparent},
        {"tracestate", r->tracestate},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!pt_is_utf8(texts[i].text, strlen(texts[i].text))) {
            return pt_fail(err, PATIO_INVALID, "envelope", "the %s is not UTF-8", texts[i].name);
        }
    }
    for (size_t i = 0; i < r->header_count; i++) {
        const patio_header *h = &r->headers[i];
        if (!pt_is_utf8(h->name, strlen(h->name)) ||
            (h->value != NULL && !pt_is_utf8(h->value, strlen(h->value)))) {
            return pt_fail(err, PATIO_INVALID, "envelope", "header %zu is not UTF-8", i);
        }
    }
    return PATIO_OK;
}

static bool add_policy(Patio__V1__Extra *extra, const pt_policy *p, pt_arena *arena)
{
    Patio__V1__Policy *policy = pt_arena_alloc(arena, sizeof(*policy));
    if (policy == NULL) {
        return false;
    }
    patio__v1__policy__init(policy);
    policy->attempt_timeout_ms = p->attempt_timeout_ms;
    policy->max_attempts       = p->max_attempts;
    policy->max_crashes        = p->max_crashes;
    policy->backoff_plus_one   = p->backoff; /* of a request: shifted, as it came */
    policy->backoff_base_ms    = p->backoff_base_ms;
    policy->backoff_cap_ms     = p->backoff_cap_ms;
    policy->result_ttl_ms      = p->result_ttl_ms;
    policy->queue_ttl_ms       = p->queue_ttl_ms;
    policy->ack_plus_one       = p->ack; /* shifted as well */
    policy->n_backoff_list_ms  = p->backoff_count;
    policy->backoff_list_ms    = pt_arena_alloc(arena, sizeof(p->backoff_list_ms));
    extra->policy              = policy;
    if (policy->backoff_list_ms == NULL) {
        return false;
    }
    memcpy(policy->backoff_list_ms, p->backoff_list_ms, sizeof(p->backoff_list_ms));
    return true;
}

patio_status pt_encode_extra(Patio__V1__Envelope *envelope, Patio__V1__Extra *extra,
                             const pt_request *r, pt_arena *arena, patio_error *err)
{
    patio_status st = check_texts(r, err);
    if (st != PATIO_OK) {
        return st;
    }
    patio__v1__extra__init(extra);
    extra->task_version      = r->task_version;
    extra->queue             = pt_packed_text(r->queue);
    extra->dedup_key         = pt_packed_text(r->dedup_key);
    extra->dedup_window_ms   = r->dedup_window_ms;
    extra->dedup_conflict    = r->dedup_conflict;
    extra->traceparent       = pt_packed_text(r->traceparent);
    extra->tracestate        = pt_packed_text(r->tracestate);
    extra->attempt           = r->attempt;
    extra->priority_plus_one = r->priority;
    extra->wants_progress    = r->wants_progress;
    if (r->policy != NULL && !add_policy(extra, r->policy, arena)) {
        return pt_arena_fail(arena, "envelope", "policy", err);
    }
    if (r->header_count > 0) {
        Patio__V1__Header  *headers  = pt_arena_alloc(arena, r->header_count * sizeof(*headers));
        Patio__V1__Header **pointers = pt_arena_alloc(arena, r->header_count * sizeof(*pointers));
        if (headers == NULL || pointers == NULL) {
            return pt_arena_fail(arena, "envelope", "headers", err);
        }
        for (size_t i = 0; i < r->header_count; i++) {
            patio__v1__header__init(&headers[i]);
            headers[i].name = pt_packed_text(r->headers[i].name);
            headers[i].value =
                pt_packed_text(r->headers[i].value != NULL ? r->headers[i].value : "");
            pointers[i] = &headers[i];
        }
        extra->n_headers = r->header_count;
        extra->headers   = pointers;
    }
    envelope->extra = extra;
    return PATIO_OK;
}
