#include "call_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parse.h"
#include "task_policy.h"

enum {
    KEY_LEVEL = 0x600,
    KEY_MAX_ATTEMPTS,
    KEY_MAX_CRASHES,
    KEY_BACKOFF,
    KEY_ATTEMPT_TIMEOUT,
    KEY_ACK,
    TEXT_BYTES = 64,
};

static const struct argp_option options[] = {
    {"level", KEY_LEVEL, "WORD", 0,
     "How safe it must be once it is accepted, or be refused: process, peer, disk, replicated", 3},
    {"max-attempts", KEY_MAX_ATTEMPTS, "N", 0, "Starts before it is dead", 3},
    {"max-crashes", KEY_MAX_CRASHES, "N", 0, "Lost workers before it is dead", 3},
    {"backoff", KEY_BACKOFF, "WAITS", 0,
     "Waits between attempts: exponential:1s:10min, with full jitter; fixed:5s; or one by one, the "
     "last for all that follow: 1s,10s,5min",
     3},
    {"ack", KEY_ACK, "WORD", 0,
     "When the worker settles it: on_done, or before its run, so that it never runs twice: "
     "on_start, on_receive",
     3},
    {"attempt-timeout", KEY_ATTEMPT_TIMEOUT, "TIME", 0, "How long one run may take", 3},
    {0},
};

static void read_count(struct argp_state *state, const char *option, const char *text,
                       uint32_t *number)
{
    char         *end   = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > UINT32_MAX) {
        argp_error(state, "%s wants a number from 1 on, not \"%s\"", option, text);
    }
    *number = (uint32_t)value;
}

static void read_level(struct argp_state *state, const char *word, uint16_t *level)
{
    uint32_t number = 0;
    if (!cli_word_number(cli_level_words, word, &number)) {
        argp_error(state, "--level wants process, peer, disk or replicated, not \"%s\"", word);
    }
    *level = (uint16_t)number;
}

/* "exponential:1s:10min": each part but the first may be missing. */
static void read_backoff(struct argp_state *state, const char *text, patio_call_options *o)
{
    char     parts[TEXT_BYTES];
    char    *rest = NULL;
    uint32_t kind = 0;
    if (text[0] >= '0' && text[0] <= '9') {
        o->backoff_list = text; /* checked with the call */
        return;
    }
    bool  ok   = snprintf(parts, sizeof(parts), "%s", text) < (int)sizeof(parts);
    char *word = strtok_r(parts, ":", &rest);
    char *base = word != NULL ? strtok_r(NULL, ":", &rest) : NULL;
    char *cap  = base != NULL ? strtok_r(NULL, ":", &rest) : NULL;
    ok         = ok && word != NULL && cli_word_number(cli_backoff_words, word, &kind) &&
         (base == NULL ||
          (cli_parse_duration(base, &o->backoff_base_ms) && o->backoff_base_ms != 0)) &&
         (cap == NULL || (cli_parse_duration(cap, &o->backoff_cap_ms) && o->backoff_cap_ms != 0)) &&
         (cap == NULL || *rest == '\0');
    if (!ok) {
        argp_error(state,
                   "--backoff wants exponential or fixed, and times such as "
                   "exponential:1s:10min or fixed:5s, or a list such as 1s,10s,5min, not \"%s\"",
                   text);
    }
    o->backoff = kind + 1;
}

static void read_ack(struct argp_state *state, const char *word, uint32_t *ack)
{
    uint32_t number = 0;
    if (!cli_word_number(cli_ack_words, word, &number)) {
        argp_error(state, "--ack wants on_done, on_start or on_receive, not \"%s\"", word);
    }
    *ack = number + 1;
}

static error_t parse(int key, char *marked, struct argp_state *state)
{
    patio_call_options *o   = state->input;
    const char         *arg = marked != NULL ? cli_unmark(marked) : NULL;
    switch (key) {
    case KEY_LEVEL:
        read_level(state, arg, &o->level);
        return 0;
    case KEY_MAX_ATTEMPTS:
        read_count(state, "--max-attempts", arg, &o->max_attempts);
        return 0;
    case KEY_MAX_CRASHES:
        read_count(state, "--max-crashes", arg, &o->max_crashes);
        return 0;
    case KEY_BACKOFF:
        read_backoff(state, arg, o);
        return 0;
    case KEY_ACK:
        read_ack(state, arg, &o->ack);
        return 0;
    case KEY_ATTEMPT_TIMEOUT:
        if (!cli_parse_timeout(arg, &o->attempt_timeout_ms) || o->attempt_timeout_ms == 0) {
            argp_error(state,
                       "--attempt-timeout wants a time such as 500ms, 5s, 2min or forever, "
                       "not \"%s\"",
                       arg);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_policy_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* The rest of a time: nothing, "Z", "+01:00". False: neither. */
static bool add_zone(const char *rest, struct tm *tm, time_t *at)
{
    int  hours   = 0;
    int  minutes = 0;
    char sign    = '+';
    char end     = '\0';
    if (*rest == '\0') {
        tm->tm_isdst = -1;
        *at          = mktime(tm);
        return true;
    }
    if (strcmp(rest, "Z") != 0 &&
        (sscanf(rest, "%c%2d:%2d%c", &sign, &hours, &minutes, &end) != 3 ||
         (sign != '+' && sign != '-') || hours < 0 || minutes < 0 || hours > 23 || minutes > 59)) {
        return false;
    }
    time_t ahead = hours * 3600 + minutes * 60;
    *at          = timegm(tm) - (sign == '-' ? -ahead : ahead);
    return true;
}

static bool read_at(const char *text, time_t *at)
{
    struct tm   tm   = {0};
    char       *end  = NULL;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    if (text[0] == '@') {
        errno = 0;
        *at   = strtol(text + 1, &end, 10);
        return text[1] >= '0' && text[1] <= '9' && *end == '\0' && errno == 0;
    }
    if (rest != NULL && *rest == ':') {
        rest = strptime(rest, ":%S", &tm);
    }
    return rest != NULL && add_zone(rest, &tm, at);
}

void cli_policy_at(struct argp_state *state, const char *text, int64_t *at_unix_ms)
{
    time_t at = 0;
    if (!read_at(text, &at) || at <= 0 || at > INT64_MAX / 1000) {
        argp_error(state,
                   "--at wants a time such as 2026-12-24T18:00:00Z, 2026-12-24T18:00+01:00, "
                   "2026-12-24T18:00 or @1766595600, not \"%s\"",
                   text);
    }
    *at_unix_ms = (int64_t)at * 1000;
}
