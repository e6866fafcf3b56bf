#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "storm.h"

bool storm_ledger_open(storm_ledger *l, const char *dir, const char *who)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/ledger.%s.%ld", dir, who, (long)getpid());
    l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return l->fd >= 0;
}

void storm_note(storm_ledger *l, char what, patio_id id, const char *text)
{
    char line[160];
    char hex[33];
    patio_id_format(id, hex);
    int n = snprintf(line, sizeof(line), "%c %s %.100s\n", what, hex, text);
    if (n > 0 && write(l->fd, line, (size_t)n) != n) {
        abort(); /* a ledger with holes proves nothing */
    }
}

/* What is known of one task, in one word. */
enum { ACCEPTED = 1, UNKNOWN = 2, CALL = 4, ANSWERED = 8, STARTS = 16, FINISHES = 24 };

typedef struct tally {
    kit_map *tasks;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t unknown;
    uint64_t calls_ok;
    uint64_t calls_failed;
    uint64_t wrong_replies;
    uint64_t twice_resolved;
    uint64_t starts;
    uint64_t finishes;
} tally;

static uint64_t key_of(const patio_id *id)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, id->bytes, 8);
    memcpy(&b, id->bytes + 8, 8);
    return (a * UINT64_C(0x9E3779B97F4A7C15)) ^ b;
}

static void take_line(tally *t, char what, const patio_id *id, const char *text)
{
    uint64_t *state = kit_map_at(t->tasks, key_of(id));
    switch (what) {
    case 'A':
        t->accepted++;
        *state |= ACCEPTED;
        break;
    case 'U':
        t->unknown++;
        *state |= UNKNOWN;
        break;
    case 'R':
        t->rejected++;
        break;
    case 'C':
        t->twice_resolved += (*state & ANSWERED) != 0;
        t->calls_ok += strcmp(text, "ok") == 0;
        t->wrong_replies += strcmp(text, "wrong") == 0;
        t->calls_failed += strcmp(text, "ok") != 0 && strcmp(text, "wrong") != 0;
        *state |= CALL | ANSWERED | (strcmp(text, "ok") == 0 ? ACCEPTED : 0);
        break;
    case 'S':
        t->starts++;
        *state += (*state >> STARTS & 0xff) < 0xff ? UINT64_C(1) << STARTS : 0;
        break;
    case 'F':
        t->finishes++;
        *state += (*state >> FINISHES & 0xff) < 0xff ? UINT64_C(1) << FINISHES : 0;
        break;
    default:
        break;
    }
}

static void read_ledger(tally *t, const char *path)
{
    char  line[256];
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        patio_id id;
        char     hex[33];
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line) < 35) {
            continue; /* cut off by a kill */
        }
        memcpy(hex, line + 2, 32);
        hex[32] = '\0';
        if (patio_id_parse(hex, &id) == PATIO_OK) {
            take_line(t, line[0], &id, line + 35);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

typedef struct verdict {
    uint64_t missing;     /* accepted, never finished */
    uint64_t twice;       /* finished more than once */
    uint64_t unattempted; /* finished without a start */
} verdict;

/* The keys are the map's own affair: the accepted ones are read once more. */
static void judge(const tally *t, const char *path, verdict *v, kit_map *judged)
{
    char  line[256];
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        patio_id id;
        char     hex[33];
        if (strlen(line) < 35) {
            continue;
        }
        memcpy(hex, line + 2, 32);
        hex[32] = '\0';
        if (patio_id_parse(hex, &id) != PATIO_OK || ++*kit_map_at(judged, key_of(&id)) > 1) {
            continue;
        }
        uint64_t state    = kit_map_get(t->tasks, key_of(&id));
        uint64_t starts   = state >> STARTS & 0xff;
        uint64_t finishes = state >> FINISHES & 0xff;
        v->missing += (state & ACCEPTED) != 0 && finishes == 0;
        v->twice += finishes > 1;
        v->unattempted += finishes > starts;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static void each_ledger(const char *dir, tally *t, verdict *v, kit_map *judged)
{
    DIR           *d     = opendir(dir);
    struct dirent *entry = NULL;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        char path[1400];
        if (strncmp(entry->d_name, "ledger.", 7) == 0) {
            (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
            if (v == NULL) {
                read_ledger(t, path);
            } else {
                judge(t, path, v, judged);
            }
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
}

static uint64_t dead_letters(const char *dir)
{
    char path[1400];
    char line[32] = "0";
    (void)snprintf(path, sizeof(path), "%s/dead", dir);
    FILE *f = fopen(path, "r");
    if (f != NULL) {
        (void)!fgets(line, sizeof(line), f);
        (void)fclose(f);
    }
    return strtoull(line, NULL, 10);
}

int storm_check(const char *dir, uint64_t kills, uint64_t cuts)
{
    tally    t      = {.tasks = kit_map_new()};
    verdict  v      = {0};
    kit_map *judged = kit_map_new();
    each_ledger(dir, &t, NULL, NULL);
    each_ledger(dir, &t, &v, judged);
    printf("sends: %" PRIu64 " accepted, %" PRIu64 " rejected, %" PRIu64 " unknown\n", t.accepted,
           t.rejected, t.unknown);
    printf("calls: %" PRIu64 " answered, %" PRIu64 " ended otherwise\n", t.calls_ok,
           t.calls_failed);
    printf("runs:  %" PRIu64 " started, %" PRIu64 " finished; %" PRIu64 " tasks finished more than "
           "once beside %" PRIu64 " kills and %" PRIu64 " cuts\n",
           t.starts, t.finishes, v.twice, kills, cuts);
    bool ok = true;
#define MUST_BE_ZERO(number, what)                                                                 \
    if ((number) != 0) {                                                                           \
        printf("WRONG: %" PRIu64 " %s\n", (uint64_t)(number), what);                               \
        ok = false;                                                                                \
    }
    uint64_t dead = dead_letters(dir);
    if (dead > 0) {
        printf("dead letters: %" PRIu64 "\n", dead);
    }
    MUST_BE_ZERO(v.missing > dead ? v.missing - dead : 0,
                 "accepted tasks were neither finished nor are they dead letters")
    MUST_BE_ZERO(v.unattempted, "tasks were finished more often than started")
    MUST_BE_ZERO(t.wrong_replies, "calls got somebody else's reply")
    MUST_BE_ZERO(t.twice_resolved, "calls were resolved twice")
    MUST_BE_ZERO(kills + cuts == 0 ? v.twice : 0, "tasks ran twice though nothing went wrong")
    MUST_BE_ZERO(t.accepted + t.calls_ok == 0, "storm without a single task")
    kit_map_free(t.tasks);
    kit_map_free(judged);
    printf(ok ? "the ledger is clean\n" : "the ledger is NOT clean\n");
    return ok ? 0 : 1;
}
