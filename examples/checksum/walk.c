#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"

/* path = its first `size` bytes, a slash where there is none, and name. */
static size_t set_path(walk *w, size_t size, const char *name)
{
    size_t name_size = strlen(name);
    size_t need      = size + name_size + 2;
    if (need > w->room) {
        w->room = 2 * need;
        w->path = got(realloc(w->path, w->room));
    }
    if (size > 0 && w->path[size - 1] != '/') {
        w->path[size++] = '/';
    }
    memcpy(w->path + size, name, name_size + 1);
    return size + name_size;
}

/* Begin with the folder that w->path names. Takes the descriptor. */
static int push(walk *w, int fd, size_t path_size)
{
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int problem = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return problem;
    }
    if (w->depth == w->depth_room) {
        w->depth_room = w->depth_room > 0 ? 2 * w->depth_room : 16;
        w->levels     = got(reallocarray(w->levels, w->depth_room, sizeof(*w->levels)));
    }
    w->levels[w->depth++] = (walk_level){dir, path_size};
    return 0;
}

int walk_open(walk *w, const char *dir, walk_problem_fn on_problem, void *arg)
{
    *w = (walk){.on_problem = on_problem, .arg = arg};
    if (dir[0] != '/') {
        char *here = getcwd(NULL, 0);
        if (here == NULL) {
            return errno;
        }
        w->skip = set_path(w, set_path(w, 0, here), ""); /* with the slash */
        free(here);
    }
    size_t size    = set_path(w, w->skip, dir);
    int    problem = push(w, open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), size);
    if (problem != 0) {
        walk_close(w);
    }
    return problem;
}

/* DT_REG, DT_DIR …; a few file systems do not say it in the entry. */
static unsigned type_of(const walk_level *level, const struct dirent *entry)
{
    struct stat about;
    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type;
    }
    if (fstatat(dirfd(level->dir), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) {
        return DT_REG; /* whoever opens it will hear why */
    }
    return (unsigned)IFTODT(about.st_mode);
}

static void enter(walk *w, const char *name, size_t path_size)
{
    int parent  = dirfd(w->levels[w->depth - 1].dir);
    int fd      = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int problem = push(w, fd, path_size);
    if (problem != 0) {
        w->on_problem(w->arg, walk_shown(w, w->path), problem);
    }
}

/* The folder on top has no more entries, or an error instead of the next. */
static void leave(walk *w, int problem)
{
    walk_level *level         = &w->levels[--w->depth];
    w->path[level->path_size] = '\0';
    if (problem != 0) {
        w->on_problem(w->arg, walk_shown(w, w->path), problem);
    }
    (void)closedir(level->dir);
}

const char *walk_next(walk *w)
{
    while (w->depth > 0) {
        const walk_level *level    = &w->levels[w->depth - 1];
        errno                      = 0;
        const struct dirent *entry = readdir(level->dir);
        if (entry == NULL) {
            leave(w, errno);
            continue;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        size_t   size = set_path(w, level->path_size, entry->d_name);
        unsigned type = type_of(level, entry);
        if (type == DT_REG) {
            return w->path;
        }
        if (type == DT_DIR) {
            enter(w, entry->d_name, size);
        }
    }
    return NULL;
}

const char *walk_shown(const walk *w, const char *path)
{
    return path + w->skip;
}

void walk_close(walk *w)
{
    while (w->depth > 0) {
        (void)closedir(w->levels[--w->depth].dir);
    }
    free(w->levels);
    free(w->path);
    *w = (walk){0};
}
