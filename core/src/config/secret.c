#include "config/secret.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/read_file.h"
#include "config/say.h"

enum { SECRET_FILE_MAX_BYTES = 64 * 1024 };

void pt_secret_free(const patio_allocator *mem, char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        pt_free(mem, secret);
    }
}

static bool is_variable_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char all[]     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name != '\0' && strspn(name, letters) > 0 && name[strspn(name, all)] == '\0';
}

static patio_status copy_secret(const patio_allocator *mem, const char *text, char **out,
                                patio_error *err)
{
    *out = pt_strdup(mem, text);
    return *out != NULL ? PATIO_OK : pt_no_memory(err, "config");
}

static patio_status read_variable(const patio_allocator *mem, const char *name, char **out,
                                  patio_error *err)
{
    /* what is no name of a variable may be a secret that happens to begin with "env:" */
    if (!is_variable_name(name)) {
        return pt_fail(err, PATIO_CONFIG, "config",
                       "\"env:\" is not followed by the name of an environment variable");
    }
    const char *value = secure_getenv(name);
    if (value == NULL) {
        char quoted[PT_QUOTE_BYTES];
        return pt_fail(err, PATIO_CONFIG, "config", "environment variable %s is not set",
                       pt_quote(quoted, name));
    }
    return copy_secret(mem, value, out, err);
}

static patio_status read_secret_file(const patio_allocator *mem, const char *path, char **out,
                                     patio_error *err)
{
    char        *text   = NULL;
    size_t       size   = 0;
    patio_status status = pt_read_file(mem, path, SECRET_FILE_MAX_BYTES, &text, &size, err);
    if (status != PATIO_OK) {
        return status;
    }
    if (size > 0 && text[size - 1] == '\n') {
        size -= size > 1 && text[size - 2] == '\r' ? 2 : 1;
        text[size] = '\0';
    }
    if (strlen(text) == size) {
        status = copy_secret(mem, text, out, err); /* the buffer is much larger than the secret */
    } else {
        char quoted[PT_QUOTE_BYTES];
        status = pt_fail(err, PATIO_CONFIG, "config", "read secret from %s: it holds a NUL byte",
                         pt_quote(quoted, path));
    }
    explicit_bzero(text, size);
    pt_free(mem, text);
    return status;
}

patio_status pt_secret_resolve(const patio_allocator *mem, const char *text, char **out,
                               patio_error *err)
{
    if (strncmp(text, "env:", 4) == 0) {
        return read_variable(mem, text + 4, out, err);
    }
    if (strncmp(text, "file:", 5) == 0) {
        return read_secret_file(mem, text + 5, out, err);
    }
    return copy_secret(mem, text, out, err);
}
