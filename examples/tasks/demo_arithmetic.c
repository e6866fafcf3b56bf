/* demo_arithmetic.c: integers are exact as long as the result fits 64 bits; one double among the
 * arguments makes it double arithmetic; div is always double. */
#include "demo.h"

#include <math.h>

/* Wide enough for every product of two 64-bit numbers. */
__extension__ typedef __int128 wide;

typedef struct number {
    bool   is_double;
    wide   integer;
    double real;
} number;

enum { ERROR_ZERO_DIVISION = 1, ERROR_OVERFLOW = 2, ERROR_ARGUMENTS = 3 };

static patio_status overflow(patio_context *ctx)
{
    return patio_task_fail(ctx, ERROR_OVERFLOW, "Overflow", "the result does not fit 64 bits");
}

/* Argument i as a number. */
static patio_status read_number(patio_context *ctx, size_t i, number *out)
{
    const patio_value *v = patio_arg(ctx, i);
    if (v != NULL && v->type == PATIO_TYPE_INT64) {
        *out = (number){false, v->as.i64, (double)v->as.i64};
        return PATIO_OK;
    }
    if (v != NULL && v->type == PATIO_TYPE_UINT64) {
        *out = (number){false, v->as.u64, (double)v->as.u64};
        return PATIO_OK;
    }
    /* Sets the task's error for anything but a double. */
    *out = (number){.is_double = true};
    return patio_arg_double(ctx, i, &out->real);
}

static patio_status read_two(patio_context *ctx, number *a, number *b)
{
    if (patio_arg_count(ctx) != 2) {
        return patio_task_fail(ctx, ERROR_ARGUMENTS, "Arguments", "%s takes 2 numbers, got %zu",
                               patio_task_name(ctx), patio_arg_count(ctx));
    }
    patio_status st = read_number(ctx, 0, a);
    return st == PATIO_OK ? read_number(ctx, 1, b) : st;
}

static patio_status return_integer(patio_context *ctx, wide result)
{
    if (result >= INT64_MIN && result <= INT64_MAX) {
        return PATIO_RETURN(ctx, (int64_t)result);
    }
    if (result > 0 && result <= UINT64_MAX) {
        return PATIO_RETURN(ctx, (uint64_t)result);
    }
    return overflow(ctx);
}

/* Product of all arguments; 1 without any. */
patio_status demo_mul(patio_context *ctx)
{
    wide   product      = 1;
    double real_product = 1;
    bool   is_double    = false;
    bool   is_exact     = true;
    for (size_t i = 0; i < patio_arg_count(ctx); i++) {
        number       factor = {0};
        patio_status st     = read_number(ctx, i, &factor);
        if (st != PATIO_OK) {
            return st;
        }
        is_double = is_double || factor.is_double;
        is_exact  = is_exact && !__builtin_mul_overflow(product, factor.integer, &product);
        real_product *= factor.real;
    }
    if (is_double) {
        return PATIO_RETURN(ctx, real_product);
    }
    return is_exact ? return_integer(ctx, product) : overflow(ctx);
}

patio_status demo_div(patio_context *ctx)
{
    number       a  = {0};
    number       b  = {0};
    patio_status st = read_two(ctx, &a, &b);
    if (st != PATIO_OK) {
        return st;
    }
    if (fpclassify(b.real) == FP_ZERO) {
        return patio_task_fail(ctx, ERROR_ZERO_DIVISION, "ZeroDivision", "division by zero");
    }
    return PATIO_RETURN(ctx, a.real / b.real);
}

patio_status demo_sub(patio_context *ctx)
{
    number       a  = {0};
    number       b  = {0};
    patio_status st = read_two(ctx, &a, &b);
    if (st != PATIO_OK) {
        return st;
    }
    return a.is_double || b.is_double ? PATIO_RETURN(ctx, a.real - b.real)
                                      : return_integer(ctx, a.integer - b.integer);
}

patio_status demo_pow(patio_context *ctx)
{
    number       base     = {0};
    number       exponent = {0};
    patio_status st       = read_two(ctx, &base, &exponent);
    if (st != PATIO_OK) {
        return st;
    }
    if (base.is_double || exponent.is_double || exponent.integer < 0) {
        return PATIO_RETURN(ctx, pow(base.real, exponent.real));
    }
    wide power  = 1;
    wide square = base.integer;
    wide left   = exponent.integer;
    while (left > 0) {
        if ((left & 1) != 0 && __builtin_mul_overflow(power, square, &power)) {
            return overflow(ctx);
        }
        left >>= 1;
        if (left > 0 && __builtin_mul_overflow(square, square, &square)) {
            return overflow(ctx);
        }
    }
    return return_integer(ctx, power);
}
