/* 04_send_retry: work that nobody waits for. Send and go on; run later; try again with a growing
 * pause; and where a task ends up that never succeeds: with the dead letters, counted, and named in
 * the log. */
#include <stdatomic.h>
#include <threads.h>

#include "must.h"

static atomic_int delivered;

/* Fails the first two times, as a mail server does that is busy. */
static patio_status mail(patio_context *ctx)
{
    if (patio_task_attempt(ctx) < 3) {
        return patio_task_retry(ctx, 0, "the mail server is busy");
    }
    printf("mail: delivered in attempt %" PRIu32 "\n", patio_task_attempt(ctx));
    atomic_fetch_add(&delivered, 1);
    return PATIO_OK;
}

static patio_status fax(patio_context *ctx)
{
    return patio_task_retry(ctx, 0, "nobody has a fax any more");
}

static patio_status reminder(patio_context *ctx)
{
    const char  *text = NULL;
    patio_status st   = patio_arg_string(ctx, 0, &text);
    if (st == PATIO_OK) {
        printf("reminder: %s\n", text);
        atomic_fetch_add(&delivered, 1);
    }
    return st;
}

static uint64_t dead_letters(patio_broker *broker)
{
    patio_error  err    = PATIO_ERROR_INIT;
    patio_counts counts = {PATIO_SIZED(patio_counts)};
    MUST(patio_broker_counts(broker, NULL, 1000, &counts, &err));
    return counts.dead;
}

int main(void)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;

    patio_task_options patient = {
        PATIO_SIZED(patio_task_options),
        .max_attempts    = 4,
        .backoff_base_ms = 10, /* then about 20, 40, … */
        .backoff_cap_ms  = 100,
    };
    patio_call_options later = {PATIO_SIZED(patio_call_options), .delay_ms = 1000};

    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(patio_registry_add(registry, "mail", mail, NULL, NULL, &patient, &err));
    MUST(patio_registry_add(registry, "fax", fax, NULL, NULL, &patient, &err));
    MUST(PATIO_ADD_AS(registry, "reminder", reminder, &err));
    MUST(patio_broker_open(registry, "memory://", &broker, &err));
    MUST(patio_broker_start(broker, &err));

    /* OK means: accepted. It will be run, or end where it can be seen. */
    MUST(patio_send(broker, "reminder", PATIO_ARGS("call back"), &later, NULL, &err));
    MUST(patio_send(broker, "mail", PATIO_NO_ARGS, NULL, NULL, &err));
    MUST(patio_send(broker, "fax", PATIO_NO_ARGS, NULL, NULL, &err));

    while (atomic_load(&delivered) < 2 || dead_letters(broker) < 1) {
        (void)thrd_sleep(&(struct timespec){0, 10000000}, NULL);
    }
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    patio_broker_get_stats(broker, &stats);
    printf("retries: %" PRIu64 ", dead letters: %" PRIu64 "\n", stats.tasks_retried,
           dead_letters(broker));

    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return 0;
}
