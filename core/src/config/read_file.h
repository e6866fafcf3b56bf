/* config/read_file.h: a small file as one text. */
#ifndef PT_READ_FILE_H
#define PT_READ_FILE_H

#include "base/alloc.h"

/* Read all of a file into *out, NUL-terminated, to be freed with pt_free. IO: it cannot be read;
 * CONFIG: it has more than max_bytes. */
patio_status pt_read_file(const patio_allocator *mem, const char *path, size_t max_bytes,
                          char **out, size_t *size, patio_error *err);

#endif
