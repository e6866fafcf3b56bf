/* config/url_text.h: the lowest layer of URLs: pieces of the text, decoded into one block. */
#ifndef PT_URL_TEXT_H
#define PT_URL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <patio/base.h>

/* A piece of the URL as written; borrowed. */
typedef struct pt_span {
    const char *at;
    size_t      size;
} pt_span;

/* Where decoded texts are put, one behind the other. */
typedef struct pt_block {
    char *next;
    char *end;
} pt_block;

/* The part of `span` before the first byte out of `stops`, which is cut off from it. */
pt_span pt_span_take(pt_span *span, const char *stops);
/* Does it begin with c? Then that byte is cut off. */
bool pt_span_skip(pt_span *span, char c);

/* Every '%' begins a %XX of another byte than NUL; *bad is the first that does not. */
bool pt_span_is_encoded(pt_span span, const char **bad);
/* Append without decoding; pt_block_end ends the text. */
void pt_block_add(pt_block *block, pt_span span);
/* NUL-terminate the text that begins at `start`, and return it. */
char *pt_block_end(pt_block *block, char *start);
/* Append the decoded span, NUL-terminated. */
char *pt_block_decode(pt_block *block, pt_span span);

#endif
