/* base/text.h: growing text, near names, small checks of names. */
#ifndef PT_TEXT_H
#define PT_TEXT_H

#include <stdbool.h>

#include "base/alloc.h"

/* Text that grows up to a bound. After a failed append (out of memory, or over the bound) `failed`
 * is set and further appends do nothing, so a caller checks once, at the end. */
typedef struct pt_text {
    const patio_allocator *mem;
    char                  *data; /* NUL-terminated once something was appended */
    size_t                 size;
    size_t                 room;
    size_t                 max_bytes;
    bool                   failed;
} pt_text;

void pt_text_init(pt_text *text, const patio_allocator *mem, size_t max_bytes);
void pt_text_fini(pt_text *text);
void pt_text_add(pt_text *text, const char *data, size_t size);
void pt_text_printf(pt_text *text, const char *format, ...) PATIO_PRINTF(2, 3);

/* Copy what fits into out, ending at a whole character, or before the first that is no UTF-8. */
void pt_text_cut(char *out, size_t room, const char *text);

/* Collects the name nearest to a wanted one, by edit distance with neighbours swapped counting as
 * one (optimal string alignment). */
typedef struct pt_near {
    const char *wanted;
    const char *best; /* NULL: none is near enough (a third of the length, at least 1, at most 3) */
    unsigned    distance;
} pt_near;

void pt_near_init(pt_near *near, const char *wanted);
void pt_near_try(pt_near *near, const char *candidate);

/* A project or queue name: [A-Za-z0-9._-]{1,max}. */
bool pt_is_plain_name(const char *name, size_t max);
/* A task name: 1..255 bytes of UTF-8 without control characters. */
bool pt_is_task_name(const char *name);
/* Well-formed UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool pt_is_utf8(const char *text, size_t size);
/* How many bytes of it, from the start, are. */
size_t pt_utf8_prefix(const char *text, size_t size);

#endif
