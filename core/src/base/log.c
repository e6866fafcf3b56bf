#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"default", "trace", "debug", "info",
                                          "warn",    "error", "off"};

bool pt_log_parse_level(const char *word, int32_t *level)
{
    for (int32_t i = PATIO_LOG_DEFAULT; i <= PATIO_LOG_OFF; i++) {
        if (strcmp(word, level_names[i]) == 0) {
            *level = i;
            return true;
        }
    }
    return false;
}

/* Room for one line; longer ones are cut. One write per line keeps lines whole between threads. */
typedef struct line {
    char   data[2048];
    size_t size;
} line;

static void add(line *out, const char *format, ...) PATIO_PRINTF(2, 3);
static void add(line *out, const char *format, ...)
{
    size_t  room = sizeof(out->data) - 8 - out->size;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(out->data + out->size, room, format, args);
    va_end(args);
    if (size > 0) {
        out->size += (size_t)size < room ? (size_t)size : room - 1;
    }
}

/* JSON string content by RFC 8259, section 7. */
static void add_json(line *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            add(out, "\\%c", *c);
        } else if (*c < 0x20) {
            add(out, "\\u%04x", *c);
        } else {
            add(out, "%c", *c);
        }
    }
}

static void add_time(line *out)
{
    struct timespec now;
    struct tm       utc;
    char            text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    add(out, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static void write_json(line *out, const patio_log_line *in)
{
    add(out, "{\"time\":\"");
    add_time(out);
    add(out, "\",\"level\":\"%s\",\"topic\":\"%s\"", level_names[in->level], in->topic);
    if (in->task_id[0] != '\0') {
        add(out, ",\"task_id\":\"%s\"", in->task_id);
    }
    add(out, ",\"text\":\"");
    add_json(out, in->text);
    add(out, "\"}");
}

static void write_text(line *out, const patio_log_line *in)
{
    add_time(out);
    add(out, " %-5s %s: ", level_names[in->level], in->topic);
    if (in->task_id[0] != '\0') {
        add(out, "[%s] ", in->task_id);
    }
    add(out, "%s", in->text);
}

void pt_log_line(const pt_log *log, int32_t level, const char *topic, const char *task_id,
                 const char *text)
{
    if (!pt_log_on(log, level) || level < PATIO_LOG_TRACE || level >= PATIO_LOG_OFF) {
        return;
    }
    patio_log_line in = {
        PATIO_SIZED(patio_log_line),
        .level   = level,
        .topic   = topic,
        .task_id = task_id != NULL ? task_id : "",
        .text    = text,
    };
    if (log->fn != NULL) {
        log->fn(log->self, &in);
        return;
    }
    line out = {.size = 0};
    if (log->json) {
        write_json(&out, &in);
    } else {
        write_text(&out, &in);
    }
    out.data[out.size++] = '\n';
    (void)fwrite(out.data, 1, out.size, stderr);
}

void pt_log_printf(const pt_log *log, int32_t level, const char *topic, const char *format, ...)
{
    if (!pt_log_on(log, level)) {
        return;
    }
    char    text[1536];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pt_log_line(log, level, topic, NULL, text);
}
