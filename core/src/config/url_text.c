#include "config/url_text.h"

#include <assert.h>
#include <string.h>

pt_span pt_span_take(pt_span *span, const char *stops)
{
    size_t size = 0;
    while (size < span->size && strchr(stops, span->at[size]) == NULL) {
        size++;
    }
    pt_span taken = {span->at, size};
    span->at += size;
    span->size -= size;
    return taken;
}

bool pt_span_skip(pt_span *span, char c)
{
    if (span->size == 0 || span->at[0] != c) {
        return false;
    }
    span->at++;
    span->size--;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "%XX" stands for; -1 if it is none. */
static int encoded_byte(const char *p, size_t left)
{
    if (left < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0) {
        return -1;
    }
    return hex_value(p[1]) * 16 + hex_value(p[2]);
}

bool pt_span_is_encoded(pt_span span, const char **bad)
{
    for (size_t i = 0; i < span.size; i++) {
        if (span.at[i] == '%' && encoded_byte(span.at + i, span.size - i) <= 0) {
            *bad = span.at + i;
            return false;
        }
    }
    return true;
}

void pt_block_add(pt_block *block, pt_span span)
{
    assert((size_t)(block->end - block->next) >= span.size);
    memcpy(block->next, span.at, span.size);
    block->next += span.size;
}

char *pt_block_end(pt_block *block, char *start)
{
    assert(block->next < block->end);
    *block->next++ = '\0';
    return start;
}

char *pt_block_decode(pt_block *block, pt_span span)
{
    char *start = block->next;
    assert((size_t)(block->end - block->next) >= span.size);
    for (size_t i = 0; i < span.size; i++) {
        int byte = span.at[i] == '%' ? encoded_byte(span.at + i, span.size - i) : -1;
        if (byte > 0) {
            *block->next++ = (char)byte;
            i += 2;
        } else {
            *block->next++ = span.at[i];
        }
    }
    return pt_block_end(block, start);
}
