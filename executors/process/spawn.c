/* A new child: posix_spawn and exec, never a bare fork, for the host has threads. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <patio/child_socket.h>

enum { SOCKET_BYTES = 1 << 20, ABOVE_OURS = 16 };

extern char **environ;

/* What the child is to have as its descriptors; -1 where there is none. */
typedef struct ends {
    int jobs;
    int words;
    int page;
    int bell;
    int out;
    int err;
} ends;

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void close_ends(const ends *e)
{
    close_fd(e->jobs);
    close_fd(e->words);
    close_fd(e->page);
    close_fd(e->bell);
    close_fd(e->out);
    close_fd(e->err);
}

/* Out of the way of the numbers that the child's descriptors get. */
static bool lift(int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, ABOVE_OURS);
    close_fd(*fd);
    *fd = high;
    return high >= 0;
}

static bool make_pair(int *ours, int *theirs)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    const int bytes = SOCKET_BYTES;
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    }
    *ours   = pair[0];
    *theirs = pair[1];
    return lift(theirs);
}

static bool make_pipe(int *ours, int *theirs)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) != 0) {
        return false;
    }
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *ours   = pair[0];
    *theirs = pair[1];
    return lift(theirs);
}

static bool make_page(child *c, int *theirs)
{
    *theirs = memfd_create("patio-child", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*theirs < 0 || ftruncate(*theirs, PATIO_CHILD_FILE_BYTES) != 0 ||
        fcntl(*theirs, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        !lift(theirs)) {
        return false;
    }
    c->page = patio_child_page_map(*theirs);
    return c->page != NULL;
}

static bool make_bell(child *c, int *theirs)
{
    c->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *theirs    = c->bell_fd >= 0 ? fcntl(c->bell_fd, F_DUPFD_CLOEXEC, ABOVE_OURS) : -1;
    return *theirs >= 0;
}

static bool make_channels(child *c, ends *e)
{
    return make_pair(&c->jobs_fd, &e->jobs) && make_pair(&c->words_fd, &e->words) &&
           make_page(c, &e->page) && make_bell(c, &e->bell) &&
           make_pipe(&c->streams[0].fd, &e->out) && make_pipe(&c->streams[1].fd, &e->err);
}

/* ---- exec ---- */

static int add_actions(const patio_executor *x, const ends *e, posix_spawn_file_actions_t *a)
{
    int rc = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_adddup2(a, e->out, 1);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_adddup2(a, e->err, 2);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_adddup2(a, e->jobs, PATIO_CHILD_FD_JOBS);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_adddup2(a, e->words, PATIO_CHILD_FD_WORDS);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_adddup2(a, e->page, PATIO_CHILD_FD_PAGE);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_adddup2(a, e->bell, PATIO_CHILD_FD_BELL);
    rc     = rc != 0 ? rc : posix_spawn_file_actions_addclosefrom_np(a, PATIO_CHILD_FD_BELL + 1);
    if (rc == 0 && x->directory[0] != '\0') {
        rc = posix_spawn_file_actions_addchdir_np(a, x->directory);
    }
    return rc;
}

/* A process group of its own, so that what its tasks start can be ended with it; no signal blocked,
 * none handled in another way than by default. */
static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF);
    rc     = rc != 0 ? rc : posix_spawnattr_setpgroup(attr, 0);
    rc     = rc != 0 ? rc : posix_spawnattr_setsigmask(attr, &none);
    return rc != 0 ? rc : posix_spawnattr_setsigdefault(attr, &all);
}

static int execute(const patio_executor *x, child *c, const ends *e)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t          attr;
    char                       name[] = "patio-child";
    char                       role[] = PATIO_CHILD_ARGUMENT;
    char                      *argv[] = {name, role, NULL};
    int                        rc     = posix_spawn_file_actions_init(&actions);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        rc = add_actions(x, e, &actions);
        rc = rc != 0 ? rc : set_attributes(&attr);
        rc = rc != 0 ? rc : posix_spawn(&c->pid, x->program, &actions, &attr, argv, environ);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* ---- hello ---- */

static bool say_hello(patio_executor *x, const child *c)
{
    const patio_child_setup  *setup = x->setup;
    const patio_option_value *v     = x->values;
    patio_child_hello         h     = {
                    .magic               = PATIO_CHILD_MAGIC,
                    .version             = PATIO_CHILD_VERSION,
                    .incarnation         = c->incarnation,
                    .max_body_bytes      = setup->max_body_bytes,
                    .max_decode_bytes    = setup->max_decode_bytes,
                    .shared_bytes        = x->shared_bytes,
                    .address_space_bytes = (uint64_t)v[OPT_ADDRESS_SPACE].number,
                    .log_level           = PATIO_LOG_TRACE,
                    .niceness            = (int32_t)v[OPT_NICE].number,
                    .core_dumps          = (uint32_t)v[OPT_CORE_DUMPS].number,
                    .module_count        = setup->embedded != 0 ? 0 : setup->module_count,
                    .parent              = (uint32_t)getpid(),
    };
    while (h.log_level < PATIO_LOG_OFF && !x->host->log_on(x->host->self, h.log_level)) {
        h.log_level++;
    }
    char   text[PATIO_CHILD_PACKET / 2];
    size_t size = strlen(setup->project) + 1;
    memcpy(text, setup->project, size);
    for (uint32_t i = 0; i < h.module_count; i++) {
        size_t length = strlen(setup->modules[i]) + 1;
        if (length > sizeof(text) - size) {
            errno = E2BIG;
            return false;
        }
        memcpy(text + size, setup->modules[i], length);
        size += length;
    }
    h.text_bytes        = (uint32_t)size;
    patio_child_frame f = {.type = PATIO_CHILD_HELLO};
    pthread_mutex_lock(&x->lock);
    size_t packet = patio_child_put(x->packet, &f, &h, text, size, NULL);
    bool   sent   = patio_child_send(c->jobs_fd, x->packet, packet, -1, MSG_DONTWAIT);
    pthread_mutex_unlock(&x->lock);
    return sent;
}

static bool watch_child(patio_executor *x, child *c)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)c->pid);
    c->statm_fd = open(path, O_RDONLY | O_CLOEXEC);
    return life_watch(c) && loop_watch(x, c, c->pid_fd, WATCH_PID) &&
           loop_watch(x, c, c->jobs_fd, WATCH_JOBS) && loop_watch(x, c, c->bell_fd, WATCH_BELL) &&
           loop_watch(x, c, c->words_fd, WATCH_WORDS) &&
           loop_watch(x, c, c->streams[0].fd, WATCH_OUT) &&
           loop_watch(x, c, c->streams[1].fd, WATCH_ERR);
}

void spawn_close(patio_executor *x, child *c)
{
    life_fini(c);
    loop_close(x, &c->pid_fd);
    loop_close(x, &c->jobs_fd);
    loop_close(x, &c->words_fd);
    loop_close(x, &c->bell_fd);
    loop_close(x, &c->streams[0].fd);
    loop_close(x, &c->streams[1].fd);
    close_fd(c->statm_fd);
    words_fini(x, c);
    patio_child_page_unmap(c->page);
    x->host->free(x->host->self, c);
}

static child *new_child(patio_executor *x)
{
    child *c = x->host->alloc(x->host->self, sizeof(*c));
    if (c != NULL) {
        memset(c, 0, sizeof(*c));
        c->x          = x;
        c->generation = x->generation;
        c->state      = CHILD_STARTING;
        c->pid_fd     = -1;
        c->jobs_fd    = -1;
        c->words_fd   = -1;
        c->statm_fd   = -1;
        c->bell_fd    = -1;
        c->words_end  = &c->words;
        (void)pthread_mutex_init(&c->words_lock, NULL);
        c->streams[0].fd = -1;
        c->streams[1].fd = -1;
    }
    return c;
}

/* Called by the loop's thread only: a child gets a signal when the thread that started it ends. */
patio_status spawn_child(patio_executor *x, patio_error *err)
{
    ends   e  = {-1, -1, -1, -1, -1, -1};
    child *c  = new_child(x);
    int    rc = 0;
    if (c == NULL ||
        x->host->random(x->host->self, &c->incarnation, sizeof(c->incarnation)) != PATIO_OK) {
        x->host->free(x->host->self, c);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "start a child process: out of memory");
    }
    if (!make_channels(c, &e)) {
        rc = errno;
        close_ends(&e);
        spawn_close(x, c);
        return patio_fail(err, PATIO_IO, rc, "make channels to a child process: %s",
                          strerrordesc_np(rc));
    }
    rc = execute(x, c, &e);
    close_ends(&e);
    if (rc != 0) {
        spawn_close(x, c);
        return patio_fail(err, PATIO_IO, rc, "start child process %s%s%s: %s", x->program,
                          x->directory[0] != '\0' ? " in " : "", x->directory, strerrordesc_np(rc));
    }
    c->born_ns  = pool_now(x);
    c->moved_ns = c->born_ns;
    if (!watch_child(x, c) || !say_hello(x, c)) {
        rc = errno;
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
        spawn_close(x, c);
        return patio_fail(err, PATIO_IO, rc, "talk to child process %s%s%s: %s", x->program,
                          x->directory[0] != '\0' ? " in " : "", x->directory, strerrordesc_np(rc));
    }
    pthread_mutex_lock(&x->lock);
    c->next     = x->children;
    x->children = c;
    pthread_mutex_unlock(&x->lock);
    return PATIO_OK;
}
