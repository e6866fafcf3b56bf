#include "config/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* C1 controls are two bytes in UTF-8, and some terminals obey them. */
static bool is_c1_control(const unsigned char *p)
{
    return p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

const char *pt_quote(char buffer[PT_QUOTE_BYTES], const char *text)
{
    static const char    cut[] = "...";
    const size_t         room  = PT_QUOTE_BYTES - sizeof("\"\"") - (sizeof(cut) - 1);
    const unsigned char *p     = (const unsigned char *)text;
    size_t               size  = strnlen(text, room + 1);
    bool                 whole = size <= room;
    if (!whole) {
        size = room;
        while (size > 0 && (p[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    bool   is_utf8 = pt_is_utf8(text, size);
    size_t used    = 0;

    buffer[used++] = '"';
    for (size_t i = 0; i < size; i++) {
        bool control = p[i] < 0x20 || p[i] == 0x7f || is_c1_control(&p[i]);
        bool broken  = p[i] >= 0x80 && !is_utf8;
        if (control || broken) {
            buffer[used++] = '?';
            i += control && p[i] >= 0x80 && is_utf8 ? 1 : 0;
        } else {
            buffer[used++] = text[i];
        }
    }
    (void)snprintf(buffer + used, PT_QUOTE_BYTES - used, "%s\"", whole ? "" : cut);
    return buffer;
}

void pt_error_before(patio_error *err, const char *format, ...)
{
    if (!PATIO_HAS(patio_error, err, message)) {
        return;
    }
    char said[sizeof(err->message)];
    memcpy(said, err->message, sizeof(said));
    said[sizeof(said) - 1] = '\0';

    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    pt_error_add(err, "%s", said);
}

patio_status pt_error_at(patio_error *err, patio_status status, const char *origin)
{
    if (origin != NULL) {
        pt_error_before(err, "%s: ", origin);
    }
    return status;
}
