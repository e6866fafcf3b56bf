#include <patio/value.h>

#include <math.h>

enum { DOUBLE_BITS = 53 }; /* of a double's significand: integers up to there are exact */

patio_status patio_value_get_bool(const patio_value *v, bool *out)
{
    if (v == NULL || v->type != PATIO_TYPE_BOOL) {
        return PATIO_TYPE;
    }
    *out = v->as.boolean;
    return PATIO_OK;
}

patio_status patio_value_get_int64(const patio_value *v, int64_t *out)
{
    if (v != NULL && v->type == PATIO_TYPE_INT64) {
        *out = v->as.i64;
        return PATIO_OK;
    }
    if (v != NULL && v->type == PATIO_TYPE_UINT64 && v->as.u64 <= INT64_MAX) {
        *out = (int64_t)v->as.u64;
        return PATIO_OK;
    }
    return PATIO_TYPE;
}

patio_status patio_value_get_uint64(const patio_value *v, uint64_t *out)
{
    if (v != NULL && v->type == PATIO_TYPE_UINT64) {
        *out = v->as.u64;
        return PATIO_OK;
    }
    if (v != NULL && v->type == PATIO_TYPE_INT64 && v->as.i64 >= 0) {
        *out = (uint64_t)v->as.i64;
        return PATIO_OK;
    }
    return PATIO_TYPE;
}

/* Casting there and back would overflow near the borders; counting the significant bits cannot. */
static bool fits_double(uint64_t magnitude)
{
    return magnitude == 0 || magnitude >> __builtin_ctzll(magnitude) < (UINT64_C(1) << DOUBLE_BITS);
}

patio_status patio_value_get_double(const patio_value *v, double *out)
{
    if (v == NULL) {
        return PATIO_TYPE;
    }
    if (v->type == PATIO_TYPE_DOUBLE) {
        *out = v->as.f64;
        return PATIO_OK;
    }
    if (v->type == PATIO_TYPE_UINT64 && fits_double(v->as.u64)) {
        *out = (double)v->as.u64;
        return PATIO_OK;
    }
    if (v->type == PATIO_TYPE_INT64) {
        uint64_t bits = (uint64_t)v->as.i64;
        if (fits_double(v->as.i64 < 0 ? 0 - bits : bits)) {
            *out = (double)v->as.i64;
            return PATIO_OK;
        }
    }
    return PATIO_TYPE;
}

patio_status patio_value_get_string(const patio_value *v, const char **out)
{
    if (v == NULL || v->type != PATIO_TYPE_STRING) {
        return PATIO_TYPE;
    }
    *out = v->as.string != NULL ? v->as.string : "";
    return PATIO_OK;
}

patio_status patio_value_get_bytes(const patio_value *v, patio_bytes *out)
{
    if (v == NULL || v->type != PATIO_TYPE_BYTES) {
        return PATIO_TYPE;
    }
    *out = (patio_bytes){.data = v->as.bytes, .size = v->size};
    return PATIO_OK;
}

const patio_value *patio_value_at(const patio_value *v, size_t i)
{
    if (v == NULL || v->type != PATIO_TYPE_LIST || i >= v->size) {
        return NULL;
    }
    return &v->as.items[i];
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

const patio_value *patio_value_key(const patio_value *v, const char *key)
{
    if (v == NULL || v->type != PATIO_TYPE_MAP || key == NULL) {
        return NULL;
    }
    size_t size = strlen(key);
    for (size_t i = 0; i < v->size; i++) {
        const patio_value *name = &v->as.items[2 * i];
        /* sizes first: a key may hold NUL characters, and then equals no C string */
        if (name->type == PATIO_TYPE_STRING && name->size == size &&
            same_bytes(name->as.string, key, size)) {
            return &v->as.items[2 * i + 1];
        }
    }
    return NULL;
}

static bool is_container(const patio_value *v)
{
    return v->type == PATIO_TYPE_LIST || v->type == PATIO_TYPE_MAP;
}

/* Equal but for the items of lists and maps. */
static bool same_head(const patio_value *a, const patio_value *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case PATIO_TYPE_NULL:
        return true;
    case PATIO_TYPE_BOOL:
        return a->as.boolean == b->as.boolean;
    case PATIO_TYPE_INT64:
        return a->as.i64 == b->as.i64;
    case PATIO_TYPE_UINT64:
        return a->as.u64 == b->as.u64;
    case PATIO_TYPE_DOUBLE:
        return a->as.f64 == b->as.f64 || (isnan(a->as.f64) && isnan(b->as.f64));
    case PATIO_TYPE_STRING:
        return a->size == b->size && same_bytes(a->as.string, b->as.string, a->size);
    case PATIO_TYPE_BYTES:
        return a->size == b->size && same_bytes(a->as.bytes, b->as.bytes, a->size);
    case PATIO_TYPE_LIST:
    case PATIO_TYPE_MAP:
        return a->size == b->size;
    default:
        return false;
    }
}

/* Two containers of the same kind and size that are being compared. */
typedef struct level {
    const patio_value *a;
    const patio_value *b;
    size_t             left;
} level;

static level enter(const patio_value *a, const patio_value *b)
{
    size_t values = a->type == PATIO_TYPE_MAP ? 2 * a->size : a->size;
    return (level){.a = a->as.items, .b = b->as.items, .left = values};
}

bool patio_value_equal(const patio_value *a, const patio_value *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    if (!same_head(a, b)) {
        return false;
    }
    /* a stack of our own: values may come from the network, the C stack is not theirs to fill */
    level    levels[PATIO_VALUE_DEPTH_MAX];
    unsigned depth = 0;
    if (is_container(a)) {
        levels[depth++] = enter(a, b);
    }
    while (depth > 0) {
        level *top = &levels[depth - 1];
        if (top->left == 0) {
            depth--;
            continue;
        }
        a = top->a++;
        b = top->b++;
        top->left--;
        if (!same_head(a, b)) {
            return false;
        }
        if (is_container(a)) {
            if (depth == PATIO_VALUE_DEPTH_MAX) {
                return false;
            }
            levels[depth++] = enter(a, b);
        }
    }
    return true;
}

const char *patio_type_name(uint32_t type)
{
    static const char *const names[] = {
        [PATIO_TYPE_NULL] = "null",     [PATIO_TYPE_BOOL] = "bool",
        [PATIO_TYPE_INT64] = "int64",   [PATIO_TYPE_UINT64] = "uint64",
        [PATIO_TYPE_DOUBLE] = "double", [PATIO_TYPE_STRING] = "string",
        [PATIO_TYPE_BYTES] = "bytes",   [PATIO_TYPE_LIST] = "list",
        [PATIO_TYPE_MAP] = "map",
    };
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}
