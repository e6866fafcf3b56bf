#include "config/url_host.h"

#include <arpa/inet.h>
#include <string.h>

enum { HOST_MAX_BYTES = 255 }; /* of a name in the DNS */

static const char *parse_port(pt_span span, uint32_t *port, const char **bad)
{
    uint32_t value = 0;
    *bad           = span.at;
    for (size_t i = 0; i < span.size; i++) {
        char c = span.at[i];
        if (c < '0' || c > '9' || value > UINT16_MAX) {
            return "the port is not a number from 1 to 65535";
        }
        value = value * 10 + (uint32_t)(c - '0');
    }
    if (span.size == 0 || value > UINT16_MAX) {
        return "the port is not a number from 1 to 65535";
    }
    *port = value != 0 ? value : PATIO_PORT_ANY;
    return NULL;
}

static bool is_host_byte(char c)
{
    static const char others[] = "-._~!$&'()*+;=";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || (c != '\0' && strchr(others, c) != NULL);
}

static bool is_host_name(const char *name)
{
    while (is_host_byte(*name)) {
        name++;
    }
    return *name == '\0';
}

/* An IPv6 address, perhaps with a zone behind '%' (RFC 6874 writes it %25). */
static bool is_ipv6(const char *text)
{
    unsigned char address[16];
    char          digits[INET6_ADDRSTRLEN];
    size_t        size = strcspn(text, "%");
    if (size >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    if (inet_pton(AF_INET6, digits, address) != 1) {
        return false;
    }
    return text[size] == '\0' || (text[size + 1] != '\0' && is_host_name(text + size + 1));
}

static const char *parse_bracketed(pt_span *rest, pt_block *block, patio_host_port *out)
{
    pt_span inside = pt_span_take(rest, "]");
    if (!pt_span_skip(rest, ']')) {
        return "\"[\" has no \"]\"";
    }
    out->host = pt_block_decode(block, inside);
    if (!is_ipv6(out->host)) {
        return "what stands in brackets is not an IPv6 address";
    }
    return rest->size == 0 || rest->at[0] == ':' ? NULL : "only a port may follow \"]\"";
}

const char *pt_url_parse_host(pt_span span, pt_block *block, patio_host_port *out, const char **bad)
{
    const char *problem = NULL;
    *bad                = span.at;
    *out                = (patio_host_port){0};
    if (pt_span_skip(&span, '[')) {
        problem = parse_bracketed(&span, block, out);
        if (problem != NULL) {
            return problem;
        }
    } else {
        out->host = pt_block_decode(block, pt_span_take(&span, ":"));
        if (!is_host_name(out->host)) {
            return "the host has a character that no host has";
        }
    }
    if (strlen(out->host) > HOST_MAX_BYTES) {
        return "the host is longer than 255 bytes";
    }
    if (!pt_span_skip(&span, ':')) {
        return NULL;
    }
    *bad = span.at;
    if (memchr(span.at, ':', span.size) != NULL) {
        return "an IPv6 address must stand in brackets: [::1]:7000";
    }
    return parse_port(span, &out->port, bad);
}
