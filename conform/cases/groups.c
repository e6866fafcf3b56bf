#include "kit.h"

extern const kit_case kit_plugin_cases[];
extern const kit_case kit_life_cases[];
extern const kit_case kit_publish_cases[];
extern const kit_case kit_limit_cases[];
extern const kit_case kit_deliver_cases[];
extern const kit_case kit_settle_cases[];
extern const kit_case kit_reply_cases[];
extern const kit_case kit_cancel_cases[];
extern const kit_case kit_counts_cases[];
extern const kit_case kit_dead_cases[];
extern const kit_case kit_ops_cases[];
extern const kit_case kit_gone_cases[];
extern const kit_case kit_poll_cases[];
extern const kit_case kit_process_cases[];
extern const kit_case kit_link_cases[];
extern const kit_case kit_drain_cases[];
extern const kit_case kit_executor_cases[];

const kit_case *const kit_groups[] = {
    kit_plugin_cases, kit_life_cases,     kit_publish_cases,
    kit_limit_cases,  kit_deliver_cases,  kit_settle_cases,
    kit_reply_cases,  kit_cancel_cases,   kit_counts_cases,
    kit_dead_cases,   kit_ops_cases,      kit_gone_cases,
    kit_poll_cases,   kit_process_cases,  kit_link_cases,
    kit_drain_cases,  kit_executor_cases, NULL,
};
