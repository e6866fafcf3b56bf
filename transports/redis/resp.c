#include "resp.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

enum { BLOCK_BYTES = 16 * 1024, ITEMS_MAX = 1 << 20 };

typedef struct block {
    struct block *next;
    size_t        size;
    size_t        used;
    _Alignas(16) uint8_t data[];
} block;

struct resp_reader {
    const patio_host *host;
    redisReader      *parser; /* NULL: only holds a tree */
    block            *blocks;
    const resp       *last;
    size_t            max_bytes;
    const char       *problem;
};

static void *take(resp_reader *r, size_t size)
{
    size     = (size + 15) & ~(size_t)15;
    block *b = r->blocks;
    if (b == NULL || b->size - b->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        b           = r->host->alloc(r->host->self, sizeof(*b) + room);
        if (b == NULL) {
            return NULL;
        }
        b->next   = r->blocks;
        b->size   = room;
        b->used   = 0;
        r->blocks = b;
    }
    void *at = b->data + b->used;
    b->used += size;
    return at;
}

static void forget(resp_reader *r)
{
    block *keep = NULL;
    while (r->blocks != NULL) {
        block *b  = r->blocks;
        r->blocks = b->next;
        if (keep == NULL && b->size == BLOCK_BYTES && r->parser != NULL) {
            keep = b;
        } else {
            r->host->free(r->host->self, b);
        }
    }
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
        r->blocks  = keep;
    }
    r->last = NULL;
}

static resp *make(const redisReadTask *task)
{
    resp *n = take(task->privdata, sizeof(*n));
    if (n == NULL) {
        return NULL;
    }
    *n = (resp){.type = task->type};
    if (task->parent != NULL) {
        const resp *parent       = task->parent->obj;
        parent->items[task->idx] = n;
    }
    return n;
}

static void *make_string(const redisReadTask *task, char *text, size_t size)
{
    resp *n    = make(task);
    char *copy = n != NULL ? take(task->privdata, size + 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    n->text    = copy;
    n->size    = size;
    return n;
}

static void *make_array(const redisReadTask *task, int count)
{
    resp_reader *r = task->privdata;
    if (count < 0 || count > ITEMS_MAX) {
        r->problem = "an answer announces more elements than were asked for";
        return NULL;
    }
    resp *n = make(task);
    if (n == NULL) {
        return NULL;
    }
    if (count > 0) {
        n->items = take(r, (size_t)count * sizeof(n->items[0]));
        if (n->items == NULL) {
            return NULL;
        }
        memset(n->items, 0, (size_t)count * sizeof(n->items[0]));
    }
    n->count = (size_t)count;
    return n;
}

static void *make_integer(const redisReadTask *task, long long number)
{
    resp *n = make(task);
    if (n != NULL) {
        n->number = number;
    }
    return n;
}

static void *make_nil(const redisReadTask *task)
{
    return make(task);
}

static void free_nothing(void *tree)
{
    (void)tree; /* it lies in blocks */
}

static redisReplyObjectFunctions functions = {
    .createString  = make_string,
    .createArray   = make_array,
    .createInteger = make_integer,
    .createNil     = make_nil,
    .freeObject    = free_nothing,
};

resp_reader *resp_reader_new(const patio_host *host, size_t max_bytes)
{
    resp_reader *r = host->alloc(host->self, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    *r        = (resp_reader){.host = host, .max_bytes = max_bytes};
    r->parser = redisReaderCreateWithFunctions(&functions);
    if (r->parser == NULL) {
        host->free(host->self, r);
        return NULL;
    }
    r->parser->privdata = r;
    r->parser->maxbuf   = 1 << 20;
    return r;
}

void resp_reader_free(resp_reader *r)
{
    if (r == NULL) {
        return;
    }
    if (r->parser != NULL) {
        redisReaderFree(r->parser);
        r->parser = NULL;
    }
    forget(r);
    r->host->free(r->host->self, r);
}

bool resp_feed(resp_reader *r, const void *data, size_t size)
{
    if (r->parser->len - r->parser->pos + size > r->max_bytes) {
        r->problem = "an answer is longer than max_reply_bytes";
        return false;
    }
    return redisReaderFeed(r->parser, data, size) == REDIS_OK;
}

int resp_next(resp_reader *r, const resp **out)
{
    void *tree = NULL;
    if (r->last != NULL) {
        forget(r);
    }
    if (redisReaderGetReply(r->parser, &tree) != REDIS_OK) {
        return -1;
    }
    if (tree == NULL) {
        return 0;
    }
    r->last = tree;
    *out    = tree;
    return 1;
}

resp_reader *resp_detach(resp_reader *r)
{
    resp_reader *holder = r->host->alloc(r->host->self, sizeof(*holder));
    if (holder != NULL) {
        *holder   = (resp_reader){.host = r->host, .blocks = r->blocks, .last = r->last};
        r->blocks = NULL;
        r->last   = NULL;
    }
    return holder;
}

const char *resp_problem(const resp_reader *r)
{
    if (r->problem != NULL) {
        return r->problem;
    }
    return r->parser->errstr[0] != '\0' ? r->parser->errstr : "out of memory";
}

const resp *resp_at(const resp *r, size_t index)
{
    return r != NULL && index < r->count ? r->items[index] : NULL;
}

int64_t resp_number(const resp *r, int64_t otherwise)
{
    if (r == NULL) {
        return otherwise;
    }
    if (r->type == REDIS_REPLY_INTEGER) {
        return r->number;
    }
    if (r->text == NULL || r->size == 0) {
        return otherwise;
    }
    char     *end    = NULL;
    long long number = strtoll(r->text, &end, 10);
    return end == r->text + r->size ? number : otherwise;
}

bool resp_is(const resp *r, const char *text)
{
    return r != NULL && r->text != NULL && r->size == strlen(text) &&
           memcmp(r->text, text, r->size) == 0;
}

bool resp_error(const resp *r)
{
    return r != NULL && r->type == REDIS_REPLY_ERROR;
}

bool bytes_reserve(const patio_host *host, bytes *b, size_t more)
{
    if (b->room - b->size >= more) {
        return true;
    }
    size_t room = b->room != 0 ? b->room : 4096;
    while (room - b->size < more) {
        if (room > SIZE_MAX / 2) {
            return false;
        }
        room *= 2;
    }
    uint8_t *data = host->resize(host->self, b->data, room);
    if (data == NULL) {
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

bool bytes_add(const patio_host *host, bytes *b, const void *data, size_t size)
{
    if (!bytes_reserve(host, b, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
        b->size += size;
    }
    return true;
}

void bytes_fini(const patio_host *host, bytes *b)
{
    host->free(host->self, b->data);
    *b = (bytes){NULL, 0, 0};
}
