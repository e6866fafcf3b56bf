/* The dedup key of calls that are the same if their arguments are. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "wire/payload.h"

enum { SCRATCH_BYTES = 2048, KEY_DIGEST_BYTES = 16 };

/* A NUL behind each text: no text holds one, so where one ends is part of what is hashed. */
static bool hash(const char *task, const pt_payload_plan *plan, const uint8_t *bytes,
                 unsigned char digest[EVP_MAX_MD_SIZE])
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    bool        ok  = sha != NULL && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(sha, task, strlen(task) + 1) == 1 &&
              EVP_DigestUpdate(sha, plan->content_type, strlen(plan->content_type) + 1) == 1 &&
              EVP_DigestUpdate(sha, bytes, plan->size_bytes) == 1 &&
              EVP_DigestFinal_ex(sha, digest, NULL) == 1;
    EVP_MD_CTX_free(sha);
    return ok;
}

patio_status pt_args_key(const patio_allocator *mem, const char *task, const patio_payload *payload,
                         uint64_t max_bytes, char key[PT_ARGS_KEY_BYTES], patio_error *err)
{
    _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
    unsigned char        digest[EVP_MAX_MD_SIZE];
    pt_arena             arena;
    pt_payload_plan      plan;
    pt_encode_scratch(&arena, mem, scratch, sizeof(scratch), max_bytes);
    patio_status st    = pt_payload_plan_make(&plan, &arena, payload, err);
    uint8_t     *bytes = st == PATIO_OK ? pt_arena_alloc(&arena, plan.size_bytes + 1) : NULL;
    if (bytes != NULL) {
        pt_payload_plan_write(&plan, bytes);
        if (!hash(task, &plan, bytes, digest)) {
            st = pt_no_memory(err, "envelope");
        }
    } else if (st == PATIO_OK) {
        st = pt_arena_fail(&arena, "envelope", "payload", err);
    }
    (void)snprintf(key, PT_ARGS_KEY_BYTES, "args:");
    for (size_t i = 0; st == PATIO_OK && i < KEY_DIGEST_BYTES; i++) {
        (void)snprintf(key + 5 + 2 * i, 3, "%02x", digest[i]);
    }
    pt_arena_reset(&arena);
    return st;
}
