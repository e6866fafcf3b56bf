/* slow_names.c: preloaded, makes the name server of "slow.test" one that does not answer for a
 * while. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

typedef int (*lookup_fn)(const char *name, const char *service, const struct addrinfo *want,
                         struct addrinfo **out);

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *want,
                                                       struct addrinfo      **out)
{
    union {
        void     *found;
        lookup_fn call;
    } next = {.found = dlsym(RTLD_NEXT, "getaddrinfo")};
    if (name != NULL && strcmp(name, "slow.test") == 0 && (want->ai_flags & AI_NUMERICHOST) == 0) {
        struct timespec silence = {.tv_sec = 2};
        (void)nanosleep(&silence, NULL);
        return EAI_AGAIN;
    }
    return next.call(name, service, want, out);
}
