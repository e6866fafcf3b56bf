#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { BLOCK_BYTES = 32 * 1024 }; /* on the stack, which is 64 KiB at least */

/* Fetched once: looking an algorithm up costs as much as hashing a small file. */
static EVP_MD *sha256;

/* Any bytes as text for people: control characters and what may not be UTF-8 become '?'. */
static const char *for_people(patio_context *ctx, const char *path)
{
    size_t size = strlen(path) + 1;
    char  *text = patio_task_alloc(ctx, size);
    for (size_t i = 0; text != NULL && i < size; i++) {
        bool plain = path[i] == '\0' || (path[i] >= ' ' && path[i] <= '~');
        text[i]    = (char)(plain ? path[i] : '?');
    }
    return text != NULL ? text : "(a file)";
}

static patio_status unreadable(patio_context *ctx, const char *step, const char *path, int problem)
{
    char        why[128];
    char        message[1024];
    patio_value details =
        PATIO_MAP("path", patio_blob(path, strlen(path)), "errno", problem, "step", step);
    (void)snprintf(message, sizeof(message), "%s %s: %s", step, for_people(ctx, path),
                   strerror_r(problem, why, sizeof(why)));
    return patio_task_fail_with(ctx, problem, "Unreadable", message, PATIO_ARGS(details));
}

/* The argument as a C string. */
static patio_status read_path(patio_context *ctx, const char **out)
{
    const patio_value *arg   = patio_arg(ctx, 0);
    patio_bytes        bytes = {(const uint8_t *)"", 0};
    if (arg != NULL && arg->type == PATIO_TYPE_STRING) {
        bytes = (patio_bytes){(const uint8_t *)arg->as.string, arg->size};
    } else {
        patio_status st = patio_arg_bytes(ctx, 0, &bytes);
        if (st != PATIO_OK) {
            return st;
        }
    }
    if (bytes.size == 0 || memchr(bytes.data, '\0', bytes.size) != NULL) {
        return patio_task_fail(ctx, EINVAL, "ArgumentError", "a path is not empty and has no NUL");
    }
    char *path = patio_task_alloc(ctx, bytes.size + 1);
    if (path == NULL) {
        return PATIO_NO_MEMORY;
    }
    memcpy(path, bytes.data, bytes.size);
    path[bytes.size] = '\0';
    *out             = path;
    return PATIO_OK;
}

/* Not waiting for the writer of a FIFO that took a file's place. */
static patio_status open_file(patio_context *ctx, const char *path, int *out)
{
    struct stat about;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return unreadable(ctx, "open", path, errno);
    }
    int problem = fstat(fd, &about) != 0 ? errno : 0;
    if (problem == 0 && !S_ISREG(about.st_mode)) {
        problem = S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
    }
    if (problem != 0) {
        (void)close(fd);
        return unreadable(ctx, "open", path, problem);
    }
    *out = fd;
    return PATIO_OK;
}

static patio_status digest_file(patio_context *ctx, const char *path, int fd, EVP_MD_CTX *md)
{
    unsigned char block[BLOCK_BYTES];
    unsigned char digest[EVP_MAX_MD_SIZE];
    char          hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned      size  = 0;
    uint64_t      bytes = 0;
    bool          ok    = md != NULL && EVP_DigestInit_ex2(md, sha256, NULL) == 1;
    for (ssize_t n = 1; ok && n != 0;) {
        if (patio_task_cancelled(ctx)) {
            return patio_task_remaining_ms(ctx) == 0 ? PATIO_TIMEOUT : PATIO_CANCELLED;
        }
        n = read(fd, block, sizeof(block));
        if (n < 0 && errno != EINTR) {
            return unreadable(ctx, "read", path, errno);
        }
        if (n > 0) {
            ok = EVP_DigestUpdate(md, block, (size_t)n) == 1;
            bytes += (uint64_t)n;
        }
    }
    if (!ok || EVP_DigestFinal_ex(md, digest, &size) != 1) {
        return patio_task_fail(ctx, 0, "Digest", "OpenSSL cannot compute a SHA-256");
    }
    for (unsigned i = 0; i < size; i++) {
        (void)snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    return PATIO_RETURN(ctx, PATIO_MAP("sha256", patio_string(hex), "bytes", bytes));
}

static patio_status checksum(patio_context *ctx)
{
    const char  *path = NULL;
    int          fd   = -1;
    patio_status st   = read_path(ctx, &path);
    if (st == PATIO_OK) {
        st = open_file(ctx, path, &fd);
    }
    if (st == PATIO_OK) {
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        st             = digest_file(ctx, path, fd, md);
        EVP_MD_CTX_free(md);
        (void)close(fd);
    }
    return st;
}

patio_status checksum_task_add(patio_registry *registry, patio_error *err)
{
    /* The file may be as large as it likes: the caller's deadline is the only one. */
    static const patio_task_options options = {
        PATIO_SIZED(patio_task_options),
        .flags              = PATIO_TASK_IDEMPOTENT,
        .attempt_timeout_ms = PATIO_FOREVER,
    };
    sha256 = sha256 != NULL ? sha256 : EVP_MD_fetch(NULL, "SHA256", NULL);
    return patio_registry_add(registry, CHECKSUM_TASK, checksum, NULL, NULL, &options, err);
}

void checksum_task_fini(void)
{
    EVP_MD_free(sha256);
    sha256 = NULL;
}
