/* Tasks in child processes: what a task does to its process, it does to a child. */
#include <patio/patio.h>

#include <stdio.h>
#include <stdlib.h>

static patio_status half(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    if (st == PATIO_OK && n % 2 != 0) {
        abort(); /* as a library might that was given what it does not like */
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, n / 2) : st;
}

static patio_status make_registry(patio_registry **out, patio_error *err)
{
    patio_status st = patio_registry_create(NULL, out, err);
    return st == PATIO_OK ? PATIO_ADD_AS(*out, "half", half, err) : st;
}

static patio_status open_broker(patio_registry *registry, patio_broker **out, patio_error *err)
{
    patio_config *config = NULL;
    patio_status  st     = patio_config_create(&config, err);
    if (st == PATIO_OK) {
        st = patio_config_set(config, "executor", "process", NULL, err);
    }
    if (st == PATIO_OK) {
        /* one crash is the end of it here; by default it is tried three times */
        st = patio_config_set(config, "tasks.half.max_crashes", "1", NULL, err);
    }
    if (st == PATIO_OK) {
        st = patio_config_set(config, "log.level", "off", NULL, err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(NULL, registry, config, out, err);
    }
    patio_config_destroy(config);
    return st == PATIO_OK ? patio_broker_start(*out, err) : st;
}

static void call_half(patio_broker *broker, int n)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    int64_t       result = 0;
    patio_status  st     = patio_start(broker, "half", PATIO_ARGS(n), NULL, &future, &err);
    if (st == PATIO_OK) {
        (void)patio_future_wait(future, PATIO_FOREVER);
        st = patio_future_status(future, &err);
    }
    if (st == PATIO_OK && patio_value_get_int64(patio_future_value(future), &result) == PATIO_OK) {
        printf("half of %d is %lld\n", n, (long long)result);
    } else if (st == PATIO_TASK_CRASHED) {
        printf("half of %d: its child process died of %s\n", n, patio_future_error(future)->type);
    } else {
        printf("half of %d: %s: %s\n", n, patio_status_name(st), err.message);
    }
    patio_future_destroy(future);
}

int main(int argc, char **argv)
{
    /* in a child: runs tasks, and returns from main; here: nothing */
    PATIO_CHILD_MAIN(argc, argv, make_registry);

    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_status    st       = make_registry(&registry, &err);
    if (st == PATIO_OK) {
        st = open_broker(registry, &broker, &err);
    }
    if (st == PATIO_OK) {
        call_half(broker, 84);
        call_half(broker, 85);
        call_half(broker, 86);
    } else {
        fprintf(stderr, "%s: %s\n", patio_status_name(st), err.message);
    }
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return st == PATIO_OK ? 0 : 1;
}
