/* host.c: the host table of the kit: everything that is given is counted, everything that is given
 * back is looked at. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "kit.h"
#include "runtime/timers.h"

#define BLOCK_MAGIC UINT64_C(0x4b49544d454d4f4b)
#define BUF_MAGIC   UINT64_C(0x4b49544255464f4b)
#define BUF_GONE    UINT64_C(0x4b4954474f4e4542)

typedef struct block {
    uint64_t magic;
    uint64_t size;
} block;

struct patio_buf {
    uint64_t          magic;
    _Atomic int64_t   refs;
    patio_bytes       bytes;
    patio_fn          drop;
    void             *arg;
    uint8_t          *own;
    struct patio_buf *next; /* in quarantine */
};

struct host_timer {
    struct host_timer *next;
    kit_host          *h;
    uint64_t           number;
    patio_fn           fn;
    void              *arg;
};

struct host_share {
    struct host_share *next;
    void              *object;
    uint32_t           users;
    char               key[];
};

static kit_host *of(void *self)
{
    return self;
}

static bool fails(kit_host *h)
{
    uint64_t n = atomic_fetch_add(&h->allocs, 1) + 1;
    return n == atomic_load(&h->fail_at);
}

static void *host_alloc(void *self, size_t size)
{
    kit_host *h = of(self);
    if (fails(h)) {
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
    kit_host *h = of(self);
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
    block *b     = block_of(of(self), pointer, "resize");
    void  *moved = b != NULL ? host_alloc(self, size) : NULL;
    if (moved != NULL) {
        memcpy(moved, pointer, b->size < size ? (size_t)b->size : size);
        host_free(self, pointer);
    }
    return moved;
}

static patio_buf *make_buf(kit_host *h, size_t size, bool own)
{
    patio_buf *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return NULL;
    }
    b->magic = BUF_MAGIC;
    atomic_init(&b->refs, 1);
    if (own) {
        b->own   = malloc(size > 0 ? size : 1);
        b->bytes = (patio_bytes){b->own, size};
        if (b->own == NULL) {
            free(b);
            return NULL;
        }
    }
    atomic_fetch_add(&h->bufs, 1);
    return b;
}

static patio_buf *host_buf_new(void *self, size_t size, uint8_t **data)
{
    patio_buf *b = fails(of(self)) ? NULL : make_buf(of(self), size, true);
    if (b != NULL) {
        *data = b->own;
    }
    return b;
}

static patio_buf *host_buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    patio_buf *b = fails(of(self)) ? NULL : make_buf(of(self), 0, false);
    if (b != NULL) {
        b->bytes = bytes;
        b->drop  = drop;
        b->arg   = arg;
    }
    return b;
}

static bool buf_is_live(kit_host *h, const patio_buf *b, const char *what)
{
    if (b == NULL || b->magic != BUF_MAGIC) {
        kit_breach(h->k, "%s of a buffer that %s", what,
                   b != NULL && b->magic == BUF_GONE ? "was dropped by its last owner" : "is none");
        return false;
    }
    return true;
}

static patio_buf *host_buf_ref(void *self, patio_buf *b)
{
    if (buf_is_live(of(self), b, "buf_ref")) {
        atomic_fetch_add(&b->refs, 1);
    }
    return b;
}

static void host_buf_drop(void *self, patio_buf *b)
{
    kit_host *h = of(self);
    if (b == NULL || !buf_is_live(h, b, "buf_drop") || atomic_fetch_sub(&b->refs, 1) != 1) {
        return;
    }
    if (b->drop != NULL) {
        b->drop(b->arg);
    }
    free(b->own);
    b->own   = NULL;
    b->bytes = (patio_bytes){NULL, 0};
    atomic_fetch_sub(&h->bufs, 1);
    pthread_mutex_lock(&h->lock);
    b->magic      = BUF_GONE;
    b->next       = h->quarantine;
    h->quarantine = b;
    pthread_mutex_unlock(&h->lock);
}

static patio_bytes host_buf_view(void *self, const patio_buf *b)
{
    return buf_is_live(of(self), b, "buf_view") ? b->bytes : (patio_bytes){NULL, 0};
}

static int32_t host_log_on(void *self, int32_t level)
{
    (void)self;
    return level >= PATIO_LOG_DEBUG;
}

static void host_log(void *self, int32_t level, const char *text)
{
    kit_host *h = of(self);
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

/* ---- timers: the library's own, with a list of what is still set ---- */

static bool unlink_timer(kit_host *h, struct host_timer *t)
{
    struct host_timer **at = &h->pending;
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return false;
    }
    *at = t->next;
    return true;
}

static void run_timer(void *arg)
{
    struct host_timer *t    = arg;
    kit_host          *h    = t->h;
    patio_fn           fn   = t->fn;
    void              *each = t->arg;
    pthread_mutex_lock(&h->lock);
    bool mine = unlink_timer(h, t);
    pthread_mutex_unlock(&h->lock);
    fn(each);
    if (mine) {
        free(t);
    }
}

static uint64_t host_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    kit_host          *h = of(self);
    struct host_timer *t = fails(h) ? NULL : calloc(1, sizeof(*t));
    if (t == NULL) {
        return 0;
    }
    *t = (struct host_timer){.h = h, .fn = fn, .arg = arg};
    pthread_mutex_lock(&h->lock);
    t->next         = h->pending;
    h->pending      = t;
    uint64_t number = pt_timers_after(h->timers, delay_ns, run_timer, t);
    t->number       = number;
    if (number == 0) {
        (void)unlink_timer(h, t);
        free(t);
    }
    pthread_mutex_unlock(&h->lock);
    return number;
}

static int32_t host_cancel(void *self, uint64_t number)
{
    kit_host *h = of(self);
    if (!pt_timers_cancel(h->timers, number)) {
        return 0;
    }
    pthread_mutex_lock(&h->lock);
    struct host_timer *t = h->pending;
    while (t != NULL && t->number != number) {
        t = t->next;
    }
    if (t != NULL) {
        (void)unlink_timer(h, t);
        free(t);
    }
    pthread_mutex_unlock(&h->lock);
    return 1;
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
    kit_host *h      = of(self);
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
    kit_host *h    = of(self);
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
    if (pt_timers_create(&pt_malloc_allocator, NULL, &h->timers, NULL) != PATIO_OK) {
        abort();
    }
    h->table = (patio_host){
        PATIO_SIZED(patio_host),   .abi_minor = PATIO_ABI_MINOR,
        .version = PATIO_VERSION,  .self = h,
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
    pt_timers_destroy(h->timers);
    while (h->quarantine != NULL) {
        patio_buf *next = h->quarantine->next;
        free(h->quarantine);
        h->quarantine = next;
    }
    while (h->pending != NULL) {
        struct host_timer *next = h->pending->next;
        free(h->pending);
        h->pending = next;
    }
    pthread_mutex_destroy(&h->lock);
}

/* ---- bodies ---- */

static uint8_t byte_at(uint32_t number, uint32_t kind, size_t i)
{
    return (uint8_t)(number * 31u + i * 7u + (i >> 8) + kind * 101u);
}

patio_buf *kit_buf(kit *k, uint32_t number, uint32_t kind, size_t size)
{
    patio_buf *b = make_buf(&k->host, size, true);
    KIT_CHECK(k, b != NULL, "the kit itself is out of memory");
    for (size_t i = 0; i < size; i++) {
        b->own[i] = byte_at(number, kind, i);
    }
    return b;
}

patio_buf *kit_buf_bytes(kit *k, const void *bytes, size_t size)
{
    patio_buf *b = make_buf(&k->host, size, true);
    KIT_CHECK(k, b != NULL, "the kit itself is out of memory");
    memcpy(b->own, bytes, size);
    return b;
}

void kit_buf_drop(kit *k, patio_buf *buf)
{
    host_buf_drop(&k->host, buf);
}

bool kit_buf_matches(const patio_buf *b, uint32_t number, uint32_t kind)
{
    for (size_t i = 0; i < b->bytes.size; i++) {
        if (b->bytes.data[i] != byte_at(number, kind, i)) {
            return false;
        }
    }
    return true;
}

size_t kit_buf_size(const patio_buf *buf)
{
    return buf->bytes.size;
}
