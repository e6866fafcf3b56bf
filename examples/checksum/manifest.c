#include "manifest.h"

#include <string.h>

void manifest_line(FILE *out, const char *hex, const char *name)
{
    if (name[strcspn(name, "\\\n\r")] == '\0') {
        (void)fprintf(out, "%s  %s\n", hex, name);
        return;
    }
    (void)fprintf(out, "\\%s  ", hex);
    for (; *name != '\0'; name++) {
        switch (*name) {
        case '\\':
            (void)fputs("\\\\", out);
            break;
        case '\n':
            (void)fputs("\\n", out);
            break;
        case '\r':
            (void)fputs("\\r", out);
            break;
        default:
            (void)putc(*name, out);
            break;
        }
    }
    (void)putc('\n', out);
}
