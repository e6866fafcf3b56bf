#include "tcp.h"

const char *const link_family_names[LINK_FAMILIES] = {"IPv4", "IPv6", "unix"};

enum link_family links_family(const struct sockaddr *a)
{
    if (a->sa_family == AF_UNIX) {
        return LINK_UNIX;
    }
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)a;
    return a->sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) ? LINK_IPV6
                                                                             : LINK_IPV4;
}

void links_left(conn *c, bool failed)
{
    link_counts *of = &c->t->links[c->family];
    of->failed += failed ? 1 : 0;
    of->bytes_in += c->bytes_in;
    of->bytes_out += c->written;
}

void links_add(const patio_transport *t, link_counts sum[LINK_FAMILIES])
{
    for (unsigned i = 0; i < LINK_FAMILIES; i++) {
        sum[i].opened += t->links[i].opened;
        sum[i].failed += t->links[i].failed;
        sum[i].limited += t->links[i].limited;
        sum[i].bytes_in += t->links[i].bytes_in;
        sum[i].bytes_out += t->links[i].bytes_out;
    }
    for (const conn *c = t->conns; c != NULL; c = c->next) {
        link_counts *of = &sum[c->family];
        if (!c->self) {
            of->open += c->state == CONN_OPEN ? 1 : 0;
            of->bytes_in += c->bytes_in;
            of->bytes_out += c->written;
        }
    }
}

void links_put(const patio_transport *t, uint8_t *to)
{
    link_counts sum[LINK_FAMILIES] = {0};
    links_add(t, sum);
    for (unsigned i = 0; i < LINK_FAMILIES; i++) {
        const uint64_t numbers[] = {sum[i].open,    sum[i].opened,   sum[i].failed,
                                    sum[i].limited, sum[i].bytes_in, sum[i].bytes_out};
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++, to += 8) {
            frame_put64(to, numbers[k]);
        }
    }
}

void links_add_row(const uint8_t *row, link_counts sum[LINK_FAMILIES])
{
    for (unsigned i = 0; i < LINK_FAMILIES; i++) {
        uint64_t *const numbers[] = {&sum[i].open,    &sum[i].opened,   &sum[i].failed,
                                     &sum[i].limited, &sum[i].bytes_in, &sum[i].bytes_out};
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++, row += 8) {
            *numbers[k] += frame_get64(row);
        }
    }
}
