/* Where the test plugins of this build are. */
#ifndef TEST_WHERE_H
#define TEST_WHERE_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* <folder of the test program>/plugins */
static inline const char *test_plugin_dir(void)
{
    static char dir[PATH_MAX];
    ssize_t     size = readlink("/proc/self/exe", dir, sizeof(dir) - sizeof("plugins"));
    if (size <= 0) {
        abort();
    }
    dir[size] = '\0';
    memcpy(strrchr(dir, '/') + 1, "plugins", sizeof("plugins"));
    return dir;
}

/* The same with something below it. */
static inline void test_plugin_path(char path[PATH_MAX], const char *folder, const char *name)
{
    int size = snprintf(path, PATH_MAX, "%s/%s/%s", test_plugin_dir(), folder, name);
    if (size < 0 || size >= PATH_MAX) {
        abort();
    }
}

#endif
