/* async_overflow deep|large|thread: a task that needs more stack than it has; the process must end,
 * saying so. "thread": a bad access on another thread is not called an overflow. */
#include <patio/patio.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static int volatile depth_reached;

__attribute__((noinline)) static int dig(int depth)
{
    char volatile frame[1024];
    frame[depth % 1024] = (char)depth;
    depth_reached       = depth;
    return depth == 0 ? 0 : dig(depth - 1) + frame[depth % 1024];
}

static patio_status task_deep(patio_context *ctx)
{
    return PATIO_RETURN(ctx, dig(1000000));
}

/* A frame that is larger than what is left, and not touched page by page. */
static patio_status task_large(patio_context *ctx)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    char volatile frame[350 * 1024]; /* stacks are larger then */
#else
    char volatile frame[120 * 1024];
#endif
    frame[0] = 1;
    return PATIO_RETURN(ctx, frame[0]);
}

static patio_status task_fine(patio_context *ctx)
{
    return patio_yield(ctx) == PATIO_OK ? PATIO_RETURN(ctx, dig(20)) : PATIO_CANCELLED;
}

static void *touch_nothing(void *arg)
{
    *(int volatile *)arg = 1;
    return NULL;
}

static int run(const char *task)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_config   *config   = NULL;
    patio_status    st       = patio_registry_create(NULL, &registry, &err);
    if (st == PATIO_OK &&
        (PATIO_ADD_AS(registry, "deep", task_deep, &err) != PATIO_OK ||
         PATIO_ADD_AS(registry, "large", task_large, &err) != PATIO_OK ||
         PATIO_ADD_AS(registry, "fine", task_fine, &err) != PATIO_OK ||
         patio_config_create(&config, &err) != PATIO_OK ||
         patio_config_set(config, "broker", "memory://", "test", &err) != PATIO_OK ||
         patio_config_set(config, "executor", "async", "test", &err) != PATIO_OK)) {
        st = err.status;
    }
    if (st == PATIO_OK &&
        (patio_broker_create(NULL, registry, config, &broker, &err) != PATIO_OK ||
         patio_broker_start(broker, &err) != PATIO_OK ||
         patio_call(broker, "fine", PATIO_NO_ARGS, NULL, NULL, &err) != PATIO_OK)) {
        st = err.status;
    }
    if (st == PATIO_OK && strcmp(task, "thread") == 0) {
        pthread_t thread;
        int      *nothing = NULL;
        (void)pthread_create(&thread, NULL, touch_nothing, nothing);
        (void)pthread_join(thread, NULL);
    } else if (st == PATIO_OK) {
        st = patio_call(broker, task, PATIO_NO_ARGS, NULL, NULL, &err);
    }
    printf("%s: %s\n", patio_status_name(st), err.message);
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    patio_config_destroy(config);
    return st == PATIO_OK ? 0 : 3;
}

int main(int argc, char **argv)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    return argc == 2 ? run(argv[1]) : 2;
}
