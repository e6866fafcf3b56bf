#include "command.h"

void texts_init(texts *t, const patio_host *host)
{
    *t = (texts){.host = host};
}

void texts_fini(texts *t)
{
    t->host->free(t->host->self, t->data);
    t->host->free(t->host->self, t->starts);
    texts_init(t, t->host);
}

void texts_reset(texts *t)
{
    t->size   = 0;
    t->count  = 0;
    t->failed = false;
}

static bool reserve(texts *t, size_t more)
{
    if (t->failed || more > SIZE_MAX / 4 - t->size) {
        t->failed = true;
        return false;
    }
    if (t->size + more > t->room) {
        size_t room  = 2 * (t->size + more) + 256;
        char  *grown = t->host->resize(t->host->self, t->data, room);
        if (grown == NULL) {
            t->failed = true;
            return false;
        }
        t->data = grown;
        t->room = room;
    }
    return true;
}

void texts_begin(texts *t)
{
    if (t->count == t->start_room) {
        size_t  room  = 2 * t->start_room + 32;
        size_t *grown = t->host->resize(t->host->self, t->starts, room * sizeof(*grown));
        if (grown == NULL) {
            t->failed = true;
            return;
        }
        t->starts     = grown;
        t->start_room = room;
    }
    t->starts[t->count++] = t->size;
}

void texts_add(texts *t, const char *data, size_t size)
{
    if (size > 0 && reserve(t, size)) {
        memcpy(t->data + t->size, data, size);
        t->size += size;
    }
}

void texts_end(texts *t)
{
    if (reserve(t, 1)) {
        t->data[t->size++] = '\0';
    }
}

void texts_put(texts *t, const char *text)
{
    texts_begin(t);
    texts_add(t, text, strlen(text));
    texts_end(t);
}

void texts_printf(texts *t, const char *format, ...)
{
    char    text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    texts_put(t, text);
}

char **texts_pointers(const texts *t, size_t first, size_t count)
{
    char **out = t->failed ? NULL : t->host->alloc(t->host->self, (count + 1) * sizeof(*out));
    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = t->data + t->starts[first + i];
    }
    out[count] = NULL;
    return out;
}
