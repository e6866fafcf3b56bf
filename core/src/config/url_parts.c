#include "config/url_parts.h"

#include <string.h>

#include "base/text.h"

patio_status pt_url_fail(patio_error *err, const pt_url_parts *p, const char *where,
                         const char *what)
{
    return pt_fail(err, PATIO_CONFIG, "config", "URL: %s (byte %zu)", what,
                   (size_t)(where - p->text) + 1);
}

static bool is_scheme_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.' || c == '_';
}

static patio_status find_scheme(pt_url_parts *p, pt_span *rest, patio_error *err)
{
    size_t size = 0;
    while (size < rest->size && is_scheme_byte(rest->at[size])) {
        size++;
    }
    if (size == 0 || rest->size - size < 3 || memcmp(rest->at + size, "://", 3) != 0) {
        return pt_url_fail(err, p, rest->at + size,
                           "a scheme and \"://\" are missing; write it like tcp://host:port");
    }
    p->scheme = (pt_span){rest->at, size};
    *rest     = (pt_span){rest->at + size + 3, rest->size - size - 3};
    return PATIO_OK;
}

static patio_status check_bytes(const pt_url_parts *p, pt_span rest, patio_error *err)
{
    for (size_t i = 0; i < rest.size; i++) {
        unsigned char c = (unsigned char)rest.at[i];
        if (c <= ' ' || c == 0x7f) {
            return pt_url_fail(err, p, rest.at + i,
                               "white space and control characters must be "
                               "written as %XX");
        }
        if (c == '#') {
            return pt_url_fail(err, p, rest.at + i, "\"#\" must be written as %23");
        }
    }
    const char *bad = NULL;
    if (!pt_span_is_encoded(rest, &bad)) {
        return pt_url_fail(err, p, bad, "\"%\" must be followed by two hex digits, and not by 00");
    }
    if (!pt_is_utf8(rest.at, rest.size)) {
        return pt_url_fail(err, p, rest.at, "it is not UTF-8");
    }
    return PATIO_OK;
}

static patio_status find_user(pt_url_parts *p, pt_span *authority, pt_span rest, patio_error *err)
{
    pt_span     all   = {authority->at, authority->size + rest.size};
    const char *first = memchr(all.at, '@', all.size);
    if (first == NULL) {
        return PATIO_OK;
    }
    size_t      before = (size_t)(first - all.at);
    const char *second = memchr(first + 1, '@', all.size - before - 1);
    if (second != NULL || before >= authority->size) {
        return pt_url_fail(
            err, p, second != NULL ? second : first,
            "\"@\" must be written as %40, and in a user or password \"/\" as %2F and "
            "\"?\" as %3F");
    }
    pt_span info    = {authority->at, before};
    p->has_user     = true;
    p->user         = pt_span_take(&info, ":");
    p->has_password = pt_span_skip(&info, ':');
    p->password     = info;
    authority->at   = first + 1;
    authority->size -= before + 1;
    return PATIO_OK;
}

patio_status pt_url_find_parts(const char *text, size_t size, pt_url_parts *p, patio_error *err)
{
    *p                  = (pt_url_parts){.text = text};
    pt_span      rest   = {text, size};
    patio_status status = find_scheme(p, &rest, err);
    if (status == PATIO_OK) {
        status = check_bytes(p, rest, err);
    }
    if (status != PATIO_OK) {
        return status;
    }
    pt_span authority = pt_span_take(&rest, "/?");
    status            = find_user(p, &authority, rest, err);
    if (status != PATIO_OK) {
        return status;
    }
    p->hosts = authority;
    p->path  = pt_span_take(&rest, "?");
    (void)pt_span_skip(&rest, '?');
    p->query = rest;
    return PATIO_OK;
}
