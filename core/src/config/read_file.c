#include "config/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config/say.h"

/* Reads until the end or until the buffer is full; -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t room)
{
    size_t used = 0;
    while (used < room) {
        ssize_t got = read(fd, buffer + used, room - used);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            used += (size_t)got;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)used;
}

patio_status pt_read_file(const patio_allocator *mem, const char *path, size_t max_bytes,
                          char **out, size_t *size, patio_error *err)
{
    char         quoted[PT_QUOTE_BYTES];
    patio_status status = PATIO_OK;
    ssize_t      got    = 0;
    /* one allocation that never moves: a growing one would leave copies of a secret behind */
    char *buffer = pt_alloc(mem, max_bytes + 1);
    if (buffer == NULL) {
        return pt_no_memory(err, "config");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        status = pt_fail_errno(err, PATIO_IO, errno, "config", "read %s", pt_quote(quoted, path));
        goto fail;
    }
    got             = read_all(fd, buffer, max_bytes + 1);
    int saved_errno = errno;
    (void)close(fd);
    if (got < 0) {
        status =
            pt_fail_errno(err, PATIO_IO, saved_errno, "config", "read %s", pt_quote(quoted, path));
        goto fail;
    }
    if ((size_t)got > max_bytes) {
        status = pt_fail(err, PATIO_CONFIG, "config", "read %s: it has more than %zu bytes",
                         pt_quote(quoted, path), max_bytes);
        goto fail;
    }
    buffer[got] = '\0';
    *out        = buffer;
    *size       = (size_t)got;
    return PATIO_OK;

fail:
    explicit_bzero(buffer, max_bytes + 1);
    pt_free(mem, buffer);
    return status;
}
