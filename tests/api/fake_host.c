#include "fake_host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct patio_buf {
    fake_host       *host;
    _Atomic uint32_t refs;
    patio_bytes      bytes;
    patio_fn         drop;
    void            *arg;
    uint8_t          data[];
};

static void *host_alloc(void *self, size_t size)
{
    fake_host *h = self;
    return h->memory.mem.alloc(h->memory.mem.self, size);
}

static void *host_resize(void *self, void *pointer, size_t size)
{
    fake_host *h = self;
    return h->memory.mem.resize(h->memory.mem.self, pointer, size);
}

static void host_free(void *self, void *pointer)
{
    fake_host *h = self;
    h->memory.mem.free(h->memory.mem.self, pointer);
}

static patio_buf *buf_make(fake_host *h, size_t size)
{
    patio_buf *b = host_alloc(h, sizeof(*b) + size);
    if (b != NULL) {
        memset(b, 0, sizeof(*b));
        b->host  = h;
        b->bytes = (patio_bytes){b->data, size};
        atomic_init(&b->refs, 1);
    }
    return b;
}

static patio_buf *host_buf_new(void *self, size_t size, uint8_t **data)
{
    patio_buf *b = buf_make(self, size);
    if (b != NULL) {
        *data = b->data;
    }
    return b;
}

static patio_buf *host_buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    patio_buf *b = buf_make(self, 0);
    if (b != NULL) {
        b->bytes = bytes;
        b->drop  = drop;
        b->arg   = arg;
    }
    return b;
}

static patio_buf *host_buf_ref(void *self, patio_buf *b)
{
    (void)self;
    atomic_fetch_add(&b->refs, 1);
    return b;
}

static void host_buf_drop(void *self, patio_buf *b)
{
    if (b != NULL && atomic_fetch_sub(&b->refs, 1) == 1) {
        if (b->drop != NULL) {
            b->drop(b->arg);
        }
        host_free(self, b);
    }
}

static patio_bytes host_buf_view(void *self, const patio_buf *b)
{
    (void)self;
    return b->bytes;
}

static int32_t host_log_on(void *self, int32_t level)
{
    (void)self;
    return level >= PATIO_LOG_WARN;
}

static void host_log(void *self, int32_t level, const char *text)
{
    fake_host *h = self;
    (void)level;
    (void)text;
    atomic_fetch_add(&h->log_lines, 1);
}

static uint64_t host_now_ns(void *self)
{
    fake_host *h = self;
    return atomic_load(&h->now_ns);
}

static uint64_t host_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    fake_host *h      = self;
    uint64_t   number = 0;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < FAKE_TIMERS && number == 0; i++) {
        if (h->timers[i].number == 0) {
            number       = ++h->numbers;
            h->timers[i] = (fake_timer){number, host_now_ns(h) + delay_ns, fn, arg};
        }
    }
    pthread_mutex_unlock(&h->lock);
    return number;
}

static int32_t host_cancel(void *self, uint64_t timer)
{
    fake_host *h     = self;
    int32_t    found = 0;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < FAKE_TIMERS; i++) {
        if (timer != 0 && h->timers[i].number == timer) {
            h->timers[i].number = 0;
            found               = 1;
        }
    }
    pthread_mutex_unlock(&h->lock);
    return found;
}

static patio_status host_random(void *self, void *data, size_t size)
{
    (void)self;
    memset(data, 7, size);
    return PATIO_OK;
}

static void *host_share(void *self, const char *key, void *(*make)(void *arg), void *arg)
{
    fake_host   *h      = self;
    fake_shared *found  = NULL;
    void        *object = NULL;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < FAKE_SHARED && found == NULL; i++) {
        found = h->shared[i].users > 0 && strcmp(h->shared[i].key, key) == 0 ? &h->shared[i] : NULL;
    }
    for (int i = 0; i < FAKE_SHARED && found == NULL; i++) {
        if (h->shared[i].users == 0 && (object = make(arg)) != NULL) {
            found         = &h->shared[i];
            found->object = object;
            (void)snprintf(found->key, sizeof(found->key), "%s", key);
        }
    }
    if (found != NULL) {
        found->users++;
        object = found->object;
    }
    pthread_mutex_unlock(&h->lock);
    return object;
}

static void host_unshare(void *self, void *object, void (*destroy)(void *object))
{
    fake_host *h    = self;
    bool       last = false;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < FAKE_SHARED; i++) {
        if (h->shared[i].users > 0 && h->shared[i].object == object) {
            last = --h->shared[i].users == 0;
        }
    }
    pthread_mutex_unlock(&h->lock);
    if (last) {
        destroy(object);
    }
}

static const void *host_query(void *self, const char *interface_id)
{
    (void)self;
    (void)interface_id;
    return NULL;
}

void fake_host_init(fake_host *h)
{
    memset(h, 0, sizeof(*h));
    failing_alloc_init(&h->memory, 0);
    pthread_mutex_init(&h->lock, NULL);
    atomic_init(&h->now_ns, UINT64_C(1000000000));
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

void fake_host_check_empty(fake_host *h)
{
    for (int i = 0; i < FAKE_TIMERS; i++) {
        assert_int_equal(h->timers[i].number, 0);
    }
    for (int i = 0; i < FAKE_SHARED; i++) {
        assert_int_equal(h->shared[i].users, 0);
    }
    assert_int_equal(atomic_load(&h->memory.live), 0);
    pthread_mutex_destroy(&h->lock);
}

static bool take_first_due(fake_host *h, uint64_t until, fake_timer *out)
{
    fake_timer *first = NULL;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < FAKE_TIMERS; i++) {
        fake_timer *t = &h->timers[i];
        if (t->number != 0 && t->due_ns <= until && (first == NULL || t->due_ns < first->due_ns)) {
            first = t;
        }
    }
    if (first != NULL) {
        *out          = *first;
        first->number = 0;
    }
    pthread_mutex_unlock(&h->lock);
    return first != NULL;
}

void fake_host_advance(fake_host *h, uint64_t ms)
{
    uint64_t   until = atomic_load(&h->now_ns) + ms * 1000000;
    fake_timer due;
    while (take_first_due(h, until, &due)) {
        atomic_store(&h->now_ns, due.due_ns);
        due.fn(due.arg);
    }
    atomic_store(&h->now_ns, until);
}

patio_buf *fake_buf(fake_host *h, const char *text)
{
    uint8_t   *data = NULL;
    patio_buf *b    = host_buf_new(h, strlen(text), &data);
    assert_non_null(b);
    if (text[0] != '\0') {
        memcpy(data, text, strlen(text));
    }
    return b;
}

const void *load_plugin(const char *folder, const char *name, const char *interface_id)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s/%s.so", PATIO_TEST_PLUGINS, folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fail_msg("%s", dlerror());
    }
    union {
        void                  *object;
        patio_plugin_entry_fn *function;
    } entry = {.object = dlsym(library, PATIO_PLUGIN_SYMBOL)};
    assert_non_null(entry.object);
    const patio_plugin *plugin = entry.function(PATIO_ABI_MAJOR);
    assert_non_null(plugin);
    assert_int_equal(plugin->magic, PATIO_PLUGIN_MAGIC);
    assert_string_equal(plugin->name, name);
    const void *ops = plugin->query(interface_id);
    assert_non_null(ops);
    assert_null(plugin->query("patio.nothing/1"));
    assert_null(entry.function(PATIO_ABI_MAJOR + 1));
    return ops;
}

size_t option_at(const patio_option *const *table, const char *name)
{
    size_t i = 0;
    while (table[i] != NULL && strcmp(table[i]->name, name) != 0) {
        i++;
    }
    assert_non_null(table[i]);
    return i;
}
