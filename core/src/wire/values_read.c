/* Columns as trees of values: proto/patio/v1/values.proto. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "wire/kinds.h"
#include "wire/payload.h"
#include "wire/read.h"

typedef struct reader {
    const Patio__V1__Values *in;
    columns                  used;
    patio_value             *free; /* values not given out yet: as many as there are kinds */
    size_t                   left;
    pt_arena                *arena;
    patio_error             *err;
} reader;

static patio_status broken(reader *r, const char *column)
{
    return pt_fail(r->err, PATIO_PROTOCOL, "values", "%s end early", column);
}

static patio_status read_items(reader *r, uint64_t items, bool keys, unsigned depth,
                               const patio_value **out);

/* Bytes stay where they lie in the message; text moves, for it gets a NUL behind it. */
static patio_status read_blob(reader *r, bool text, patio_value *out)
{
    if (r->used.blobs >= r->in->n_blobs) {
        return broken(r, "blobs");
    }
    const ProtobufCBinaryData *b = &r->in->blobs[r->used.blobs++];
    if (!text) {
        *out = patio_blob(b->data, b->len);
        return PATIO_OK;
    }
    const char *from = b->len > 0 ? (const char *)b->data : "";
    if (!pt_is_utf8(from, b->len)) {
        return pt_fail(r->err, PATIO_PROTOCOL, "values", "text of %zu bytes is not UTF-8", b->len);
    }
    char *copy = pt_arena_alloc(r->arena, b->len + 1);
    if (copy == NULL) {
        return pt_arena_fail(r->arena, "values", "decoding", r->err);
    }
    memcpy(copy, from, b->len);
    copy[b->len] = '\0';
    *out         = patio_string_n(copy, b->len);
    return PATIO_OK;
}

static patio_status read_list(reader *r, bool map, unsigned depth, patio_value *out)
{
    if (r->used.sizes >= r->in->n_sizes) {
        return broken(r, "sizes");
    }
    uint32_t size = r->in->sizes[r->used.sizes++];
    *out          = map ? patio_map(NULL, size) : patio_list(NULL, size);
    return read_items(r, map ? 2 * (uint64_t)size : size, map, depth + 1, &out->as.items);
}

static patio_status read_value(reader *r, unsigned depth, patio_value *out)
{
    const Patio__V1__Values *in = r->in;
    if (r->used.kinds >= in->kinds.len) {
        return broken(r, "values");
    }
    uint8_t kind = in->kinds.data[r->used.kinds++];
    switch (kind) {
    case KIND_NULL:
        *out = patio_null();
        return PATIO_OK;
    case KIND_FALSE:
    case KIND_TRUE:
        *out = patio_bool(kind == KIND_TRUE);
        return PATIO_OK;
    case KIND_INT:
        if (r->used.ints >= in->n_ints) {
            return broken(r, "ints");
        }
        *out = patio_int(in->ints[r->used.ints++]);
        return PATIO_OK;
    case KIND_UINT:
        if (r->used.uints >= in->n_uints) {
            return broken(r, "uints");
        }
        *out = patio_uint(in->uints[r->used.uints++]);
        return PATIO_OK;
    case KIND_REAL:
        if (r->used.reals >= in->n_reals) {
            return broken(r, "reals");
        }
        *out = patio_double(in->reals[r->used.reals++]);
        return PATIO_OK;
    case KIND_TEXT:
    case KIND_BLOB:
        return read_blob(r, kind == KIND_TEXT, out);
    case KIND_LIST:
    case KIND_MAP:
        return read_list(r, kind == KIND_MAP, depth, out);
    default:
        return pt_fail(r->err, PATIO_PROTOCOL, "values", "value of unknown kind %u", kind);
    }
}

static patio_status read_items(reader *r, uint64_t items, bool keys, unsigned depth,
                               const patio_value **out)
{
    if (depth > PATIO_VALUE_DEPTH_MAX) {
        return pt_fail(r->err, PATIO_PROTOCOL, "values", "lists and maps nest deeper than %u",
                       PATIO_VALUE_DEPTH_MAX);
    }
    if (items > r->left) {
        return pt_fail(r->err, PATIO_PROTOCOL, "values",
                       "%llu values are promised where %zu are left", (unsigned long long)items,
                       r->left);
    }
    *out = NULL;
    if (items == 0) {
        return PATIO_OK;
    }
    patio_value *values = r->free;
    r->free += items;
    r->left -= (size_t)items;
    for (size_t i = 0; i < items; i++) {
        patio_status st = read_value(r, depth, &values[i]);
        if (st != PATIO_OK) {
            return st;
        }
        if (keys && i % 2 == 0 && values[i].type != PATIO_TYPE_STRING) {
            return pt_fail(r->err, PATIO_PROTOCOL, "values", "a map has a key that is not text");
        }
    }
    *out = values;
    return PATIO_OK;
}

static bool all_used(const reader *r)
{
    const Patio__V1__Values *in = r->in;
    return r->used.kinds == in->kinds.len && r->used.ints == in->n_ints &&
           r->used.uints == in->n_uints && r->used.reals == in->n_reals &&
           r->used.blobs == in->n_blobs && r->used.sizes == in->n_sizes;
}

static patio_status read_tree(reader *r, pt_values *out)
{
    pt_values    v  = {.count = r->in->positional, .keywords = patio_map(NULL, r->in->keyword)};
    patio_status st = read_items(r, v.count, false, 0, &v.positional);
    if (st == PATIO_OK && v.keywords.size > 0) {
        /* a map like any other: it counts for the depth, as when it is written */
        st = read_items(r, 2 * (uint64_t)v.keywords.size, true, 1, &v.keywords.as.items);
    }
    if (st == PATIO_OK && !all_used(r)) {
        st = pt_fail(r->err, PATIO_PROTOCOL, "values", "some values belong to nothing");
    }
    if (st == PATIO_OK) {
        *out = v;
    }
    return st;
}

patio_status pt_decode_values(pt_arena *arena, patio_bytes bytes, pt_values *out, patio_error *err)
{
    Patio__V1__Values        plain;
    const Patio__V1__Values *in = &plain;
    arena->failed               = PATIO_OK;
    if (!pt_read_values(arena, bytes, &plain)) {
        if (arena->failed != PATIO_OK) {
            return pt_arena_fail(arena, "values", "decoding", err);
        }
        ProtobufCMessage *message = NULL;
        patio_status      st =
            pt_unpack(arena, &patio__v1__values__descriptor, bytes, "values", &message, err);
        if (st != PATIO_OK) {
            return st;
        }
        in = (const Patio__V1__Values *)(const void *)message;
    }
    reader r = {.in = in, .left = in->kinds.len, .arena = arena, .err = err};
    if (r.left > SIZE_MAX / sizeof(*r.free)) {
        return pt_fail(err, PATIO_TOO_LARGE, "values", "%zu values are too many", r.left);
    }
    if (r.left > 0) {
        r.free = pt_arena_alloc(arena, r.left * sizeof(*r.free));
        if (r.free == NULL) {
            return pt_arena_fail(arena, "values", "decoding", err);
        }
    }
    return read_tree(&r, out);
}
