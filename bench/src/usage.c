#include "usage.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static double to_us(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

void bench_usage_read(bench_usage *out)
{
    struct rusage usage;
    memset(&usage, 0, sizeof(usage));
    (void)getrusage(RUSAGE_SELF, &usage);
    out->cpu_us   = to_us(usage.ru_utime) + to_us(usage.ru_stime);
    out->switches = (uint64_t)usage.ru_nvcsw;
}

bool bench_rss_bytes(uint64_t *out)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return false;
    }
    char               line[256];
    unsigned long long kib   = 0;
    bool               found = false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        found = sscanf(line, "VmRSS: %llu kB", &kib) == 1;
    }
    (void)fclose(file);
    *out = kib * 1024;
    return found;
}
