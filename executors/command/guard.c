/* The guard. A program begun here dies with this process, even on its kill -9 (PR_SET_PDEATHSIG),
 * but not what that program has begun in its turn. So a small process of our own looks at a page
 * that we share, and waits for the end of a pipe that only we hold: when that comes, it kills every
 * group that is noted there. It is not woken for anything else. */
#include "command.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beside this plugin, which may have been loaded by a path that only holds where we are now. */
static bool find_guard(char path[PATH_MAX])
{
    static const char name[] = "patio-command-guard";
    char              found[PATH_MAX];
    Dl_info           info;
    (void)snprintf(path, PATH_MAX, "%s", name);
    if (dladdr((const void *)(uintptr_t)&guard_start, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    int         size  = slash != NULL ? (int)(slash + 1 - info.dli_fname) : 0;
    int         n     = snprintf(found, sizeof(found), "%.*s%s", size, info.dli_fname, name);
    return n > 0 && n < PATH_MAX && realpath(found, path) != NULL;
}

static patio_status begin(patio_executor *x, const char *path, int page, int end, patio_error *err)
{
    char          name[]  = "patio-command-guard";
    char *const   argv[]  = {name, NULL};
    char *const   env[]   = {NULL};
    int           pidfd   = -1;
    spawn_request request = {
        .program     = path,
        .argv        = argv,
        .env         = env,
        .directory   = "/",
        .outlives    = true,
        .in          = end,
        .out         = page,
        .err         = page,
        .stack       = x->stack,
        .stack_bytes = SPAWN_STACK_BYTES,
    };
    int rc = spawn(&request, &x->guard_pid, &pidfd);
    if (rc != 0) {
        return patio_fail(err, PATIO_IO, rc,
                          "run %s, which no program shall outlive us without: %s", path,
                          strerrordesc_np(rc));
    }
    (void)close(pidfd);
    return PATIO_OK;
}

patio_status guard_start(patio_executor *x, patio_error *err)
{
    char         path[PATH_MAX];
    size_t       bytes   = x->worker_count * sizeof(*x->groups);
    int          ends[2] = {-1, -1};
    int          page    = memfd_create("patio-command-groups", MFD_CLOEXEC);
    patio_status st      = PATIO_OK;
    if (!find_guard(path)) {
        st = patio_fail(
            err, PATIO_NOT_FOUND, errno,
            "there is no %s beside the plugin, which no program shall outlive us without", path);
    } else if (page < 0 || ftruncate(page, (off_t)bytes) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        st = patio_fail(err, PATIO_IO, errno, "begin the guard: %s", strerrordesc_np(errno));
    }
    void *groups = st == PATIO_OK ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0)
                                  : MAP_FAILED;
    if (st == PATIO_OK && groups == MAP_FAILED) {
        st = patio_fail(err, PATIO_NO_MEMORY, errno, "begin the guard: %s", strerrordesc_np(errno));
    }
    if (st == PATIO_OK) {
        st = begin(x, path, page, ends[0], err);
    }
    if (page >= 0) {
        (void)close(page);
    }
    if (ends[0] >= 0) {
        (void)close(ends[0]);
    }
    if (st == PATIO_OK) {
        x->groups = groups;
        x->guard  = ends[1];
        return PATIO_OK;
    }
    if (ends[1] >= 0) {
        (void)close(ends[1]);
    }
    if (groups != MAP_FAILED) {
        (void)munmap(groups, bytes);
    }
    return st;
}

void guard_stop(patio_executor *x)
{
    siginfo_t gone;
    if (x->guard < 0) {
        return;
    }
    (void)close(x->guard);
    while (waitid(P_PID, (id_t)x->guard_pid, &gone, WEXITED) != 0 && errno == EINTR) {
    }
    (void)munmap(x->groups, x->worker_count * sizeof(*x->groups));
    x->guard  = -1;
    x->groups = NULL;
}

void guard_tell(patio_executor *x, uint32_t index, pid_t group)
{
    __atomic_store_n(&x->groups[index], (int32_t)group, __ATOMIC_SEQ_CST);
}
