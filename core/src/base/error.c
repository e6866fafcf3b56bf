#include "base/error.h"

#include <patio/plugin.h>
#include <patio/runtime.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *patio_status_name(patio_status status)
{
    switch (status) {
#define PATIO_X(name, value, text)                                                                 \
    case value:                                                                                    \
        return #name;
        PATIO_STATUS_MAP(PATIO_X)
#undef PATIO_X
    default:
        return "UNKNOWN";
    }
}

const char *patio_status_text(patio_status status)
{
    switch (status) {
#define PATIO_X(name, value, text)                                                                 \
    case value:                                                                                    \
        return text;
        PATIO_STATUS_MAP(PATIO_X)
#undef PATIO_X
    default:
        return "unknown status";
    }
}

const char *patio_version(void)
{
    return PATIO_VERSION;
}

static void fill(patio_error *err, patio_status status, int os_errno, const char *origin,
                 const char *format, va_list args) PATIO_PRINTF(5, 0);
static void fill(patio_error *err, patio_status status, int os_errno, const char *origin,
                 const char *format, va_list args)
{
    err->status   = status;
    err->os_errno = os_errno;
    err->flags    = 0;
    (void)snprintf(err->origin, sizeof(err->origin), "%s", origin);
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
}

patio_status pt_fail(patio_error *err, patio_status status, const char *origin, const char *format,
                     ...)
{
    if (PATIO_HAS(patio_error, err, message)) {
        va_list args;
        va_start(args, format);
        fill(err, status, 0, origin, format, args);
        va_end(args);
    }
    return status;
}

patio_status pt_fail_errno(patio_error *err, patio_status status, int os_errno, const char *origin,
                           const char *format, ...)
{
    if (PATIO_HAS(patio_error, err, message)) {
        va_list args;
        va_start(args, format);
        fill(err, status, os_errno, origin, format, args);
        va_end(args);
        char text[128];
        /* the GNU variant: it returns the text, which need not be in the buffer */
        const char *reason = strerror_r(os_errno, text, sizeof(text));
        pt_error_add(err, ": %s", reason);
    }
    return status;
}

patio_status pt_no_memory(patio_error *err, const char *origin)
{
    return pt_fail(err, PATIO_NO_MEMORY, origin, "out of memory");
}

void pt_error_add(patio_error *err, const char *format, ...)
{
    if (!PATIO_HAS(patio_error, err, message)) {
        return;
    }
    size_t  used = strnlen(err->message, sizeof(err->message) - 1);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message + used, sizeof(err->message) - used, format, args);
    va_end(args);
}

void pt_error_origin(patio_error *err, const char *format, ...)
{
    if (!PATIO_HAS(patio_error, err, message) || err->origin[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->origin, sizeof(err->origin), format, args);
    va_end(args);
}

void pt_error_copy(patio_error *to, const patio_error *from)
{
    if (!PATIO_HAS(patio_error, to, message) || !PATIO_HAS(patio_error, from, message)) {
        return;
    }
    uint32_t size = to->struct_size;
    memcpy(to, from, size < from->struct_size ? size : from->struct_size);
    to->struct_size = size;
}
