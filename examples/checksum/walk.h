/* walk.h: the regular files below a folder, one at a time.
 *
 * Symbolic links are not followed, but for the folder itself. Memory and open descriptors grow with
 * the depth of the tree, never with the number of files.
 */
#ifndef CHECKSUM_WALK_H
#define CHECKSUM_WALK_H

#include <dirent.h>
#include <stddef.h>

/* A folder below the root that cannot be read. `shown` is borrowed. */
typedef void (*walk_problem_fn)(void *arg, const char *shown, int os_errno);

typedef struct walk_level {
    DIR   *dir;
    size_t path_size;
} walk_level;

typedef struct walk {
    char           *path; /* absolute, of the entry looked at */
    size_t          room;
    size_t          skip; /* path + skip is the name as the user wrote it */
    walk_level     *levels;
    size_t          depth;
    size_t          depth_room;
    walk_problem_fn on_problem;
    void           *arg;
} walk;

/* Open the folder. 0, or the errno; then there is nothing to close. */
int walk_open(walk *w, const char *dir, walk_problem_fn on_problem, void *arg);
/* The absolute path of the next regular file, so that a worker elsewhere can open it too; NULL
 * after the last. Borrowed until the next call; walk_shown gives the name the user would write. */
const char *walk_next(walk *w);
/* The part of an absolute path that begins with the DIR given. */
const char *walk_shown(const walk *w, const char *path);
void        walk_close(walk *w);

#endif
