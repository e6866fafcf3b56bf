/* exact.h: bytes of which a sanitizer sees each that is read beyond their end. */
#ifndef EXACT_H
#define EXACT_H

#include <stdlib.h>
#include <string.h>

#include <patio/message.h>

/* A copy of exactly that size on the heap. */
static inline patio_bytes exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return (patio_bytes){copy, size};
}

static inline void drop(patio_bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

#endif
