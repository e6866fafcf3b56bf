/* The host table of patio/host.h over a runtime. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "runtime/runtime.h"

static const patio_allocator *mem_of(void *self)
{
    const pt_host *host = self;
    return &host->runtime->mem;
}

static void *host_alloc(void *self, size_t size_bytes)
{
    return pt_alloc(mem_of(self), size_bytes);
}

static void *host_resize(void *self, void *pointer, size_t size_bytes)
{
    return pt_resize(mem_of(self), pointer, size_bytes);
}

static void host_free(void *self, void *pointer)
{
    pt_free(mem_of(self), pointer);
}

static patio_buf *host_buf_new(void *self, size_t size_bytes, uint8_t **data)
{
    return pt_buf_new(mem_of(self), size_bytes, data);
}

static patio_buf *host_buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    return pt_buf_wrap(mem_of(self), bytes, drop, arg);
}

static patio_buf *host_buf_ref(void *self, patio_buf *buf)
{
    (void)self;
    return pt_buf_ref(buf);
}

static void host_buf_drop(void *self, patio_buf *buf)
{
    (void)self;
    pt_buf_drop(buf);
}

static patio_bytes host_buf_view(void *self, const patio_buf *buf)
{
    (void)self;
    return pt_buf_view(buf);
}

static int32_t host_log_on(void *self, int32_t level)
{
    const pt_host *host = self;
    return pt_log_on(&host->runtime->log, level) ? 1 : 0;
}

static void host_log(void *self, int32_t level, const char *text)
{
    const pt_host *host = self;
    pt_log_line(&host->runtime->log, level, host->topic, NULL, text);
}

static uint64_t host_now_ns(void *self)
{
    const pt_host *host = self;
    return pt_clock_now(&host->runtime->clock);
}

static uint64_t host_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    const pt_host *host = self;
    return pt_timers_after(host->runtime->timers, delay_ns, fn, arg);
}

static int32_t host_cancel(void *self, uint64_t timer)
{
    const pt_host *host = self;
    return pt_timers_cancel(host->runtime->timers, timer) ? 1 : 0;
}

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c: for tests, never for keys. */
static uint64_t next_random(_Atomic uint64_t *state)
{
    uint64_t z = atomic_fetch_add(state, UINT64_C(0x9e3779b97f4a7c15));
    z          = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z          = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_seeded(patio_runtime *runtime, uint8_t *at, size_t size)
{
    while (size > 0) {
        uint64_t number = next_random(&runtime->random);
        size_t   part   = size < sizeof(number) ? size : sizeof(number);
        memcpy(at, &number, part);
        at += part;
        size -= part;
    }
}

patio_status pt_random(patio_runtime *runtime, void *data, size_t size_bytes)
{
    if (runtime->seeded) {
        fill_seeded(runtime, data, size_bytes);
        return PATIO_OK;
    }
    uint8_t *at = data;
    while (size_bytes > 0) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0 && errno != EINTR) {
            return PATIO_IO;
        }
        if (got > 0) {
            at += got;
            size_bytes -= (size_t)got;
        }
    }
    return PATIO_OK;
}

static patio_status host_random(void *self, void *data, size_t size_bytes)
{
    const pt_host *host = self;
    return pt_random(host->runtime, data, size_bytes);
}

static void *host_share(void *self, const char *key, void *(*make)(void *arg), void *arg)
{
    const pt_host *host = self;
    return pt_share(host->runtime, host->topic, key, make, arg);
}

static void host_unshare(void *self, void *object, void (*destroy)(void *object))
{
    const pt_host *host = self;
    pt_unshare(host->runtime, object, destroy);
}

static const void *host_query(void *self, const char *interface_id)
{
    (void)self;
    (void)interface_id;
    return NULL;
}

static void init(pt_host *host, patio_runtime *runtime, const char *topic)
{
    host->runtime = runtime;
    host->table   = (patio_host){
          PATIO_SIZED(patio_host),   .abi_minor = PATIO_ABI_MINOR,
          .version = PATIO_VERSION,  .self = host,
          .alloc = host_alloc,       .resize = host_resize,
          .free = host_free,         .buf_new = host_buf_new,
          .buf_wrap = host_buf_wrap, .buf_ref = host_buf_ref,
          .buf_drop = host_buf_drop, .buf_view = host_buf_view,
          .log_on = host_log_on,     .log = host_log,
          .now_ns = host_now_ns,     .after = host_after,
          .cancel = host_cancel,     .random = host_random,
          .share = host_share,       .unshare = host_unshare,
          .query = host_query,
    };
    (void)snprintf(host->topic, sizeof(host->topic), "%s", topic);
}

const patio_host *pt_runtime_host(patio_runtime *runtime, const char *kind, const char *name)
{
    char topic[48];
    (void)snprintf(topic, sizeof(topic), "%s.%s", kind, name);
    pthread_mutex_lock(&runtime->share_lock);
    pt_host *host = runtime->hosts;
    while (host != NULL && strcmp(host->topic, topic) != 0) {
        host = host->next;
    }
    if (host == NULL && (host = pt_alloc(&runtime->mem, sizeof(*host))) != NULL) {
        init(host, runtime, topic);
        host->next     = runtime->hosts;
        runtime->hosts = host;
    }
    pthread_mutex_unlock(&runtime->share_lock);
    return host != NULL ? &host->table : NULL;
}

/* ---- objects shared between instances ---- */

struct pt_shared {
    pt_shared *next;
    void      *object;
    uint32_t   users;
    char       key[]; /* owner NUL key NUL */
};

static bool same_key(const pt_shared *s, const char *owner, const char *key)
{
    return strcmp(s->key, owner) == 0 && strcmp(s->key + strlen(owner) + 1, key) == 0;
}

static pt_shared *make_shared(patio_runtime *runtime, const char *owner, const char *key)
{
    size_t     owner_size = strlen(owner) + 1;
    size_t     key_size   = strlen(key) + 1;
    pt_shared *s          = pt_alloc(&runtime->mem, sizeof(*s) + owner_size + key_size);
    if (s != NULL) {
        s->users = 0;
        memcpy(s->key, owner, owner_size);
        memcpy(s->key + owner_size, key, key_size);
    }
    return s;
}

void *pt_share(patio_runtime *runtime, const char *owner, const char *key, void *(*make)(void *arg),
               void *arg)
{
    pthread_mutex_lock(&runtime->share_lock);
    pt_shared *s = runtime->shared;
    while (s != NULL && !same_key(s, owner, key)) {
        s = s->next;
    }
    if (s == NULL) {
        s = make_shared(runtime, owner, key);
        if (s != NULL && (s->object = make(arg)) == NULL) {
            pt_free(&runtime->mem, s);
            s = NULL;
        }
        if (s != NULL) {
            s->next         = runtime->shared;
            runtime->shared = s;
        }
    }
    void *object = NULL;
    if (s != NULL) {
        s->users++;
        object = s->object;
    }
    pthread_mutex_unlock(&runtime->share_lock);
    return object;
}

void pt_unshare(patio_runtime *runtime, void *object, void (*destroy)(void *object))
{
    pthread_mutex_lock(&runtime->share_lock);
    pt_shared **link = &runtime->shared;
    while (*link != NULL && (*link)->object != object) {
        link = &(*link)->next;
    }
    pt_shared *last = NULL;
    if (*link != NULL && --(*link)->users == 0) {
        last  = *link;
        *link = last->next;
    }
    pthread_mutex_unlock(&runtime->share_lock);
    if (last != NULL) {
        destroy(object);
        pt_free(&runtime->mem, last);
    }
}
