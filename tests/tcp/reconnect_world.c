/* What reconnect.c calls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "reconnect_world.h"

patio_transport t;
endpoint        ep;
uint64_t        random_now;
uint64_t        clock_ns;
uint64_t        paused_ms;
uv_timer_cb     then;
uv_async_cb     found;
bool            unknown;
uint32_t        lookups;
uint32_t        tries;
bool            silent;
conn            tried[2];
uint32_t        tried_count;

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms)
{
    assert_ptr_equal(timer, &ep.timer);
    assert_int_equal(repeat_ms, 0);
    paused_ms = timeout_ms;
    then      = cb;
    return 0;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    (void)loop;
    assert_ptr_equal(timer, &ep.timer);
    return 0;
}

int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb cb)
{
    (void)loop;
    assert_ptr_equal(async, &ep.found);
    found = cb;
    return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    (void)handle;
    (void)cb;
}

struct addrinfo *lookup_at_once(const char *host, uint32_t port)
{
    (void)host;
    (void)port;
    return NULL;
}

int uv_async_send(uv_async_t *async)
{
    (void)async;
    return 0;
}

lookup *lookup_begin(const char *host, uint32_t port, void (*done)(void *arg), void *arg)
{
    (void)port;
    (void)done;
    assert_string_equal(host, "a.name");
    lookups++;
    return arg; /* anything */
}

/* A name that has two addresses, each time. */
int lookup_end(lookup *l, struct addrinfo **out)
{
    static struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
    static struct addrinfo    two[2];
    assert_ptr_equal(l, &ep.found);
    for (int i = 0; i < 2; i++) {
        two[i].ai_addr    = (struct sockaddr *)&nobody;
        two[i].ai_addrlen = sizeof(nobody);
        two[i].ai_next    = i == 0 ? &two[1] : NULL;
    }
    *out = unknown ? NULL : two;
    return unknown ? EAI_NONAME : 0;
}

void lookup_leave(lookup *l)
{
    (void)l;
}

void freeaddrinfo(struct addrinfo *a)
{
    (void)a;
}

bool loop_link(patio_transport *of, const patio_error *why, bool news)
{
    (void)of;
    (void)why;
    (void)news;
    return true;
}

void effects_begin(effects *fx, patio_transport *of)
{
    fx->t = of;
}

void peer_arrived(patio_transport *of, uint32_t less, effects *fx)
{
    (void)of;
    (void)less;
    (void)fx;
}

void effects_end(effects *fx)
{
    (void)fx;
}

int connect(int fd, __CONST_SOCKADDR_ARG a, socklen_t size) /* as the C library declares it */
{
    (void)fd;
    (void)a;
    (void)size;
    errno = silent ? EINPROGRESS : ECONNREFUSED;
    return -1;
}

conn *conn_new(patio_transport *of, endpoint *from, int fd, const struct sockaddr *a, bool connects)
{
    (void)a;
    (void)close(fd);
    conn *c     = &tried[tried_count++ % 2];
    c->endpoint = from;
    c->connects = connects;
    c->next     = of->conns;
    of->conns   = c;
    return c;
}

/* As in conn.c. */
void conn_close(conn *c, patio_status status, const char *why)
{
    patio_error err = {PATIO_SIZED(patio_error), .status = status};
    conn      **at  = &t.conns;
    (void)why;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    if (ep.link == c || ep.link == NULL) {
        ep.link = NULL;
        reconnect_later(&ep, status != PATIO_OK ? &err : NULL);
    }
}

void secure_begin(conn *c)
{
    (void)c;
}

void secure_fini(endpoint *of)
{
    (void)of;
}

enum link_family links_family(const struct sockaddr *a)
{
    (void)a;
    tries++; /* it is asked for each address that fails */
    return LINK_UNIX;
}

static patio_status next_random(void *self, void *to, size_t size)
{
    (void)self;
    assert_int_equal(size, sizeof(random_now));
    memcpy(to, &random_now, sizeof(random_now));
    return PATIO_OK;
}

static uint64_t now(void *self)
{
    (void)self;
    return clock_ns;
}

static int32_t no_log(void *self, int32_t level)
{
    (void)self;
    (void)level;
    return 0;
}

int begin(void **state)
{
    static const patio_host host = {.random = next_random, .now_ns = now, .log_on = no_log};
    (void)state;
    clock_ns = 1;
    memset(&t, 0, sizeof(t));
    memset(&ep, 0, sizeof(ep));
    (void)pthread_mutex_init(&t.lock, NULL);
    t.host                 = &host;
    t.set.reconnect_min_ms = MIN_MS;
    t.set.reconnect_max_ms = MAX_MS;
    ep.t                   = &t;
    ep.timer.data          = &ep;
    ep.keys[0]             = (char *)(uintptr_t) "";
    (void)snprintf(ep.host, sizeof(ep.host), "a.name");
    lookups     = 0;
    tries       = 0;
    silent      = false;
    tried_count = 0;
    reconnect_begin(&ep);
    return 0;
}
