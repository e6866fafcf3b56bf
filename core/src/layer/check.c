#include "layer/check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pt_check_mode(void)
{
    const char *value = secure_getenv("PATIO_CHECK");
    if (value == NULL || value[0] == '\0' || strcmp(value, "0") == 0) {
        return PT_CHECK_OFF;
    }
    return strcmp(value, "abort") == 0 ? PT_CHECK_ABORT : PT_CHECK_LOG;
}

void pt_check_report(const patio_host *host, int mode, const char *format, ...)
{
    char    text[600];
    int     used = snprintf(text, sizeof(text), "PATIO_CHECK: ");
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
    va_end(args);
    host->log(host->self, PATIO_LOG_ERROR, text);
    if (mode == PT_CHECK_ABORT) {
        /* what the user asked for: a core dump where the rule was broken */
        (void)fprintf(stderr, "%s\n", text);
        (void)raise(SIGABRT);
    }
}
