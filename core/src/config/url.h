/* config/url.h: broker URLs, by RFC 3986 with several hosts:
 * scheme://user:password@host:port,host:port/path?option=value&option=value */
#ifndef PT_URL_H
#define PT_URL_H

#include <patio/plugin.h>

#include "base/alloc.h"
#include "config/options.h"

enum { PT_URL_MAX_BYTES = 8192 };

/* All texts are decoded and owned by the URL. */
typedef struct pt_url {
    char *scheme; /* lower case: "tcp+listen" */
    char *plugin; /* transport plugin that serves the scheme: part before '+', aliases
                     resolved (tls, unix -> tcp; amqps -> amqp; rediss -> redis) */
    char            *user;
    char            *password;
    patio_host_port *hosts; /* at least one */
    uint32_t         host_count;
    char            *path;
    char *shown; /* for people: password and every value whose key could be a secret (key,
                    password, secret, token in its name) replaced by *** */
    pt_setting            *query; /* origin: "the URL" */
    size_t                 query_count;
    const patio_allocator *mem;
    char                  *texts; /* the memory of all texts above, overwritten at the end */
    size_t                 texts_bytes;
} pt_url;

/* CONFIG: says what is wrong and at which byte; it shows nothing of the URL but the scheme and the
 * names of options, so that a password in the wrong place does not show either. Stricter than RFC
 * 3986 where a typing error could pass for something else: one '@' at most (elsewhere it is %40),
 * no
 * '#', no option twice or without '='. More liberal: UTF-8 may stand as it is. */
patio_status pt_url_parse(const patio_allocator *mem, const char *text, pt_url *out,
                          patio_error *err);
/* Overwrites all texts before freeing; a zeroed pt_url is allowed. */
void pt_url_fini(pt_url *url);

#endif
