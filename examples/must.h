/* must.h: all that the small examples share. A real program decides what to do about an error;
 * these have one answer. */
#ifndef EXAMPLES_MUST_H
#define EXAMPLES_MUST_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <patio/patio.h>

/* Go on if the call says PATIO_OK; else print what `err` says, and end. */
#define MUST(...)                                                                                  \
    do {                                                                                           \
        patio_status must_ = (__VA_ARGS__);                                                        \
        if (must_ != PATIO_OK) {                                                                   \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, patio_status_name(must_), \
                          err.message);                                                            \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#endif
