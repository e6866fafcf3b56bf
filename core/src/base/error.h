/* base/error.h: filling a patio_error inside libpatio. */
#ifndef PT_ERROR_H
#define PT_ERROR_H

#include <patio/base.h>

/* Ready to be filled: what PATIO_ERROR_INIT does, without clearing a kilobyte on a busy path. */
static inline void pt_error_init(patio_error *err)
{
    err->struct_size = (uint32_t)sizeof(*err);
    err->status      = PATIO_OK;
    err->os_errno    = 0;
    err->flags       = 0;
    err->origin[0]   = '\0';
    err->message[0]  = '\0';
}

/* Fill err (may be NULL) and return status. `origin` is the module: "config", "registry". Add
 * context once, at the layer that knows the name of the thing. */
patio_status pt_fail(patio_error *err, patio_status status, const char *origin, const char *format,
                     ...) PATIO_PRINTF(4, 5);
/* The same with an errno, whose text is appended. */
patio_status pt_fail_errno(patio_error *err, patio_status status, int os_errno, const char *origin,
                           const char *format, ...) PATIO_PRINTF(5, 6);
patio_status pt_no_memory(patio_error *err, const char *origin);
/* Append to the message, as far as there is room. */
void pt_error_add(patio_error *err, const char *format, ...) PATIO_PRINTF(2, 3);
/* Stamp who said it, unless somebody did already. */
void pt_error_origin(patio_error *err, const char *format, ...) PATIO_PRINTF(2, 3);
/* Copy between structs of different sizes. */
void pt_error_copy(patio_error *to, const patio_error *from);

#endif
