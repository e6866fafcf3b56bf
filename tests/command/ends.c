/* command_ends WAY NUMBER: says the number, or ends in one of the ways in which programs go wrong.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    static const struct {
        const char *way;
        int         signal;
    } ways[]                    = {{"abort", SIGABRT}, {"kill", SIGKILL}, {"segv", SIGSEGV}};
    const struct rlimit no_core = {.rlim_cur = 0};
    if (argc != 3) {
        return 2;
    }
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], ways[i].way) == 0) {
            (void)setrlimit(RLIMIT_CORE, &no_core);
            (void)fprintf(stderr, "%s\n", argv[2]);
            (void)signal(ways[i].signal, SIG_DFL);
            (void)raise(ways[i].signal);
        }
    }
    if (strcmp(argv[1], "exit") == 0) {
        (void)fprintf(stderr, "%s\n", argv[2]);
        return 3;
    }
    return printf("%s", argv[2]) > 0 ? 0 : 1;
}
