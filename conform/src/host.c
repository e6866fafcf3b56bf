/* host.c: the host table of the kit: everything that is given is counted, everything that is given
 * back is looked at. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "host_inside.h"

#define BLOCK_MAGIC UINT64_C(0x4b49544d454d4f4b)

typedef struct block {
    uint64_t magic;
    uint64_t size;
} block;

struct host_share {
    struct host_share *next;
    void              *object;
    uint32_t           users;
    char               key[];
};

bool kit_host_fails(kit_host *h)
{
    uint64_t n = atomic_fetch_add(&h->allocs, 1) + 1;
    return n == atomic_load(&h->fail_at);
}

static void *host_alloc(void *self, size_t size)
{
    kit_host *h = kit_host_of(self);
    if (kit_host_fails(h)) {
        return NULL;
    }
    block *b = malloc(sizeof(*b) + size);
    if (b == NULL) {
        return NULL;
    }
    *b = (block){BLOCK_MAGIC, size};
    memset(b + 1, 0xa5, size); /* memory is not cleared: who relies on it shall notice */
    atomic_fetch_add(&h->live, 1);
    atomic_fetch_add(&h->live_bytes, (int64_t)size);
    return b + 1;
}

static block *block_of(kit_host *h, void *pointer, const char *what)
{
    block *b = (block *)pointer - 1;
    if (b->magic != BLOCK_MAGIC) {
        kit_breach(h->k, "%s of memory that did not come from host->alloc, or is freed", what);
        return NULL;
    }
    return b;
}

static void host_free(void *self, void *pointer)
{
    kit_host *h = kit_host_of(self);
    block    *b = pointer != NULL ? block_of(h, pointer, "free") : NULL;
    if (b != NULL) {
        atomic_fetch_sub(&h->live, 1);
        atomic_fetch_sub(&h->live_bytes, (int64_t)b->size);
        b->magic = 0;
        free(b);
    }
}

static void *host_resize(void *self, void *pointer, size_t size)
{
    if (pointer == NULL) {
        return host_alloc(self, size);
    }
    block *b     = block_of(kit_host_of(self), pointer, "resize");
    void  *moved = b != NULL ? host_alloc(self, size) : NULL;
    if (moved != NULL) {
        memcpy(moved, pointer, b->size < size ? (size_t)b->size : size);
        host_free(self, pointer);
    }
    return moved;
}

static int32_t host_log_on(void *self, int32_t level)
{
    (void)self;
    return level >= PATIO_LOG_DEBUG;
}

static void host_log(void *self, int32_t level, const char *text)
{
    kit_host *h = kit_host_of(self);
    if (text == NULL || text[0] == '\0' || level < PATIO_LOG_TRACE || level > PATIO_LOG_ERROR) {
        kit_breach(h->k, "log line without text or with level %d", level);
    } else if (kit_holds_secret(h->k, text)) {
        kit_breach(h->k, "a log line holds a secret");
    }
    if (h->k->options->verbose && text != NULL) {
        fprintf(stderr, "    [%d] %s\n", level, text);
    }
}

static uint64_t host_now_ns(void *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static patio_status host_random(void *self, void *data, size_t size)
{
    (void)self;
    uint8_t *at = data;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR) {
            return PATIO_IO;
        }
        at += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
    return PATIO_OK;
}

static void *host_share(void *self, const char *key, void *(*make)(void *arg), void *arg)
{
    kit_host *h      = kit_host_of(self);
    void     *object = NULL;
    pthread_mutex_lock(&h->lock);
    struct host_share *s = h->shares;
    while (s != NULL && strcmp(s->key, key) != 0) {
        s = s->next;
    }
    if (s == NULL && (s = calloc(1, sizeof(*s) + strlen(key) + 1)) != NULL) {
        memcpy(s->key, key, strlen(key) + 1);
        s->object = make(arg);
        if (s->object == NULL) {
            free(s);
            s = NULL;
        } else {
            s->next   = h->shares;
            h->shares = s;
        }
    }
    if (s != NULL) {
        s->users++;
        object = s->object;
    }
    pthread_mutex_unlock(&h->lock);
    return object;
}

static void host_unshare(void *self, void *object, void (*destroy)(void *object))
{
    kit_host *h    = kit_host_of(self);
    bool      last = false;
    pthread_mutex_lock(&h->lock);
    struct host_share **at = &h->shares;
    while (*at != NULL && (*at)->object != object) {
        at = &(*at)->next;
    }
    struct host_share *s = *at;
    if (s != NULL && --s->users == 0) {
        *at  = s->next;
        last = true;
        free(s);
    }
    pthread_mutex_unlock(&h->lock);
    if (s == NULL) {
        kit_breach(h->k, "unshare of an object that is not shared");
    } else if (last) {
        destroy(object);
    }
}

static const void *host_query(void *self, const char *interface_id)
{
    (void)self;
    (void)interface_id;
    return NULL;
}

void kit_host_init(kit_host *h, kit *k)
{
    memset(h, 0, sizeof(*h));
    h->k = k;
    pthread_mutex_init(&h->lock, NULL);
    h->table = (patio_host){
        PATIO_SIZED(patio_host),  .abi_minor = PATIO_ABI_MINOR,
        .version = PATIO_VERSION, .self = h,
        .alloc = host_alloc,      .resize = host_resize,
        .free = host_free,        .log_on = host_log_on,
        .log = host_log,          .now_ns = host_now_ns,
        .random = host_random,    .share = host_share,
        .unshare = host_unshare,  .query = host_query,
    };
    kit_host_init_bufs(h);
    kit_host_init_timers(h);
}

void kit_host_check_empty(kit_host *h)
{
    kit *k = h->k;
    KIT_CHECK(k, atomic_load(&h->live) == 0, "%lld blocks (%lld bytes) of host memory are left",
              (long long)atomic_load(&h->live), (long long)atomic_load(&h->live_bytes));
    KIT_CHECK(k, atomic_load(&h->bufs) == 0, "%lld buffers are left undropped",
              (long long)atomic_load(&h->bufs));
    pthread_mutex_lock(&h->lock);
    bool timers = h->pending != NULL;
    bool shares = h->shares != NULL;
    pthread_mutex_unlock(&h->lock);
    KIT_CHECK(k, !timers, "a timer is still set after destroy");
    KIT_CHECK(k, !shares, "an object is still shared after destroy");
}

void kit_host_fini(kit_host *h)
{
    kit_host_fini_timers(h);
    kit_host_fini_bufs(h);
    pthread_mutex_destroy(&h->lock);
}
