#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pt_text_init(pt_text *text, const patio_allocator *mem, size_t max_bytes)
{
    *text = (pt_text){.mem = mem, .max_bytes = max_bytes};
}

void pt_text_fini(pt_text *text)
{
    pt_free(text->mem, text->data);
    *text = (pt_text){.mem = text->mem, .max_bytes = text->max_bytes};
}

static bool grow(pt_text *text, size_t more)
{
    if (text->failed || more > text->max_bytes - text->size) {
        text->failed = true;
        return false;
    }
    size_t need = text->size + more + 1;
    if (need <= text->room) {
        return true;
    }
    size_t room = text->room != 0 ? text->room * 2 : 64;
    if (room < need) {
        room = need;
    }
    char *data = pt_resize(text->mem, text->data, room);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->room = room;
    return true;
}

void pt_text_add(pt_text *text, const char *data, size_t size)
{
    if (!grow(text, size)) {
        return;
    }
    if (size > 0) {
        memcpy(text->data + text->size, data, size);
    }
    text->size += size;
    text->data[text->size] = '\0';
}

void pt_text_printf(pt_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) {
        text->failed = true;
    } else if (grow(text, (size_t)size)) {
        (void)vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
}

enum { NEAR_MAX = 64 }; /* names beyond that get no suggestion */

static unsigned min2(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
    size_t   size_a = strnlen(a, NEAR_MAX);
    size_t   size_b = strnlen(b, NEAR_MAX);
    unsigned rows[3][NEAR_MAX + 1];
    for (unsigned j = 0; j <= size_b; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= size_a; i++) {
        unsigned *row   = rows[i % 3];
        unsigned *above = rows[(i + 2) % 3];
        unsigned *twice = rows[(i + 1) % 3];
        row[0]          = i;
        for (unsigned j = 1; j <= size_b; j++) {
            unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j]        = min2(min2(row[j - 1], above[j]) + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min2(row[j], twice[j - 2] + 1);
            }
        }
    }
    return rows[size_a % 3][size_b];
}

void pt_near_init(pt_near *near, const char *wanted)
{
    size_t size    = strlen(wanted);
    near->wanted   = wanted;
    near->best     = NULL;
    near->distance = size < 3 ? 1 : min2((unsigned)(size / 3), 3);
    near->distance += 1; /* "strictly better than" below */
}

void pt_near_try(pt_near *near, const char *candidate)
{
    if (strlen(near->wanted) >= NEAR_MAX || strlen(candidate) >= NEAR_MAX) {
        return;
    }
    unsigned d = distance(near->wanted, candidate);
    if (d < near->distance) {
        near->distance = d;
        near->best     = candidate;
    }
}

bool pt_is_plain_name(const char *name, size_t max)
{
    size_t size = 0;
    for (; name[size] != '\0'; size++) {
        char c  = name[size];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok || size >= max) {
            return false;
        }
    }
    return size > 0;
}

/* Any of 00 to 1f, or 7f? Eight at a time: a borrow comes only from a byte that is one. */
static bool has_control(const char *text, size_t size)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones << 7;
    size_t         i    = 0;
    for (uint64_t eight = 0; size - i >= sizeof(eight); i += sizeof(eight)) {
        memcpy(&eight, text + i, sizeof(eight));
        uint64_t del = eight ^ (ones * 0x7f);
        if ((((eight - ones * 0x20) & ~eight) | ((del - ones) & ~del)) & tops) {
            return true;
        }
    }
    while (i < size && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f) {
        i++;
    }
    return i < size;
}

bool pt_is_task_name(const char *name)
{
    size_t size = 0;
    while (size < 256 && name[size] > ' ' && name[size] < 0x7f) {
        size++; /* nearly all names */
    }
    if (size > 0 && size <= 255 && name[size] == '\0') {
        return true;
    }
    size = strnlen(name, 256);
    return size > 0 && size <= 255 && !has_control(name, size) && pt_is_utf8(name, size);
}

/* How many continuation bytes follow a first byte, and the range of the first of them; table 3-7 of
 * the Unicode Standard, chapter 3. */
static int utf8_follow(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low  = 0x80;
    *high = 0xbf;
    if (first < 0x80) {
        return 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 1;
    }
    if (first >= 0xe0 && first <= 0xef) {
        *low  = first == 0xe0 ? 0xa0 : 0x80;
        *high = first == 0xed ? 0x9f : 0xbf;
        return 2;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *low  = first == 0xf0 ? 0x90 : 0x80;
        *high = first == 0xf4 ? 0x8f : 0xbf;
        return 3;
    }
    return -1;
}

/* Eight bytes below 0x80 at once: most text is nothing else. */
static bool is_ascii(const unsigned char *p)
{
    uint64_t eight = 0;
    memcpy(&eight, p, sizeof(eight));
    return (eight & UINT64_C(0x8080808080808080)) == 0;
}

size_t pt_utf8_prefix(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t               i = 0;
    while (i < size) {
        while (size - i >= 8 && is_ascii(p + i)) {
            i += 8;
        }
        while (i < size && p[i] < 0x80) {
            i++;
        }
        if (i == size) {
            break;
        }
        unsigned char low    = 0;
        unsigned char high   = 0;
        int           follow = utf8_follow(p[i], &low, &high);
        if (follow < 0 || (size_t)follow >= size - i) {
            return i;
        }
        for (int k = 1; k <= follow; k++) {
            if (p[i + (size_t)k] < low || p[i + (size_t)k] > high) {
                return i;
            }
            low  = 0x80;
            high = 0xbf;
        }
        i += (size_t)follow + 1;
    }
    return size;
}

bool pt_is_utf8(const char *text, size_t size)
{
    return pt_utf8_prefix(text, size) == size;
}

void pt_text_cut(char *out, size_t room, const char *text)
{
    size_t size = pt_utf8_prefix(text, strnlen(text, room - 1));
    memcpy(out, text, size);
    out[size] = '\0';
}
