/* Tokens as in C17 6.4, because two texts are the same code exactly if their tokens are the same.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "runtime/registry.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of UTF-8 and universal character names (\u00e9) belong to identifiers, and so does GNU's $.
 */
static bool is_name_char(const char *p)
{
    char c = *p;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80 || (c == '\\' && (p[1] == 'u' || p[1] == 'U'));
}

/* How many bytes a line splice (backslash, end of line) takes here; 0 if there is none. */
static size_t splice(const char *p)
{
    if (p[0] != '\\') {
        return 0;
    }
    return p[1] == '\n' ? 2 : (p[1] == '\r' && p[2] == '\n' ? 3 : 0);
}

static const char *skip_comment(const char *p)
{
    if (p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end != NULL ? end + 2 : p + strlen(p);
    }
    while (*p != '\0' && *p != '\n') {
        size_t spliced = splice(p);
        p += spliced != 0 ? spliced : 1;
    }
    return p;
}

static const char *skip_blank(const char *p)
{
    for (;;) {
        p += strspn(p, " \t\n\v\f\r");
        if (p[0] == '/' && (p[1] == '/' || p[1] == '*')) {
            p = skip_comment(p);
        } else if (splice(p) != 0) {
            p += splice(p);
        } else {
            return p;
        }
    }
}

/* From the opening quote to behind the closing one; a line's end closes what was never closed. */
static const char *skip_literal(const char *p)
{
    char quote = *p++;
    while (*p != '\0' && *p != '\n' && *p != quote) {
        p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
    }
    return *p == quote ? p + 1 : p;
}

static const char *skip_name(const char *p)
{
    const char *start = p;
    while (is_name_char(p)) {
        p++;
    }
    size_t size = (size_t)(p - start);
    bool   prefix =
        (size == 1 && strchr("LuU", *start) != NULL) || (size == 2 && memcmp(start, "u8", 2) == 0);
    return prefix && (*p == '"' || *p == '\'') ? skip_literal(p) : p;
}

/* Preprocessing number, 6.4.8: more than numbers, and 1e+5 is one, 1+5 is not. */
static const char *skip_number(const char *p)
{
    for (;;) {
        if (*p != '\0' && strchr("eEpP", *p) != NULL && (p[1] == '+' || p[1] == '-')) {
            p += 2;
        } else if (is_name_char(p) || *p == '.') {
            p++;
        } else {
            return p;
        }
    }
}

static const char *skip_punctuator(const char *p)
{
    /* the longest first: the first that fits is the longest that fits */
    static const char *const punctuators[] = {
        "%:%:", "...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=",
        ">=",   "==",  "!=",  "&&",  "||", "*=", "/=", "%=", "+=", "-=",
        "&=",   "^=",  "|=",  "##",  "<:", ":>", "<%", "%>", "%:",
    };
    for (size_t i = 0; i < sizeof(punctuators) / sizeof(punctuators[0]); i++) {
        size_t size = strlen(punctuators[i]);
        if (strncmp(p, punctuators[i], size) == 0) {
            return p + size;
        }
    }
    return p + 1;
}

static const char *skip_token(const char *p)
{
    if (*p == '"' || *p == '\'') {
        return skip_literal(p);
    }
    if (is_digit(p[0]) || (p[0] == '.' && is_digit(p[1]))) {
        return skip_number(p);
    }
    return is_name_char(p) ? skip_name(p) : skip_punctuator(p);
}

static bool hash_tokens(EVP_MD_CTX *sha, const char *source, unsigned char *digest)
{
    if (EVP_DigestInit_ex(sha, EVP_sha256(), NULL) != 1) {
        return false;
    }
    for (const char *p = skip_blank(source); *p != '\0';) {
        const char *end = skip_token(p);
        /* a NUL behind each token: no token holds one, so `a b` and `ab` stay apart */
        if (EVP_DigestUpdate(sha, p, (size_t)(end - p)) != 1 || EVP_DigestUpdate(sha, "", 1) != 1) {
            return false;
        }
        p = skip_blank(end);
    }
    return EVP_DigestFinal_ex(sha, digest, NULL) == 1;
}

bool pt_source_hash(const char *source, char hex[17])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX   *sha = EVP_MD_CTX_new();
    bool          ok  = sha != NULL && hash_tokens(sha, source, digest);
    EVP_MD_CTX_free(sha);
    for (size_t i = 0; ok && i < 8; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return ok;
}
