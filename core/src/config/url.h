/* config/url.h: broker URLs, by RFC 3986 with several hosts:
 * scheme://user:password@host:port,host:port/path?option=value&option=value */
#ifndef PT_URL_H
#define PT_URL_H

#include <patio/plugin.h>

#include "base/alloc.h"
#include "config/options.h"

/* All texts are decoded and owned by the URL. */
typedef struct pt_url {
    char            *scheme; /* lower case: "tcp+listen" */
    char            *plugin; /* transport plugin that serves the scheme: part before '+', aliases
                                resolved (tls, unix -> tcp; amqps -> amqp; rediss -> redis) */
    char            *user;
    char            *password;
    patio_host_port *hosts; /* at least one */
    uint32_t         host_count;
    char            *path;
    char            *shown; /* for people: password and every value whose key could be a secret (key,
                               password, secret, token in its name) replaced by *** */
    pt_setting      *query; /* origin: "the URL" */
    size_t           query_count;
    const patio_allocator *mem;
} pt_url;

/* CONFIG: says what is wrong and where, never showing the user's part or secrets. */
patio_status pt_url_parse(const patio_allocator *mem, const char *text, pt_url *out,
                          patio_error *err);
/* Overwrites the password before freeing; a zeroed pt_url is allowed. */
void         pt_url_fini(pt_url *url);

#endif
