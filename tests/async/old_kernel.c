/* A kernel before 6.13, which has no guards inside mappings: linked to a program, this stands in
 * the way of its plugins' calls to the C library. */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GUARD_INSTALL = 102 };

__attribute__((visibility("default"))) int madvise(void *at, size_t bytes, int advice)
{
    if (advice == GUARD_INSTALL) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, at, bytes, advice);
}
