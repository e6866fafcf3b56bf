/* wire_fuzz.h: what the fuzz targets of the wire share: an arena whose heap use is checked against
 * its budget, and payloads that are encoded again. */
#ifndef WIRE_FUZZ_H
#define WIRE_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "counted_alloc.h"
#include "wire/envelope.h"

enum { FUZZ_BUDGET = 1 << 20, FUZZ_CHUNK_HEAD = 16, FUZZ_BODY_MAX = 1 << 26 };

static inline void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Must not move between begin and end. */
typedef struct fuzz_budget {
    counted_alloc ca;
    pt_arena      arena;
} fuzz_budget;

static inline void fuzz_budget_begin(fuzz_budget *b)
{
    counted_alloc_init(&b->ca);
    pt_arena_init(&b->arena, &b->ca.mem, NULL, 0, FUZZ_BUDGET);
}

static inline void fuzz_budget_end(fuzz_budget *b)
{
    /* an arena frees nothing before its reset: what lives now is what lived at the peak */
    require(b->ca.peak_bytes <= FUZZ_BUDGET + b->ca.live_blocks * FUZZ_CHUNK_HEAD);
    pt_arena_reset(&b->arena);
    require(b->ca.live_blocks == 0);
}

static inline void require_refusal(patio_status status, const patio_error *err)
{
    require(status == PATIO_PROTOCOL || status == PATIO_TOO_LARGE || status == PATIO_UNSUPPORTED);
    require(err->status == status && err->message[0] != '\0');
}

static inline void require_text(const char *text)
{
    require(text != NULL && pt_is_utf8(text, strlen(text)));
}

static inline bool same_bytes(patio_bytes a, patio_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline void require_same_values(const pt_values *a, const pt_values *b)
{
    require(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        require(patio_value_equal(&a->positional[i], &b->positional[i]));
    }
    require(patio_value_equal(&a->keywords, &b->keywords));
}

/* A payload that was decoded, ready to be encoded again. */
typedef struct fuzz_payload {
    bool          same; /* false: it holds no values, and none are encoded */
    char          content_type[512];
    pt_values     values;
    patio_payload payload;
} fuzz_payload;

/* False if no encoder would write such a thing. */
static inline bool fuzz_payload_make(fuzz_payload *p, pt_arena *arena, const pt_payload_view *view)
{
    patio_error err = PATIO_ERROR_INIT;
    p->payload      = (patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_RAW,
                                      .raw = view->bytes, .content_type = p->content_type};
    p->same         = true;
    require_text(view->content_type);
    if (view->kind != PATIO_PAYLOAD_VALUES) {
        int size =
            snprintf(p->content_type, sizeof(p->content_type), "%s%s",
                     view->kind == PATIO_PAYLOAD_PROTOBUF ? "application/protobuf; proto=" : "",
                     view->content_type);
        return size > 0 && size <= 255;
    }
    patio_status st = pt_decode_values(arena, view->bytes, &p->values, &err);
    p->payload.kind = PATIO_PAYLOAD_VALUES;
    if (st != PATIO_OK) {
        require_refusal(st, &err);
        p->same = false;
        return true;
    }
    p->payload.values        = p->values.positional;
    p->payload.value_count   = p->values.count;
    p->payload.keywords      = p->values.keywords.as.items;
    p->payload.keyword_count = p->values.keywords.size;
    return true;
}

/* Is `view`, decoded from what was encoded from `p`, the same again? */
static inline void fuzz_payload_check(const fuzz_payload *p, pt_arena *arena,
                                      const pt_payload_view *view)
{
    pt_values values;
    if (p->payload.kind == PATIO_PAYLOAD_RAW) {
        require(same_bytes(view->bytes, p->payload.raw));
        require(strstr(p->content_type, view->content_type) != NULL);
        return;
    }
    require(view->kind == PATIO_PAYLOAD_VALUES);
    require(pt_decode_values(arena, view->bytes, &values, NULL) == PATIO_OK);
    if (p->same) {
        require_same_values(&values, &p->values);
    }
}

#endif
