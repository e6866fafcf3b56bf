/* Names of hosts: looked up while the I/O thread keeps the other connection alive and looks in from
 * time to time. */
#include "transport.h"

#include <netdb.h>

#include "lookup.h"

bool name_take(host_name *name, struct addrinfo **found, const char **why)
{
    *found = NULL;
    if (name->lookup == NULL) {
        *found = lookup_at_once(name->host, name->port);
        if (*found != NULL) {
            return true;
        }
        name->lookup = lookup_begin(name->host, name->port, NULL, NULL);
        *why         = "no thread is free for it";
        return name->lookup == NULL;
    }
    if (!lookup_is_done(name->lookup)) {
        return false;
    }
    int error    = lookup_end(name->lookup, found);
    name->lookup = NULL;
    *why         = error != 0 ? gai_strerror(error) : "it has no address";
    return true;
}

const struct addrinfo *name_address(const struct addrinfo *found, uint32_t turn)
{
    uint32_t count = 0;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        count++;
    }
    const struct addrinfo *a = found;
    for (uint32_t skip = count > 0 ? turn % count : 0; skip > 0; skip--) {
        a = a->ai_next;
    }
    return a;
}

void name_drop(host_name *name)
{
    if (name->lookup != NULL) {
        lookup_leave(name->lookup);
        name->lookup = NULL;
    }
}
