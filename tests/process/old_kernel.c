/* A kernel before 5.3, or a sandbox, which has no descriptors of processes: linked to a program,
 * this stands in the way of its calls to the C library, and of its plugins'. (Preloaded it would be
 * in the way of a sanitizer, which wants to be first.) */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) long syscall(long number, ...)
{
    union {
        void *symbol;
        long (*call)(long, long, long, long, long, long, long);
    } next = {dlsym(RTLD_NEXT, "syscall")};
    long    arg[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        arg[i] = va_arg(args, long);
    }
    va_end(args);
    if (number == SYS_pidfd_open) {
        errno = ENOSYS;
        return -1;
    }
    return next.call(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
