/* patio/value.h: typed values, and the payload of a call or a result.
 *
 * A value is a small struct that borrows what it points to. Write one down with PATIO_VALUE(x),
 * PATIO_LIST(…), PATIO_MAP(…); read it through its members or through patio_value_get_…
 * Values that the library hands out stay valid as long as the thing they came from (a context, a
 * future). All functions here: any thread, never block.
 */
#ifndef PATIO_VALUE_H
#define PATIO_VALUE_H

#include <stdbool.h>
#include <string.h>

#include <patio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PATIO_TYPE_NULL   = 0,
    PATIO_TYPE_BOOL   = 1,
    PATIO_TYPE_INT64  = 2,
    PATIO_TYPE_UINT64 = 3,
    PATIO_TYPE_DOUBLE = 4,
    PATIO_TYPE_STRING = 5, /* UTF-8; may hold NUL characters; ends in a NUL that size leaves out */
    PATIO_TYPE_BYTES  = 6,
    PATIO_TYPE_LIST   = 7,
    PATIO_TYPE_MAP    = 8, /* pairs in order; keys are strings, each once */
};

/* Deepest nesting of lists and maps; deeper values are refused when encoded and when decoded. */
#define PATIO_VALUE_DEPTH_MAX 32u

typedef struct patio_value {
    uint32_t type; /* PATIO_TYPE_… */
    uint32_t reserved;
    size_t   size; /* STRING, BYTES: bytes; LIST: items; MAP: pairs; others 0 */
    union {
        bool                      boolean;
        int64_t                   i64;
        uint64_t                  u64;
        double                    f64;
        const char               *string;
        const uint8_t            *bytes;
        const struct patio_value *items; /* LIST: size values; MAP: 2 * size: key, value, key … */
    } as;
} patio_value;

static inline patio_value patio_null(void)
{
    patio_value v;
    memset(&v, 0, sizeof(v));
    return v;
}
static inline patio_value patio_bool(bool boolean)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_BOOL;
    v.as.boolean  = boolean;
    return v;
}
static inline patio_value patio_int(int64_t i64)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_INT64;
    v.as.i64      = i64;
    return v;
}
static inline patio_value patio_uint(uint64_t u64)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_UINT64;
    v.as.u64      = u64;
    return v;
}
static inline patio_value patio_double(double f64)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_DOUBLE;
    v.as.f64      = f64;
    return v;
}
static inline patio_value patio_string_n(const char *utf8, size_t size)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_STRING;
    v.size        = size;
    v.as.string   = utf8;
    return v;
}
/* A NULL pointer becomes the null value. */
static inline patio_value patio_string(const char *utf8)
{
    return utf8 == NULL ? patio_null() : patio_string_n(utf8, strlen(utf8));
}
static inline patio_value patio_blob(const void *data, size_t size)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_BYTES;
    v.size        = size;
    v.as.bytes    = (const uint8_t *)data;
    return v;
}
static inline patio_value patio_list(const patio_value *items, size_t count)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_LIST;
    v.size        = count;
    v.as.items    = items;
    return v;
}
/* items: key, value, key, value …; 2 * pairs of them. */
static inline patio_value patio_map(const patio_value *items, size_t pairs)
{
    patio_value v = patio_null();
    v.type        = PATIO_TYPE_MAP;
    v.size        = pairs;
    v.as.items    = items;
    return v;
}

/* Read with a check. PATIO_TYPE if v is NULL or of another type; then *out is untouched. Numbers
 * convert where nothing is lost (5u reads as int64 5; 5 reads as double 5.0), else PATIO_TYPE. */
PATIO_API PATIO_CHECKED patio_status patio_value_get_bool(const patio_value *v, bool *out);
PATIO_API PATIO_CHECKED patio_status patio_value_get_int64(const patio_value *v, int64_t *out);
PATIO_API PATIO_CHECKED patio_status patio_value_get_uint64(const patio_value *v, uint64_t *out);
PATIO_API PATIO_CHECKED patio_status patio_value_get_double(const patio_value *v, double *out);
/* *out borrows from v and is NUL-terminated when v came from the library. A string may hold NUL
 * characters: v->size is its true length. */
PATIO_API PATIO_CHECKED patio_status patio_value_get_string(const patio_value *v, const char **out);
PATIO_API PATIO_CHECKED patio_status patio_value_get_bytes(const patio_value *v, patio_bytes *out);

/* Item i of a list; value of a key of a map. NULL if v is not one or has no such item. */
PATIO_API const patio_value *patio_value_at(const patio_value *v, size_t i);
PATIO_API const patio_value *patio_value_key(const patio_value *v, const char *key);
/* Same type and content; numbers of different types are different, NaN equals NaN, and maps have
 * the same pairs in the same order. Values deeper than PATIO_VALUE_DEPTH_MAX equal nothing. */
PATIO_API bool patio_value_equal(const patio_value *a, const patio_value *b);
/* "int64", "map" …; never NULL. */
PATIO_API const char *patio_type_name(uint32_t type);

/* What a call carries to the task, and a result back. */
enum {
    PATIO_PAYLOAD_VALUES   = 1, /* positional and keyword values */
    PATIO_PAYLOAD_PROTOBUF = 2, /* one protobuf message of the user's own; its type name travels */
    PATIO_PAYLOAD_RAW      = 3, /* bytes with a content type */
};

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

/* Borrowed for the call it is passed in. Built by the macros below, or by hand. */
typedef struct patio_payload {
    uint32_t                       struct_size;
    uint32_t                       kind; /* PATIO_PAYLOAD_… */
    const patio_value             *values;
    size_t                         value_count;
    const patio_value             *keywords;      /* name, value, name, value … */
    size_t                         keyword_count; /* pairs */
    const struct ProtobufCMessage *message;
    patio_bytes                    raw;
    const char                    *content_type; /* RAW: NULL means application/octet-stream */
} patio_payload;

#ifdef __cplusplus
}
#else

/* ---- writing values down, C only ------------------------------------------------------------ */

static inline patio_value patio_value_same(patio_value v)
{
    return v;
}

/* Laid out by hand from here on: lists of cases and of numbers. */
/* clang-format off */

/* A value from whatever x is. Mind that C's `true` is an int: write patio_bool(true). */
#define PATIO_VALUE(x)                          \
    _Generic((x),                               \
        bool: patio_bool,                       \
        char: patio_int,                        \
        signed char: patio_int,                 \
        short: patio_int,                       \
        int: patio_int,                         \
        long: patio_int,                        \
        long long: patio_int,                   \
        unsigned char: patio_uint,              \
        unsigned short: patio_uint,             \
        unsigned: patio_uint,                   \
        unsigned long: patio_uint,              \
        unsigned long long: patio_uint,         \
        float: patio_double,                    \
        double: patio_double,                   \
        char *: patio_string,                   \
        const char *: patio_string,             \
        patio_value: patio_value_same)(x)

/* PATIO_VALUES(a, b, …): an array of values, and PATIO_COUNT(a, b, …): how many; up to 32. */
#define PATIO_VALUES(...) ((const patio_value[]){PATIO_EACH_(PATIO_VALUE_, __VA_ARGS__)})
#define PATIO_VALUE_(x)   PATIO_VALUE(x),
#define PATIO_COUNT(...)                                                                          \
    PATIO_PICK_(__VA_ARGS__, 32u, 31u, 30u, 29u, 28u, 27u, 26u, 25u, 24u, 23u, 22u, 21u, 20u,     \
                19u, 18u, 17u, 16u, 15u, 14u, 13u, 12u, 11u, 10u, 9u, 8u, 7u, 6u, 5u, 4u, 3u, 2u, \
                1u, 0u)
/* How many pairs. An odd number of arguments does not compile: nobody declares
 * PATIO_ODD_ARGUMENTS. */
#define PATIO_PAIRS_(...)                                                                         \
    PATIO_PICK_(__VA_ARGS__, 16u, PATIO_ODD_ARGUMENTS, 15u, PATIO_ODD_ARGUMENTS, 14u,             \
                PATIO_ODD_ARGUMENTS, 13u, PATIO_ODD_ARGUMENTS, 12u, PATIO_ODD_ARGUMENTS, 11u,     \
                PATIO_ODD_ARGUMENTS, 10u, PATIO_ODD_ARGUMENTS, 9u, PATIO_ODD_ARGUMENTS, 8u,       \
                PATIO_ODD_ARGUMENTS, 7u, PATIO_ODD_ARGUMENTS, 6u, PATIO_ODD_ARGUMENTS, 5u,        \
                PATIO_ODD_ARGUMENTS, 4u, PATIO_ODD_ARGUMENTS, 3u, PATIO_ODD_ARGUMENTS, 2u,        \
                PATIO_ODD_ARGUMENTS, 1u, PATIO_ODD_ARGUMENTS, 0u)

/* PATIO_LIST(1, "two", 3.0) and PATIO_MAP("width", 128, "name", "x"); they live to the end of the
 * enclosing block. */
#define PATIO_LIST(...) patio_list(PATIO_VALUES(__VA_ARGS__), PATIO_COUNT(__VA_ARGS__))
#define PATIO_MAP(...)  patio_map(PATIO_VALUES(__VA_ARGS__), PATIO_PAIRS_(__VA_ARGS__))

/* Payloads, for patio_call and its kin. No arguments at all: PATIO_NO_ARGS.
 *     PATIO_ARGS(1, 2, 3)
 *     PATIO_KW("width", 128)
 *     PATIO_ARGS_KW((image), ("width", 128, "mode", "fit"))
 *     PATIO_RAW("image/png", data, size)
 *     PATIO_PROTOBUF(&resize_request)                                                          */
#define PATIO_NO_ARGS ((const patio_payload *)NULL)
#define PATIO_ARGS(...)                                                          \
    (&(const patio_payload){PATIO_SIZED(patio_payload),                          \
                            .kind        = PATIO_PAYLOAD_VALUES,                 \
                            .values      = PATIO_VALUES(__VA_ARGS__),            \
                            .value_count = PATIO_COUNT(__VA_ARGS__)})
#define PATIO_KW(...)                                                            \
    (&(const patio_payload){PATIO_SIZED(patio_payload),                          \
                            .kind          = PATIO_PAYLOAD_VALUES,               \
                            .keywords      = PATIO_VALUES(__VA_ARGS__),          \
                            .keyword_count = PATIO_PAIRS_(__VA_ARGS__)})
#define PATIO_ARGS_KW(args, keywords_)                                           \
    (&(const patio_payload){PATIO_SIZED(patio_payload),                          \
                            .kind          = PATIO_PAYLOAD_VALUES,               \
                            .values        = PATIO_VALUES args,                  \
                            .value_count   = PATIO_COUNT args,                   \
                            .keywords      = PATIO_VALUES keywords_,             \
                            .keyword_count = PATIO_PAIRS_ keywords_})
#define PATIO_RAW(type_, data_, size_)                                           \
    (&(const patio_payload){PATIO_SIZED(patio_payload),                          \
                            .kind         = PATIO_PAYLOAD_RAW,                   \
                            .raw          = {(const uint8_t *)(data_), (size_)}, \
                            .content_type = (type_)})
#define PATIO_PROTOBUF(message_)                                                 \
    (&(const patio_payload){PATIO_SIZED(patio_payload),                          \
                            .kind    = PATIO_PAYLOAD_PROTOBUF,                   \
                            .message = &(message_)->base})

/* Apply a macro to up to 32 arguments. */
#define PATIO_EACH_(m, ...)                                                                       \
    PATIO_PICK_(__VA_ARGS__, PATIO_E32_, PATIO_E31_, PATIO_E30_, PATIO_E29_, PATIO_E28_,          \
                PATIO_E27_, PATIO_E26_, PATIO_E25_, PATIO_E24_, PATIO_E23_, PATIO_E22_,           \
                PATIO_E21_, PATIO_E20_, PATIO_E19_, PATIO_E18_, PATIO_E17_, PATIO_E16_,           \
                PATIO_E15_, PATIO_E14_, PATIO_E13_, PATIO_E12_, PATIO_E11_, PATIO_E10_,           \
                PATIO_E9_, PATIO_E8_, PATIO_E7_, PATIO_E6_, PATIO_E5_, PATIO_E4_, PATIO_E3_,      \
                PATIO_E2_, PATIO_E1_, 0)                                                          \
    (m, __VA_ARGS__)
#define PATIO_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17,   \
                    a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, n, \
                    ...)                                                                          \
    n
#define PATIO_E1_(m, a)       m(a)
#define PATIO_E2_(m, a, ...) m(a) PATIO_E1_(m, __VA_ARGS__)
#define PATIO_E3_(m, a, ...) m(a) PATIO_E2_(m, __VA_ARGS__)
#define PATIO_E4_(m, a, ...) m(a) PATIO_E3_(m, __VA_ARGS__)
#define PATIO_E5_(m, a, ...) m(a) PATIO_E4_(m, __VA_ARGS__)
#define PATIO_E6_(m, a, ...) m(a) PATIO_E5_(m, __VA_ARGS__)
#define PATIO_E7_(m, a, ...) m(a) PATIO_E6_(m, __VA_ARGS__)
#define PATIO_E8_(m, a, ...) m(a) PATIO_E7_(m, __VA_ARGS__)
#define PATIO_E9_(m, a, ...) m(a) PATIO_E8_(m, __VA_ARGS__)
#define PATIO_E10_(m, a, ...) m(a) PATIO_E9_(m, __VA_ARGS__)
#define PATIO_E11_(m, a, ...) m(a) PATIO_E10_(m, __VA_ARGS__)
#define PATIO_E12_(m, a, ...) m(a) PATIO_E11_(m, __VA_ARGS__)
#define PATIO_E13_(m, a, ...) m(a) PATIO_E12_(m, __VA_ARGS__)
#define PATIO_E14_(m, a, ...) m(a) PATIO_E13_(m, __VA_ARGS__)
#define PATIO_E15_(m, a, ...) m(a) PATIO_E14_(m, __VA_ARGS__)
#define PATIO_E16_(m, a, ...) m(a) PATIO_E15_(m, __VA_ARGS__)
#define PATIO_E17_(m, a, ...) m(a) PATIO_E16_(m, __VA_ARGS__)
#define PATIO_E18_(m, a, ...) m(a) PATIO_E17_(m, __VA_ARGS__)
#define PATIO_E19_(m, a, ...) m(a) PATIO_E18_(m, __VA_ARGS__)
#define PATIO_E20_(m, a, ...) m(a) PATIO_E19_(m, __VA_ARGS__)
#define PATIO_E21_(m, a, ...) m(a) PATIO_E20_(m, __VA_ARGS__)
#define PATIO_E22_(m, a, ...) m(a) PATIO_E21_(m, __VA_ARGS__)
#define PATIO_E23_(m, a, ...) m(a) PATIO_E22_(m, __VA_ARGS__)
#define PATIO_E24_(m, a, ...) m(a) PATIO_E23_(m, __VA_ARGS__)
#define PATIO_E25_(m, a, ...) m(a) PATIO_E24_(m, __VA_ARGS__)
#define PATIO_E26_(m, a, ...) m(a) PATIO_E25_(m, __VA_ARGS__)
#define PATIO_E27_(m, a, ...) m(a) PATIO_E26_(m, __VA_ARGS__)
#define PATIO_E28_(m, a, ...) m(a) PATIO_E27_(m, __VA_ARGS__)
#define PATIO_E29_(m, a, ...) m(a) PATIO_E28_(m, __VA_ARGS__)
#define PATIO_E30_(m, a, ...) m(a) PATIO_E29_(m, __VA_ARGS__)
#define PATIO_E31_(m, a, ...) m(a) PATIO_E30_(m, __VA_ARGS__)
#define PATIO_E32_(m, a, ...) m(a) PATIO_E31_(m, __VA_ARGS__)

/* clang-format on */

#endif /* __cplusplus */
#endif
