#include "wire_bytes.h"

#include <stdlib.h>
#include <string.h>

void wire_put(wire_bytes *w, const void *data, size_t size)
{
    if (size > w->room - w->size) {
        w->room = 2 * w->room + size + 64;
        w->data = realloc(w->data, w->room);
        if (w->data == NULL) {
            abort();
        }
    }
    if (size > 0) {
        memcpy(w->data + w->size, data, size);
    }
    w->size += size;
}

void wire_put_varint(wire_bytes *w, uint64_t n)
{
    for (; n >= 0x80; n >>= 7) {
        wire_put(w, &(uint8_t){(uint8_t)(n | 0x80)}, 1);
    }
    wire_put(w, &(uint8_t){(uint8_t)n}, 1);
}

void wire_put_number(wire_bytes *w, uint32_t field, uint64_t n)
{
    wire_put_varint(w, (uint64_t)field << 3);
    wire_put_varint(w, n);
}

void wire_put_bytes(wire_bytes *w, uint32_t field, const void *data, size_t size)
{
    wire_put_varint(w, (uint64_t)field << 3 | 2u);
    wire_put_varint(w, size);
    wire_put(w, data, size);
}

void wire_put_text(wire_bytes *w, uint32_t field, const char *text)
{
    wire_put_bytes(w, field, text, strlen(text));
}

void wire_put_message(wire_bytes *w, uint32_t field, wire_bytes *message)
{
    wire_put_bytes(w, field, message->data, message->size);
    wire_free(message);
}

patio_bytes wire_view(const wire_bytes *w)
{
    return (patio_bytes){w->data, w->size};
}

void wire_free(wire_bytes *w)
{
    free(w->data);
    *w = (wire_bytes){NULL, 0, 0};
}

uint8_t *wire_exact(patio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.size > 0 ? bytes.size : 1);
    if (copy == NULL) {
        abort();
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}
