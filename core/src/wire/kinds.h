/* wire/kinds.h: the bytes of Values.kinds, and a count of each column. */
#ifndef PT_KINDS_H
#define PT_KINDS_H

#include <stddef.h>

enum {
    KIND_NULL  = 0,
    KIND_FALSE = 1,
    KIND_TRUE  = 2,
    KIND_INT   = 3,
    KIND_UINT  = 4,
    KIND_REAL  = 5,
    KIND_TEXT  = 6,
    KIND_BLOB  = 7,
    KIND_LIST  = 8,
    KIND_MAP   = 9,
};

/* How many there are of each, or how many have been used. */
typedef struct columns {
    size_t kinds;
    size_t ints;
    size_t uints;
    size_t reals;
    size_t blobs;
    size_t sizes;
} columns;

#endif
