#include "plugin/search.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char           builtin_dir[PATH_MAX];
static pthread_once_t builtin_once = PTHREAD_ONCE_INIT;

/* Cut the last component off, with its slash: of "/a" nothing is left. */
static void cut_component(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

static void set(const char *folder, const char *below)
{
    int size = snprintf(builtin_dir, sizeof(builtin_dir), "%s%s", folder, below);
    if (size < 0 || (size_t)size >= sizeof(builtin_dir)) {
        builtin_dir[0] = '\0'; /* a cut path would be another place */
    }
}

/* Beside the shared library that this code is in; false if it is in the program itself. */
static bool find_beside_library(void)
{
    Dl_info          info;
    struct link_map *map = NULL;
    if (dladdr1((const void *)builtin_dir, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
        map == NULL || map->l_name[0] == '\0') {
        return false;
    }
    char path[PATH_MAX];
    if (realpath(map->l_name, path) == NULL) {
        return false;
    }
    cut_component(path);
    set(path, "/patio");
    return true;
}

static void find_for_program(void)
{
#ifdef PATIO_BUILTIN_DIR
    set(PATIO_BUILTIN_DIR, "");
#else
    char    path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size > 0) {
        path[size] = '\0';
        cut_component(path);
        cut_component(path);
        set(path, "/lib/patio");
    }
#endif
}

static void find_builtin_dir(void)
{
    if (!find_beside_library()) {
        find_for_program();
    }
}

const char *pt_plugins_builtin_dir(void)
{
    (void)pthread_once(&builtin_once, find_builtin_dir);
    return builtin_dir;
}
