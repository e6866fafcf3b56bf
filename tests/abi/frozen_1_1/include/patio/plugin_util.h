/* patio/plugin_util.h: small inline helpers for plugin authors; nothing here needs libpatio. */
#ifndef PATIO_PLUGIN_UTIL_H
#define PATIO_PLUGIN_UTIL_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <patio/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fill `err` (may be NULL) and return `status`:
 *     return patio_fail(err, PATIO_IO, errno, "connect to %s:%u", host, port);            */
static inline patio_status patio_fail(patio_error *err, patio_status status, int os_errno,
                                      const char *format, ...) PATIO_PRINTF(4, 5);
static inline patio_status patio_fail(patio_error *err, patio_status status, int os_errno,
                                      const char *format, ...)
{
    if (!PATIO_HAS(patio_error, err, message)) {
        return status;
    }
    err->status    = status;
    err->os_errno  = os_errno;
    err->flags     = 0;
    err->origin[0] = '\0';
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return status;
}

/* Write one formatted line through the host; costs one call when the level is off. */
static inline void patio_host_log(const patio_host *host, int32_t level, const char *format, ...)
    PATIO_PRINTF(3, 4);
static inline void patio_host_log(const patio_host *host, int32_t level, const char *format, ...)
{
    if (!host->log_on(host->self, level)) {
        return;
    }
    char    text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    host->log(host->self, level, text);
}

/* Time to wait before try number `attempt` (1, 2, …): exponential with full jitter,
 * random(0, min(cap, base * 2^(attempt-1))). Source: Brooker, "Exponential Backoff And Jitter",
 * AWS Architecture Blog, 2015. `random` is any 64 random bits. */
static inline uint64_t patio_backoff_ms(uint32_t attempt, uint64_t base_ms, uint64_t cap_ms,
                                        uint64_t random)
{
    uint32_t doublings = attempt > 0 ? attempt - 1 : 0;
    uint64_t limit_ms  = base_ms;
    while (doublings-- > 0 && limit_ms < cap_ms) {
        limit_ms *= 2;
    }
    if (limit_ms > cap_ms) {
        limit_ms = cap_ms;
    }
    return limit_ms == UINT64_MAX ? random : random % (limit_ms + 1);
}

#ifdef __cplusplus
}
#endif
#endif
