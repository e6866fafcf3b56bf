/* proxy.c: a link that misbehaves, for stream connections: begun, ended, and told how. */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/url.h"
#include "proxy_inside.h"

static bool listen_somewhere(kit_proxy *p, uint32_t *port)
{
    struct sockaddr_in a    = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size = sizeof(a);
    p->listener             = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = p->listener >= 0 && bind(p->listener, (struct sockaddr *)&a, size) == 0 &&
              listen(p->listener, 64) == 0 &&
              getsockname(p->listener, (struct sockaddr *)&a, &size) == 0;
    *port = ntohs(a.sin_port);
    return ok;
}

kit_proxy *kit_proxy_start(const char *host, uint32_t port, uint32_t *listen_port)
{
    kit_proxy       *p     = calloc(1, sizeof(*p));
    struct addrinfo *found = NULL;
    struct addrinfo  want  = {.ai_socktype = SOCK_STREAM};
    char             service[16];
    (void)snprintf(service, sizeof(service), "%u", port);
    if (p == NULL || getaddrinfo(host, service, &want, &found) != 0) {
        free(p);
        return NULL;
    }
    memcpy(&p->to, found->ai_addr, found->ai_addrlen);
    p->to_size = found->ai_addrlen;
    freeaddrinfo(found);
    pthread_mutex_init(&p->lock, NULL);
    if (!listen_somewhere(p, listen_port) || pipe2(p->wake, O_CLOEXEC | O_NONBLOCK) != 0 ||
        pthread_create(&p->thread, NULL, kit_proxy_run, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

static void wake(kit_proxy *p)
{
    (void)!write(p->wake[1], "w", 1);
}

void kit_proxy_stop(kit_proxy *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_mutex_unlock(&p->lock);
    wake(p);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
    (void)close(p->wake[0]);
    (void)close(p->wake[1]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void kit_proxy_set(kit_proxy *p, uint32_t flags)
{
    pthread_mutex_lock(&p->lock);
    p->flags = flags;
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

void kit_proxy_shape(kit_proxy *p, uint32_t slice_bytes, uint64_t delay_ms, uint64_t bytes_per_s)
{
    pthread_mutex_lock(&p->lock);
    p->slice     = slice_bytes;
    p->delay_ms  = delay_ms;
    p->rate      = bytes_per_s;
    p->budget    = 0;
    p->budget_ms = kit_now_ms();
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

void kit_proxy_cut(kit_proxy *p, bool reset)
{
    pthread_mutex_lock(&p->lock);
    p->cut   = true;
    p->reset = reset;
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

void kit_proxy_cut_after(kit_proxy *p, uint64_t bytes, bool half)
{
    pthread_mutex_lock(&p->lock);
    p->cut_after = bytes;
    p->cut_half  = half;
    p->reset     = false;
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

uint32_t kit_proxy_connections(kit_proxy *p)
{
    uint32_t count = 0;
    pthread_mutex_lock(&p->lock);
    for (uint32_t n = 0; n < PROXY_LINKS; n++) {
        count += p->links[n] != NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return count;
}

uint64_t kit_proxy_accepted(kit_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t n = p->accepted;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void kit_proxy_install(kit *k)
{
    pt_url      url = {0};
    char        text[2048];
    patio_error err = PATIO_ERROR_INIT;
    kit_url(k, k->options->url, 0, text, sizeof(text));
    KIT_CHECK(k, pt_url_parse(&pt_malloc_allocator, text, &url, &err) == PATIO_OK, "URL: %s",
              err.message);
    k->ports[0] = url.hosts[0].port;
    k->proxy = kit_proxy_start(url.hosts[0].host, url.hosts[0].port, &k->ports[KIT_INSTANCES - 1]);
    pt_url_fini(&url);
    KIT_CHECK(k, k->proxy != NULL, "the proxy cannot start");
}
