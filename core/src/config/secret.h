/* config/secret.h: texts that are never printed and are overwritten before they are freed. */
#ifndef PT_SECRET_H
#define PT_SECRET_H

#include "base/alloc.h"

/* The secret that `text` is or points to: "env:NAME" is read from the environment, "file:PATH" from
 * that file (one line end at its end is dropped; at most 64 KiB), all else is the secret itself.
 * *out is freed with pt_secret_free. CONFIG: the variable is not set, the file holds a NUL or is
 * too large; IO: the file cannot be read. Errors never show the secret. */
patio_status pt_secret_resolve(const patio_allocator *mem, const char *text, char **out,
                               patio_error *err);
/* Overwrites, then frees; NULL is allowed. */
void pt_secret_free(const patio_allocator *mem, char *secret);

#endif
