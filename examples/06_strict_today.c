/* 06_strict_today: the source of `price` that the caller was built from. */
#define PATIO_MODULE "shop"
#include "06_strict.h"

/* clang-format off */
PATIO_STRICT(price,
static patio_status price(patio_context *ctx)
{
    int64_t      count = 0;
    patio_status st    = patio_arg_int64(ctx, 0, &count);
    return st == PATIO_OK ? PATIO_RETURN(ctx, count * 299) : st;
}
)
/* clang-format on */

patio_status add_price_of_today(patio_registry *registry, patio_error *err)
{
    return PATIO_ADD_STRICT(registry, price, err);
}
