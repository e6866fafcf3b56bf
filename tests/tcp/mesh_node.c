/* A node: it calls what it was told to, and executes until the test is over. */
#include "mesh_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static patio_status twice(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * n) : st;
}

static patio_status who(patio_context *ctx)
{
    return PATIO_RETURN(ctx, (int64_t)getpid());
}

bool call_many(patio_broker *broker, const char *task, int64_t count)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = WAIT_MS,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    for (int64_t i = 0; i < count; i++) {
        patio_future *f   = NULL;
        patio_error   err = PATIO_ERROR_INIT;
        bool ok = patio_call(broker, task, PATIO_ARGS(i), &options, &f, &err) == PATIO_OK &&
                  patio_future_value(f)->as.i64 == 2 * i;
        if (!ok) {
            (void)fprintf(stderr, "call of %s: %s\n", task, err.message);
        }
        patio_future_destroy(f);
        if (!ok) {
            return false;
        }
    }
    return true;
}

int be_node(const char *name, int64_t calls, char *peers, const char *const *urls, size_t url_count)
{
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_error     err      = PATIO_ERROR_INIT;
    char            c        = 'k';
    if (patio_registry_create(NULL, &registry, &err) != PATIO_OK ||
        PATIO_ADD_AS(registry, name, twice, &err) != PATIO_OK ||
        PATIO_ADD_AS(registry, "who", who, &err) != PATIO_OK ||
        patio_broker_open_all(registry, urls, url_count, &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        (void)fprintf(stderr, "node %s: %s\n", name, err.message);
        return 1;
    }
    bool ok = true;
    for (char *peer = strtok(peers, ","); peer != NULL && ok; peer = strtok(NULL, ",")) {
        ok = call_many(broker, peer, calls);
    }
    ok = ok && write(STDOUT_FILENO, &c, 1) == 1;
    (void)!read(STDIN_FILENO, &c, 1); /* until the test is over: others may still call this one */
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return ok ? 0 : 1;
}
