/* kit.c: failing, noting, waiting. */
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "kit.h"

uint64_t kit_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void kit_sleep_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

const char *kit_status_name(patio_status status)
{
    switch (status) {
#define PATIO_X(name, value, text)                                                                 \
    case PATIO_##name:                                                                             \
        return #name;
        PATIO_STATUS_MAP(PATIO_X)
#undef PATIO_X
    default:
        return "a status that does not exist";
    }
}

static void append(char *to, size_t size, const char *format, va_list args)
{
    size_t used = strlen(to);
    if (used > 0 && used + 2 < size) {
        memcpy(to + used, "; ", 3);
        used += 2;
    }
    (void)vsnprintf(to + used, size - used, format, args);
}

void kit_breach(kit *k, const char *format, ...)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* also from under the case's own */
    va_list                args;
    va_start(args, format);
    pthread_mutex_lock(&lock);
    if (atomic_fetch_add(&k->breaches, 1) < 4) {
        append(k->breach, sizeof(k->breach), format, args);
    }
    pthread_mutex_unlock(&lock);
    va_end(args);
}

void kit_note(kit *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(k->note, sizeof(k->note), format, args);
    va_end(args);
}

void kit_fail(kit *k, const char *file, int line, const char *format, ...)
{
    char    text[KIT_TEXT - 100];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const char *name = strrchr(file, '/');
    if (!pthread_equal(pthread_self(), k->thread)) {
        kit_breach(k, "%s", text);
        return;
    }
    if (k->failure[0] == '\0') {
        (void)snprintf(k->failure, sizeof(k->failure), "%s (%s:%d)", text,
                       name != NULL ? name + 1 : file, line);
    }
    k->result = KIT_FAILED;
    longjmp(k->out, 1);
}

void kit_skip(kit *k, const char *why)
{
    kit_note(k, "%s", why);
    k->result = KIT_SKIPPED;
    longjmp(k->out, 1);
}

void kit_changed(kit *k)
{
    pthread_cond_broadcast(&k->changed);
}

void kit_wait_change(kit *k)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 5000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&k->lock);
    (void)pthread_cond_timedwait(&k->changed, &k->lock, &until);
    pthread_mutex_unlock(&k->lock);
}

bool kit_holds_secret(kit *k, const char *text)
{
    for (uint32_t i = 0; i < k->secret_count; i++) {
        if (strstr(text, k->secrets[i]) != NULL) {
            return true;
        }
    }
    return false;
}

void kit_check_error(kit *k, const patio_error *err, patio_status status, const char *what)
{
    KIT_CHECK(k, err->status == status, "%s returned %s, its error says %s", what,
              kit_status_name(status), kit_status_name(err->status));
    KIT_CHECK(k, err->message[0] != '\0', "%s returned %s without a text", what,
              kit_status_name(status));
    KIT_CHECK(k, memchr(err->message, '\0', sizeof(err->message)) != NULL,
              "the text of %s's error has no end", what);
    KIT_CHECK(k, !kit_holds_secret(k, err->message), "the error of %s holds a secret", what);
}
