/* 06_strict.h: the two sources that 06_strict.c brings together. In life they are two programs. */
#ifndef EXAMPLES_STRICT_H
#define EXAMPLES_STRICT_H

#include <patio/patio.h>

PATIO_CHECKED patio_status add_price_of_today(patio_registry *registry, patio_error *err);
PATIO_CHECKED patio_status add_price_of_last_week(patio_registry *registry, patio_error *err);

#endif
