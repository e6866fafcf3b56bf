/* demo.h: the tasks of the demo module. */
#ifndef DEMO_H
#define DEMO_H

#include <patio/patio.h>

/* demo_arithmetic.c */
patio_status demo_mul(patio_context *ctx);
patio_status demo_div(patio_context *ctx);
patio_status demo_sub(patio_context *ctx);
patio_status demo_pow(patio_context *ctx);

#endif
