/* patio-command-guard: waits for the end of its standard input, which is the end of the process
 * that began it, and then kills the process groups noted in the page behind descriptor 1. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
    struct stat page;
    char        byte = 0;
    sigset_t    all;
    sigfillset(&all); /* what ends a terminal's programs shall not end this one */
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    if (fstat(STDOUT_FILENO, &page) != 0 || page.st_size == 0) {
        return 1;
    }
    size_t                  bytes  = (size_t)page.st_size;
    const volatile int32_t *groups = mmap(NULL, bytes, PROT_READ, MAP_SHARED, STDOUT_FILENO, 0);
    if (groups == MAP_FAILED) {
        return 1;
    }
    while (read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR) {
        errno = 0;
    }
    for (size_t i = 0; i < bytes / sizeof(*groups); i++) {
        if (groups[i] > 1) {
            (void)kill(-groups[i], SIGKILL);
        }
    }
    return 0;
}
