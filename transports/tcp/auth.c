/* auth.c: proof that a side has the key, and nothing else.
 *
 * K = HKDF-SHA256(key, info "patio auth v1"); proof = HMAC-SHA256(K, label | HELLO of the
 * connecting side | HELLO of the listening side | what TLS exports), each part behind its length. A
 * HELLO holds its side's role and fresh nonce, the label who proves: nothing can be replayed or
 * reflected. */
#include "tcp.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static bool derive(const char *key, uint8_t out[32])
{
    union {
        const char *in;
        void       *out;
    } text              = {.in = key};
    char       hash[]   = "SHA256";
    char       info[]   = "patio auth v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, text.out, strlen(key)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info) - 1),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF     *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool         ok  = ctx != NULL && EVP_KDF_derive(ctx, out, 32, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static size_t put_part(uint8_t *to, const void *data, size_t size)
{
    frame_put32(to, (uint32_t)size);
    memcpy(to + 4, data, size);
    return size + 4;
}

bool auth_mac(const char *key, bool from_listener, const uint8_t *hello_connects,
              const uint8_t *hello_listens, const uint8_t *binding, uint8_t mac[FRAME_MAC_BYTES])
{
    static const char *const labels[] = {"patio tcp connecting side", "patio tcp listening side"};

    uint8_t     derived[32];
    uint8_t     text[4 * 4 + 64 + 2 * FRAME_HELLO_BYTES + TLS_BINDING_BYTES];
    const char *label = labels[from_listener ? 1 : 0];
    size_t      size  = put_part(text, label, strlen(label));
    unsigned    got   = 0;
    size += put_part(text + size, hello_connects, FRAME_HELLO_BYTES);
    size += put_part(text + size, hello_listens, FRAME_HELLO_BYTES);
    if (binding != NULL) {
        size += put_part(text + size, binding, TLS_BINDING_BYTES);
    }
    bool ok = derive(key, derived) &&
              HMAC(EVP_sha256(), derived, sizeof(derived), text, size, mac, &got) != NULL &&
              got == FRAME_MAC_BYTES;
    OPENSSL_cleanse(derived, sizeof(derived));
    return ok;
}

uint32_t auth_hint(const char *key, const uint8_t nonce[FRAME_NONCE_BYTES])
{
    static const char hint[] = "patio tcp which key";

    uint8_t  derived[32];
    uint8_t  text[sizeof(hint) - 1 + FRAME_NONCE_BYTES];
    uint8_t  mac[FRAME_MAC_BYTES] = {0};
    unsigned got                  = 0;
    memcpy(text, hint, sizeof(hint) - 1);
    memcpy(text + sizeof(hint) - 1, nonce, FRAME_NONCE_BYTES);
    if (derive(key, derived)) {
        (void)HMAC(EVP_sha256(), derived, sizeof(derived), text, sizeof(text), mac, &got);
    }
    OPENSSL_cleanse(derived, sizeof(derived));
    return frame_get32(mac);
}

bool auth_same(const uint8_t *a, const uint8_t *b)
{
    return CRYPTO_memcmp(a, b, FRAME_MAC_BYTES) == 0;
}
