#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child/child.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#ifndef PT_LIBEXEC_FROM_LIB
#define PT_LIBEXEC_FROM_LIB "../libexec"
#endif

/* A fact about the program and not a state: its main has the line. */
static atomic_bool    has_line;
static char           helper[PATH_MAX];
static pthread_once_t helper_once = PTHREAD_ONCE_INIT;

static char           program[PATH_MAX];
static pthread_once_t program_once = PTHREAD_ONCE_INIT;

static void find_program(void)
{
    ssize_t size                 = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[size > 0 ? size : 0] = '\0';
}

void pt_child_note_program(void)
{
    atomic_store(&has_line, true);
}

/* The link, and not where it leads: that file may be another by the time a child is started. But
 * under valgrind the kernel's link is to valgrind, which only answers readlink as if it were not.
 */
const char *pt_child_program(void)
{
    static const char link[] = "/proc/self/exe";
    if (!atomic_load(&has_line)) {
        return NULL;
    }
    if (RUNNING_ON_VALGRIND != 0) {
        (void)pthread_once(&program_once, find_program);
        return program;
    }
    return link;
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
