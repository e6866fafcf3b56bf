/* json_check.c: the grammar of RFC 8259, and the bounds of a value, without building anything. */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <patio/plugin_util.h>

/* Nesting of the text: a value's own depth, twice because of {"$map": …}, and a {"$bytes": …}. */
#define NESTING_MAX (2u * PATIO_VALUE_DEPTH_MAX + 2u)

typedef struct scanner {
    const char      *at; /* NUL-terminated, so one character of look-ahead is always there */
    unsigned         nesting;
    cli_json_verdict verdict; /* OK, or the first reason to stop that is not mere grammar */
    patio_error     *err;
} scanner;

static bool scan_value(scanner *s);

/* It is JSON, but no value: remember that, so that the word is not taken for a plain string. */
static void refuse(scanner *s, const char *why)
{
    if (s->verdict == CLI_JSON_OK) {
        s->verdict = CLI_JSON_REFUSED;
        (void)patio_fail(s->err, PATIO_INVALID, 0, "%s", why);
    }
}

static void skip_space(scanner *s)
{
    while (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r') {
        s->at++;
    }
}

static bool take(scanner *s, char wanted)
{
    if (*s->at != wanted) {
        return false;
    }
    s->at++;
    return true;
}

static bool scan_word(scanner *s, const char *word)
{
    while (*word != '\0') {
        if (!take(s, *word++)) {
            return false;
        }
    }
    return true;
}

static bool scan_digits(scanner *s)
{
    const char *first = s->at;
    while (*s->at >= '0' && *s->at <= '9') {
        s->at++;
    }
    return s->at > first;
}

static void check_range(scanner *s, const char *number, bool is_double)
{
    errno = 0;
    if (is_double) {
        if (isinf(strtod(number, NULL))) {
            refuse(s, "number is beyond the range of a double; quote it to send a string");
        }
        return;
    }
    if (*number == '-') {
        (void)strtoll(number, NULL, 10);
    } else {
        (void)strtoull(number, NULL, 10);
    }
    if (errno == ERANGE) {
        refuse(s, "integer does not fit 64 bits; write it with .0 to send a double, or quoted to "
                  "send a string");
    }
}

static bool scan_number(scanner *s)
{
    const char *first     = s->at;
    bool        is_double = false;
    (void)take(s, '-');
    if (!take(s, '0') && !scan_digits(s)) {
        return false;
    }
    if (take(s, '.')) {
        is_double = true;
        if (!scan_digits(s)) {
            return false;
        }
    }
    if (*s->at == 'e' || *s->at == 'E') {
        is_double = true;
        s->at++;
        if (*s->at == '+' || *s->at == '-') {
            s->at++;
        }
        if (!scan_digits(s)) {
            return false;
        }
    }
    check_range(s, first, is_double);
    return true;
}

/* Four hex digits of \uXXXX, or -1. */
static long scan_hex4(scanner *s)
{
    long unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = *s->at;
        int  digit;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (c | 0x20) - 'a' + 10;
        } else {
            return -1;
        }
        unit = unit * 16 + digit;
        s->at++;
    }
    return unit;
}

/* After "\u". UTF-16 surrogates come in pairs or stand for no character at all. */
static bool scan_unicode(scanner *s, bool is_key)
{
    long unit = scan_hex4(s);
    if (unit < 0) {
        return false;
    }
    if (unit == 0 && is_key) {
        refuse(s, "object key holds a NUL character");
    }
    bool high = unit >= 0xD800 && unit <= 0xDBFF;
    if (high && s->at[0] == '\\' && s->at[1] == 'u') {
        s->at += 2;
        unit = scan_hex4(s);
        high = unit < 0xDC00 || unit > 0xDFFF;
    } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
        high = true;
    }
    if (unit >= 0 && high) {
        refuse(s, "string holds half of a surrogate pair, which is no character");
    }
    return unit >= 0;
}

static bool scan_string(scanner *s, bool is_key)
{
    if (!take(s, '"')) {
        return false;
    }
    while (*s->at != '"') {
        if ((unsigned char)*s->at < 0x20) {
            return false;
        }
        if (*s->at++ != '\\') {
            continue;
        }
        char escape = *s->at;
        if (escape == '\0' || strchr("\"\\/bfnrtu", escape) == NULL) {
            return false;
        }
        s->at++;
        if (escape == 'u' && !scan_unicode(s, is_key)) {
            return false;
        }
    }
    s->at++;
    return true;
}

static bool scan_pair(scanner *s)
{
    if (!scan_string(s, true)) {
        return false;
    }
    skip_space(s);
    return take(s, ':') && scan_value(s);
}

/* The inside of an array or an object, up to its closing character. */
static bool scan_items(scanner *s, bool (*scan_item)(scanner *), char close)
{
    s->at++;
    skip_space(s);
    if (take(s, close)) {
        return true;
    }
    if (++s->nesting > NESTING_MAX) {
        /* Stop here and call it JSON: a plain string of 66 brackets is nobody's wish, and the
         * recursion has to end somewhere. */
        refuse(s, "lists and maps are nested too deep; the limit is 32");
        return false;
    }
    do {
        skip_space(s);
        if (!scan_item(s)) {
            return false;
        }
        skip_space(s);
    } while (take(s, ','));
    s->nesting--;
    return take(s, close);
}

static bool scan_value(scanner *s)
{
    skip_space(s);
    switch (*s->at) {
    case '{':
        return scan_items(s, scan_pair, '}');
    case '[':
        return scan_items(s, scan_value, ']');
    case '"':
        return scan_string(s, false);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return scan_number(s);
    }
}

cli_json_verdict cli_json_check(const char *text, patio_error *err)
{
    scanner s       = {.at = text, .err = err};
    bool    grammar = scan_value(&s);
    skip_space(&s);
    if (s.nesting > NESTING_MAX) {
        return s.verdict;
    }
    return grammar && *s.at == '\0' ? s.verdict : CLI_JSON_NOT;
}
