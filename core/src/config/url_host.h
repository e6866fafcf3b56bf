/* config/url_host.h: the hosts of a URL. */
#ifndef PT_URL_HOST_H
#define PT_URL_HOST_H

#include <patio/plugin.h>

#include "config/url_text.h"

/* Take "host:port", "[IPv6]:port", "host" … apart into *out, its text being put into block. NULL,
 * or what is wrong with it, with *bad at the place. */
const char *pt_url_parse_host(pt_span span, pt_block *block, patio_host_port *out,
                              const char **bad);

#endif
