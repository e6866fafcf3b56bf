/* base/buf.h: reference-counted immutable bytes; the body of patio/host.h's buffer slots. */
#ifndef PT_BUF_H
#define PT_BUF_H

#include <patio/host.h>

#include "base/alloc.h"

/* One reference, content undefined until filled through *data; NULL when out of memory. */
patio_buf  *pt_buf_new(const patio_allocator *mem, size_t size_bytes, uint8_t **data);
patio_buf  *pt_buf_wrap(const patio_allocator *mem, patio_bytes bytes, patio_fn drop, void *arg);
patio_buf  *pt_buf_ref(patio_buf *buf);
void        pt_buf_drop(patio_buf *buf); /* NULL is allowed */
patio_bytes pt_buf_view(const patio_buf *buf);

#endif
