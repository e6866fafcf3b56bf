/* 01_call: the shortest whole program. A task is a function; a registry gives it a name; a broker
 * runs it; a call brings back its result. All in this process: memory://. */
#include "must.h"

static patio_status mul(patio_context *ctx)
{
    int64_t product = 1;
    for (size_t i = 0; i < patio_arg_count(ctx); i++) {
        int64_t      factor = 0;
        patio_status st     = patio_arg_int64(ctx, i, &factor);
        if (st != PATIO_OK) {
            return st; /* the caller hears which argument was wrong */
        }
        if (__builtin_mul_overflow(product, factor, &product)) {
            return patio_task_fail(ctx, 1, "Overflow", "the product needs more than 64 bits");
        }
    }
    return PATIO_RETURN(ctx, product);
}

int main(void)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_future   *future   = NULL;
    int64_t         product  = 0;

    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "mul", mul, &err));
    MUST(patio_broker_open(registry, "memory://", &broker, &err));
    MUST(patio_broker_start(broker, &err));

    MUST(patio_call(broker, "mul", PATIO_ARGS(1, 2, 3), NULL, &future, &err));
    MUST(patio_value_get_int64(patio_future_value(future), &product));
    printf("mul(1, 2, 3) = %" PRId64 "\n", product);

    patio_future_destroy(future);
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return 0;
}
