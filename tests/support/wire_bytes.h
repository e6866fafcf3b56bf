/* support/wire_bytes.h: protobuf written by hand, for bytes that no encoder of ours would write. */
#ifndef WIRE_BYTES_H
#define WIRE_BYTES_H

#include <patio/base.h>

/* Grows as it is appended to; starts as {NULL, 0, 0}. Aborts when out of memory. */
typedef struct wire_bytes {
    uint8_t *data;
    size_t   size;
    size_t   room;
} wire_bytes;

void wire_put(wire_bytes *w, const void *data, size_t size);
void wire_put_varint(wire_bytes *w, uint64_t n);
/* One field: a number, or bytes. */
void wire_put_number(wire_bytes *w, uint32_t field, uint64_t n);
void wire_put_bytes(wire_bytes *w, uint32_t field, const void *data, size_t size);
void wire_put_text(wire_bytes *w, uint32_t field, const char *text);
/* A message made before, as a field; it is freed. */
void wire_put_message(wire_bytes *w, uint32_t field, wire_bytes *message);

patio_bytes wire_view(const wire_bytes *w);
void        wire_free(wire_bytes *w);

/* A copy of exactly that size on the heap, so that a sanitizer sees a read beyond it. */
uint8_t *wire_exact(patio_bytes bytes);

#endif
