/* support/golden.h: the vectors of tests/golden, and what is in them. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "wire/envelope.h"

/* The bytes of golden/NAME.hex, in static memory; fails the test if there are none. */
patio_bytes golden_read(const char *name);
void        golden_write(const char *name, patio_bytes bytes);

extern const patio_id golden_id;
extern const uint8_t  golden_png[10];

/* A call without anything rare, and a send with everything. */
pt_request golden_call(const char *task);
pt_request golden_send(void);
pt_reply   golden_error(void);

/* Two positional trees and two keywords, of every type. */
#define GOLDEN_NESTED                                                                              \
    PATIO_ARGS_KW(                                                                                 \
        (PATIO_LIST(1, PATIO_MAP("a", patio_bool(true))),                                          \
         PATIO_LIST(patio_null(), -1, 18446744073709551615u, 0.5, patio_string_n("n\0l", 3),       \
                    patio_blob(golden_png, 4), patio_list(NULL, 0), patio_map(NULL, 0))),          \
        ("width", 128,                                                                             \
         "gr\xc3\xb6\xc3\x9f"                                                                      \
         "e",                                                                                      \
         "gro\xc3\x9f"))

#endif
