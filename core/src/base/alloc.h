/* base/alloc.h: the only way to memory inside libpatio. */
#ifndef PT_ALLOC_H
#define PT_ALLOC_H

#include <patio/runtime.h>

/* malloc and its kin. */
extern const patio_allocator pt_malloc_allocator;

/* NULL when there is none. Size 0 gives a unique pointer. */
void *pt_alloc(const patio_allocator *mem, size_t size_bytes);
/* The same, zeroed; NULL also when count * size_bytes overflows. */
void *pt_calloc(const patio_allocator *mem, size_t count, size_t size_bytes);
void *pt_resize(const patio_allocator *mem, void *pointer, size_t size_bytes);
/* NULL is allowed. */
void  pt_free(const patio_allocator *mem, void *pointer);
char *pt_strdup(const patio_allocator *mem, const char *text);
char *pt_strndup(const patio_allocator *mem, const char *text, size_t size);

#endif
