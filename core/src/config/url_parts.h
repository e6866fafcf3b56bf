/* config/url_parts.h: a URL taken apart as it is written, before anything is decoded or allocated.
 */
#ifndef PT_URL_PARTS_H
#define PT_URL_PARTS_H

#include "base/error.h"
#include "config/url_text.h"

/* Borrowed from the text. */
typedef struct pt_url_parts {
    const char *text;
    pt_span     scheme;
    pt_span     user;
    pt_span     password;
    pt_span     hosts;
    pt_span     path;
    pt_span     query;
    bool        has_user;
    bool        has_password;
} pt_url_parts;

/* Find the parts and check everything that can go wrong in a byte: white space, '#', a second '@',
 * percent-encoding, UTF-8. After that each part may be decoded without further checks. */
patio_status pt_url_find_parts(const char *text, size_t size, pt_url_parts *p, patio_error *err);
/* CONFIG: "URL: WHAT (byte N)". */
patio_status pt_url_fail(patio_error *err, const pt_url_parts *p, const char *where,
                         const char *what);

#endif
