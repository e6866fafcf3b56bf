/* replay_main.c: runs a fuzz target over files and over the files of folders, without libFuzzer.
 *     fuzz_request tests/fuzz/corpus/fuzz_request */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True if it could be read. The memory ends where the file does, so that a sanitizer sees more. */
static int replay_file(const char *path, long size)
{
    FILE    *file = fopen(path, "rb");
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    int ok = file != NULL && data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size;
    if (ok) {
        (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    } else {
        (void)fprintf(stderr, "replay: cannot read %s\n", path);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(data);
    return ok;
}

/* How many files were replayed; -1 if one could not be. */
static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        (void)fprintf(stderr, "replay: there is no %s\n", path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return replay_file(path, (long)st.st_size) ? 1 : -1;
    }
    int  count = 0;
    DIR *dir   = opendir(path);
    if (dir == NULL) {
        return -1;
    }
    for (const struct dirent *e = readdir(dir); e != NULL && count >= 0; e = readdir(dir)) {
        char below[PATH_MAX];
        int  size = snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.') {
            continue;
        }
        int more = size > 0 && (size_t)size < sizeof(below) ? replay(below) : -1;
        count    = more >= 0 ? count + more : -1;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);
        if (count < 0) {
            return 1;
        }
        total += count;
    }
    (void)printf("%d inputs replayed\n", total);
    return total > 0 ? 0 : 1;
}
