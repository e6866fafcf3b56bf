/* What a URL names, and whom that may be without a key. */
#include "tcp.h"

#include <arpa/inet.h>

enum { PORT_DEFAULT = 15383 };

const char *const tcp_schemes[] = {"tcp",  "tcp+listen",  "tls", "tls+listen",
                                   "unix", "unix+listen", NULL};

/* One without its interface: the system would say "Invalid argument". */
static bool lacks_interface(const char *host)
{
    struct in6_addr a;
    return inet_pton(AF_INET6, host, &a) == 1 && IN6_IS_ADDR_LINKLOCAL(&a);
}

/* False: there is no such one. */
static bool read_scheme(endpoint *ep, const char *scheme)
{
    bool known  = false;
    ep->is_unix = strncmp(scheme, "unix", 4) == 0;
    ep->is_tls  = strncmp(scheme, "tls", 3) == 0;
    ep->listens = strstr(scheme, "+listen") != NULL;
    for (size_t i = 0; tcp_schemes[i] != NULL; i++) {
        known = known || strcmp(tcp_schemes[i], scheme) == 0;
    }
    return known;
}

patio_status tcp_read_address(endpoint *ep, const patio_endpoint *e, uint32_t k, patio_error *err)
{
    const patio_host_port *at     = &e->hosts[k];
    const char            *scheme = e->scheme;
    if (e->user[0] != '\0' || e->password[0] != '\0') {
        return patio_fail(err, PATIO_CONFIG, 0, "%s: tcp has no users; it has key=…", e->shown);
    }
    if (!read_scheme(ep, scheme)) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: scheme %s is not one of tcp, tls, unix, or these with +listen",
                          e->shown, scheme);
    }
    if (ep->is_unix) {
        if (at->host[0] != '\0' || e->path[0] == '\0') {
            return patio_fail(err, PATIO_CONFIG, 0,
                              "%s: write unix:///path/of/socket, from the root on", e->shown);
        }
        if (strlen(e->path) >= sizeof(ep->path)) {
            return patio_fail(err, PATIO_CONFIG, 0,
                              "%s: the path has %zu bytes, and a socket's may have %zu", e->shown,
                              strlen(e->path), sizeof(ep->path) - 1);
        }
        memcpy(ep->path, e->path, strlen(e->path) + 1);
    } else if ((at->host[0] == '\0' && !ep->listens) || strlen(at->host) >= sizeof(ep->host) ||
               (e->path[0] != '\0' && strcmp(e->path, "/") != 0)) {
        return patio_fail(err, PATIO_CONFIG, 0, "%s: write %s://host:port or %s+listen://:port",
                          e->shown, ep->is_tls ? "tls" : "tcp", ep->is_tls ? "tls" : "tcp");
    } else if (lacks_interface(at->host)) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: a link-local address needs its interface: [%s%%25eth0]", e->shown,
                          at->host);
    } else {
        memcpy(ep->host, at->host, strlen(at->host) + 1);
        ep->port = at->port == 0 ? PORT_DEFAULT : at->port == PATIO_PORT_ANY ? 0 : at->port;
    }
    if (e->host_count > 1) { /* which one of them */
        (void)snprintf(ep->shown, sizeof(ep->shown), "%s (%s, port %u)", e->shown, ep->host,
                       ep->port);
    } else {
        (void)snprintf(ep->shown, sizeof(ep->shown), "%s", e->shown);
    }
    return PATIO_OK;
}

patio_status tcp_check_trust(const endpoint *ep, const struct sockaddr *a, patio_error *err)
{
    bool near = a->sa_family == AF_UNIX;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
        near                         = ntohl(in->sin_addr.s_addr) >> 24 == 127;
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)a;
        near                          = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) != 0 ||
               (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) != 0 && in->sin6_addr.s6_addr[12] == 127);
    }
    /* a certificate says who the other side is: always who listens, if asked for who connects */
    bool known = ep->is_tls && (!ep->listens || ep->tls.client == TLS_CLIENT_REQUIRED);
    if (near || known || ep->insecure || ep->keys[0][0] != '\0') {
        return PATIO_OK;
    }
    return patio_fail(
        err, PATIO_CONFIG, 0,
        "%s is %s and there is no key: set key=…, or %sinsecure=true if the network is "
        "trusted",
        ep->shown, ep->listens ? "reachable from other machines" : "not on this machine",
        ep->is_tls ? "tls_client=required, or " : "");
}
