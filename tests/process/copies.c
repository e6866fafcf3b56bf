/* copies.c: takes the place of the C library's memcpy, memmove and write in this program and in the
 * libraries it loads, to count what large ones copy. Compiled so that these are not made of calls
 * of themselves, and without the headers that know better. */
#include "copies.h"

#include <stdint.h>
#include <sys/syscall.h>

extern long syscall(long number, ...);

_Atomic uint64_t copies_copied;
_Atomic uint64_t copies_written;

void *memmove(void *to, const void *from, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memmove_chk(void *to, const void *from, size_t size, size_t room);
long  write(int fd, const void *data, size_t size);

EXPORTED void *memmove(void *to, const void *from, size_t size)
{
    uint8_t       *t = to;
    const uint8_t *f = from;
    if (size >= COPIES_LARGE) {
        copies_copied += size;
    }
    if ((uintptr_t)t - (uintptr_t)f >= size) {
        for (size_t i = 0; i < size; i++) {
            t[i] = f[i];
        }
    } else {
        for (size_t i = size; i > 0; i--) {
            t[i - 1] = f[i - 1];
        }
    }
    return to;
}

EXPORTED void *memcpy(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

EXPORTED void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    if (size > room) {
        __builtin_trap();
    }
    return memmove(to, from, size);
}

EXPORTED void *__memmove_chk(void *to, const void *from, size_t size, size_t room)
{
    return __memcpy_chk(to, from, size, room);
}

EXPORTED long write(int fd, const void *data, size_t size)
{
    long done = syscall(SYS_write, fd, data, size);
    if (done >= COPIES_LARGE) {
        copies_written += (uint64_t)done;
    }
    return done;
}
