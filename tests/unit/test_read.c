/* The field-by-field readers and writers agree with protobuf-c on every envelope and every value
 * that we keep: the golden vectors and all fuzz corpora, whole and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "wire/payload.h"
#include "wire/read.h"
#include "wire/write.h"

enum { BUDGET = 16 << 20, FILE_MAX = 1 << 16 };

typedef struct tally {
    unsigned files;
    unsigned read; /* by our readers, and so compared */
} tally;

/* Both ways to the same bytes: equal when packed again. */
static void assert_same(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t size = protobuf_c_message_get_packed_size(a);
    assert_int_equal(size, protobuf_c_message_get_packed_size(b));
    uint8_t *bytes_a = malloc(size + 1);
    uint8_t *bytes_b = malloc(size + 1);
    assert_non_null(bytes_a);
    assert_non_null(bytes_b);
    (void)protobuf_c_message_pack(a, bytes_a);
    (void)protobuf_c_message_pack(b, bytes_b);
    assert_memory_equal(bytes_a, bytes_b, size);
    free(bytes_a);
    free(bytes_b);
}

/* And the writers write what protobuf-c writes. */
static void assert_written(const ProtobufCMessage *judge, const Patio__V1__Values *values,
                           const Patio__V1__Envelope *envelope)
{
    size_t   size  = protobuf_c_message_get_packed_size(judge);
    size_t   room  = values != NULL ? pt_values_bound(values, SIZE_MAX) : size + 96;
    uint8_t *right = malloc(size + 1);
    uint8_t *mine  = malloc(room);
    assert_non_null(right);
    assert_non_null(mine);
    (void)protobuf_c_message_pack(judge, right);
    size_t written =
        values != NULL ? pt_write_values(values, mine) : pt_write_envelope_head(envelope, mine);
    assert_int_equal(written, size);
    assert_memory_equal(mine, right, size);
    free(mine);
    free(right);
}

static bool compare_envelope(patio_bytes bytes)
{
    pt_arena arena;
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, BUDGET);
    Patio__V1__Envelope mine;
    patio_bytes         payload;
    bool                read = pt_read_envelope(&arena, bytes, &mine, &payload);
    if (read) {
        Patio__V1__Envelope *judge = patio__v1__envelope__unpack(NULL, bytes.size, bytes.data);
        assert_non_null(judge);
        assert_int_equal(judge->payload.len, payload.size);
        if (payload.size > 0) {
            assert_memory_equal(judge->payload.data, payload.data, payload.size);
        }
        union {
            const uint8_t *in;
            uint8_t       *out;
        } cast       = {.in = payload.data};
        mine.payload = (ProtobufCBinaryData){payload.size, cast.out};
        assert_same(&judge->base, &mine.base);
        if (mine.extra == NULL && mine.error == NULL) {
            judge->payload.len = 0; /* behind the head, not in it */
            assert_written(&judge->base, NULL, &mine);
            judge->payload.len = payload.size;
        }
        patio__v1__envelope__free_unpacked(judge, NULL);
    }
    pt_arena_reset(&arena);
    return read;
}

static bool compare_values(patio_bytes bytes)
{
    pt_arena arena;
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, BUDGET);
    Patio__V1__Values mine;
    bool              read = pt_read_values(&arena, bytes, &mine);
    if (read) {
        Patio__V1__Values *judge = patio__v1__values__unpack(NULL, bytes.size, bytes.data);
        assert_non_null(judge);
        assert_same(&judge->base, &mine.base);
        assert_written(&judge->base, &mine, NULL);
        patio__v1__values__free_unpacked(judge, NULL);
    }
    pt_arena_reset(&arena);
    return read;
}

typedef bool (*compare_fn)(patio_bytes bytes);

/* Whole, then every beginning of it, in a block of its exact size so that a sanitizer sees a look
 * beyond its end. */
static void compare_cut(patio_bytes whole, compare_fn compare, tally *t)
{
    t->files++;
    t->read += compare(whole);
    size_t step = whole.size > 2048 ? 97 : 1;
    for (size_t size = 0; size < whole.size; size += step) {
        uint8_t *exact = malloc(size != 0 ? size : 1);
        assert_non_null(exact);
        memcpy(exact, whole.data, size);
        (void)compare((patio_bytes){exact, size});
        free(exact);
    }
}

static size_t from_hex(uint8_t *data, size_t size)
{
    size_t out  = 0;
    int    half = -1;
    for (size_t i = 0; i < size; i++) {
        const char *digits = "0123456789abcdef";
        const char *at     = data[i] != 0 ? strchr(digits, data[i]) : NULL;
        if (at == NULL) {
            continue;
        }
        int digit = (int)(at - digits);
        if (half < 0) {
            half = digit;
        } else {
            data[out++] = (uint8_t)(half * 16 + digit);
            half        = -1;
        }
    }
    return out;
}

static void compare_folder(const char *folder, bool hex, compare_fn compare, tally *t)
{
    static uint8_t data[FILE_MAX];
    char           path[4096];
    DIR           *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        const char *ending = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' || (hex && (ending == NULL || strcmp(ending, ".hex") != 0))) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(data, 1, sizeof(data), file);
        (void)fclose(file);
        size = hex ? from_hex(data, size) : size;
        compare_cut((patio_bytes){data, size}, compare, t);
    }
    (void)closedir(dir);
}

static void envelopes_are_read_as_protobuf_reads_them(void **state)
{
    (void)state;
    tally golden = {0, 0};
    tally corpus = {0, 0};
    compare_folder(PATIO_SOURCE_DIR "/tests/golden", true, compare_envelope, &golden);
    compare_folder(PATIO_SOURCE_DIR "/tests/fuzz/corpus/fuzz_request", false, compare_envelope,
                   &corpus);
    compare_folder(PATIO_SOURCE_DIR "/tests/fuzz/corpus/fuzz_reply", false, compare_envelope,
                   &corpus);
    assert_true(golden.files > 10);
    assert_true(golden.read > 10); /* or the readers would be of no use */
    assert_true(corpus.files > 10);
    assert_true(corpus.read > 0);
}

static void values_are_read_as_protobuf_reads_them(void **state)
{
    (void)state;
    tally corpus = {0, 0};
    compare_folder(PATIO_SOURCE_DIR "/tests/fuzz/corpus/fuzz_values", false, compare_values,
                   &corpus);
    assert_true(corpus.files > 10);
    assert_true(corpus.read > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_are_read_as_protobuf_reads_them),
        cmocka_unit_test(values_are_read_as_protobuf_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
