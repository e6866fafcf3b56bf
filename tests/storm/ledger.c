#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"

bool storm_ledger_open(storm_ledger *l, const char *dir, const char *who)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/ledger.%s.%ld", dir, who, (long)getpid());
    l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return l->fd >= 0;
}

static void write_line(int fd, const char *line, int size)
{
    if (size <= 0 || write(fd, line, (size_t)size) != size) {
        abort(); /* a ledger with holes proves nothing */
    }
}

void storm_note(storm_ledger *l, char what, patio_id id, const char *text)
{
    char line[160];
    char hex[33];
    patio_id_format(id, hex);
    write_line(
        l->fd, line,
        snprintf(line, sizeof(line), "%c %s %" PRIu64 " %.60s\n", what, hex, storm_now_ms(), text));
}

void storm_note_fault(const char *dir, const char *kind, long pid, uint64_t begin_ms)
{
    char path[1024];
    char line[160];
    (void)snprintf(path, sizeof(path), "%s/faults", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    write_line(fd, line,
               snprintf(line, sizeof(line), "%.20s %ld %" PRIu64 " %" PRIu64 "\n", kind, pid,
                        begin_ms, storm_now_ms()));
    (void)close(fd);
}

static void *grown(void *items, size_t count, size_t size)
{
    bool  full  = (count & (count - 1)) == 0; /* 0 and each power of two */
    void *moved = full ? realloc(items, (count > 0 ? 2 * count : 1) * size) : items;
    if (moved == NULL) {
        abort();
    }
    return moved;
}

static bool take_line(storm_book *b, const char *text, uint32_t pid)
{
    storm_line l       = {.pid = pid, .order = (uint32_t)b->line_count};
    char       hex[33] = "";
    int        read    = 0;
    bool readable = sscanf(text, "%c %32s %" SCNu64 " %n", &l.what, hex, &l.at_ms, &read) == 3 &&
                    strchr("AURBCSFD", l.what) != NULL && patio_id_parse(hex, &l.id) == PATIO_OK;
    if (readable) {
        l.ok                    = strcmp(text + read, "ok") == 0;
        l.foreign               = strcmp(text + read, "wrong") == 0;
        b->lines                = grown(b->lines, b->line_count, sizeof(l));
        b->lines[b->line_count] = l;
        b->line_count++;
    }
    return readable;
}

static bool take_fault(storm_book *b, const char *text)
{
    storm_fault f        = {0};
    bool        readable = sscanf(text, "%20s %" SCNu32 " %" SCNu64 " %" SCNu64, f.kind, &f.pid,
                                  &f.begin_ms, &f.end_ms) == 4;
    if (readable) {
        b->faults                 = grown(b->faults, b->fault_count, sizeof(f));
        b->faults[b->fault_count] = f;
        b->fault_count++;
    }
    return readable;
}

static void read_file(storm_book *b, const char *dir, const char *name)
{
    char        path[1400];
    char        text[256];
    const char *pid = strrchr(name, '.');
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(text, sizeof(text), f) != NULL) {
        size_t end = strcspn(text, "\n");
        if (text[end] == '\0' && feof(f)) {
            break; /* cut off by a kill */
        }
        text[end] = '\0';
        b->unreadable += pid != NULL ? !take_line(b, text, (uint32_t)strtoul(pid + 1, NULL, 10))
                                     : !take_fault(b, text);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static int by_task_and_time(const void *x, const void *y)
{
    const storm_line *a    = x;
    const storm_line *b    = y;
    int               task = memcmp(&a->id, &b->id, sizeof(a->id));
    if (task != 0) {
        return task;
    }
    return a->at_ms != b->at_ms ? (a->at_ms < b->at_ms ? -1 : 1) : (a->order < b->order ? -1 : 1);
}

void storm_book_read(storm_book *b, const char *dir)
{
    DIR           *d     = opendir(dir);
    struct dirent *entry = NULL;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (strncmp(entry->d_name, "ledger.", 7) == 0 || strcmp(entry->d_name, "faults") == 0) {
            read_file(b, dir, entry->d_name);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    if (b->line_count > 0) {
        qsort(b->lines, b->line_count, sizeof(*b->lines), by_task_and_time);
    }
}

void storm_book_free(storm_book *b)
{
    free(b->lines);
    free(b->faults);
}
