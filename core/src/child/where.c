#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child/child.h"

#ifndef PT_LIBEXEC_FROM_LIB
#define PT_LIBEXEC_FROM_LIB "../libexec"
#endif

/* A fact about the program and not a state: its main has the line. */
static atomic_bool    has_line;
static char           helper[PATH_MAX];
static pthread_once_t helper_once = PTHREAD_ONCE_INIT;

void pt_child_note_program(void)
{
    atomic_store(&has_line, true);
}

const char *pt_child_program(void)
{
    return atomic_load(&has_line) ? "/proc/self/exe" : NULL;
}

static bool try_helper(const char *libexec)
{
    const char *plugins = pt_plugins_builtin_dir(); /* <libdir>/patio */
    int size = snprintf(helper, sizeof(helper), "%s/../%s/patio/patio-child", plugins, libexec);
    if (plugins[0] != '\0' && size > 0 && (size_t)size < sizeof(helper) &&
        access(helper, X_OK) == 0) {
        return true;
    }
    helper[0] = '\0';
    return false;
}

static void find_helper(void)
{
    /* as installed, and as it lies in a build tree */
    if (!try_helper(PT_LIBEXEC_FROM_LIB)) {
        (void)try_helper("../libexec");
    }
}

const char *pt_child_helper(void)
{
    (void)pthread_once(&helper_once, find_helper);
    return helper;
}
