/* How a broker treats its tasks: the options of each, as the worker uses them. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/options.h"
#include "config/say.h"
#include "runtime/job.h"

bool pt_policy_list(pt_policy *policy, const char *list)
{
    static const patio_option one = {PATIO_SIZED(patio_option), .type = PATIO_OPTION_MS,
                                     .name = "backoff_list", .min = 0,
                                     .max = INT64_C(30) * 86400000};
    const char               *at  = list;
    policy->backoff_count         = 0;
    while (*at != '\0') {
        char    text[32];
        int64_t number = 0;
        size_t  size   = strcspn(at, ",");
        bool    fits   = size < sizeof(text) && policy->backoff_count < PT_BACKOFF_LIST_MAX;
        memcpy(text, at, fits ? size : 0);
        text[fits ? size : 0] = '\0';
        if (!fits || pt_option_parse_number(&one, text, &number, NULL) != PATIO_OK) {
            return false;
        }
        policy->backoff_list_ms[policy->backoff_count++] = (uint32_t)number;
        at += size + (at[size] == ',' ? 1 : 0);
    }
    return true;
}

patio_status pt_route_policy(pt_route *route, patio_error *err)
{
    const patio_task_options *o = &route->options;
    char                      quoted[PT_QUOTE_BYTES];
    route->policy = (pt_policy){
        .attempt_timeout_ms = o->attempt_timeout_ms,
        .backoff_base_ms    = o->backoff_base_ms,
        .backoff_cap_ms     = o->backoff_cap_ms,
        .max_attempts       = o->max_attempts,
        .max_crashes        = o->max_crashes,
        .backoff            = o->backoff,
        .ack                = o->ack,
    };
    if (o->backoff_list != NULL && !pt_policy_list(&route->policy, o->backoff_list)) {
        return pt_fail(err, PATIO_CONFIG, "broker",
                       "task \"%s\": option backoff_list: %s is not up to %d times with commas "
                       "between, such as 1s,10s,5min",
                       route->task->name, pt_quote(quoted, o->backoff_list), PT_BACKOFF_LIST_MAX);
    }
    return PATIO_OK;
}

/* The time left to a delivery: of its transport, and, where only its start was to be in time, of
 * what its caller has left. */
static uint64_t call_left_ms(const patio_message *m, const pt_policy *policy, uint64_t ttl_ms)
{
    if (policy->queue_ttl_ms == 0) {
        return m->ttl_ms;
    }
    uint64_t waited = policy->queue_ttl_ms > m->ttl_ms ? policy->queue_ttl_ms - m->ttl_ms : 0;
    if (ttl_ms == 0) {
        return 0; /* nobody waits */
    }
    return ttl_ms > waited ? ttl_ms - waited : 1;
}

uint64_t pt_job_policy(pt_job *job, const patio_message *m)
{
    job->end.policy = &job->end.route->policy;
    if ((m->flags & PATIO_MESSAGE_POLICY) == 0) {
        return m->ttl_ms;
    }
    uint64_t ttl_ms = 0;
    job->policy     = job->end.route->policy;
    pt_policy_read(pt_buf_view(m->body), &job->policy, &ttl_ms);
    job->end.policy = &job->policy;
    return call_left_ms(m, &job->policy, ttl_ms);
}

pt_ending pt_job_ending(const pt_job *job, pt_policy *policy)
{
    pt_ending end = job->end;
    if (end.policy == &job->policy) {
        *policy    = job->policy;
        end.policy = policy;
    }
    return end;
}
