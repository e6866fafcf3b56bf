#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

enum {
    RUNS_MAX = 64, /* of one task; each but the first has to be explained */
    /* A fault hits also what has ended this long before it, for its settlement was under way, and
     * what begins this long after it, for its worker had it already. */
    NEAR_MS = 1000,
};

enum {
    LOST,
    AGAIN,
    REJECTED_RAN,
    NOBODYS,
    UNSTARTED,
    TWO_OUTCOMES,
    FOREIGN,
    UNRESOLVED,
    RESOLVED_TWICE,
    NEVER_BEGUN,
    WRONGS
};

static const char *const names[WRONGS] = {
    [LOST]           = "accepted tasks were neither finished nor are they dead letters",
    [AGAIN]          = "runs of tasks that had run before, with no fault that explains it",
    [REJECTED_RAN]   = "tasks were rejected, and taken all the same",
    [NOBODYS]        = "tasks ran that nobody has sent",
    [UNSTARTED]      = "runs finished without a start",
    [TWO_OUTCOMES]   = "sends had two outcomes",
    [FOREIGN]        = "calls got somebody else's reply",
    [UNRESOLVED]     = "calls were never resolved",
    [RESOLVED_TWICE] = "calls were resolved twice",
    [NEVER_BEGUN]    = "calls were resolved that had never begun",
};

typedef struct run {
    uint64_t begin_ms;
    uint64_t end_ms; /* UINT64_MAX: it did not finish */
    uint32_t pid;
} run;

typedef struct verdict {
    storm_book         *book;
    const storm_limits *limits;
    uint64_t            noted[256]; /* lines of each kind */
    uint64_t            answered;
    uint64_t            again; /* runs but the first of a task */
    uint64_t            wrong[WRONGS];
    patio_id            such_as[WRONGS];
} verdict;

static void wrong(verdict *v, int what, const patio_id *id, uint64_t times)
{
    if (times > 0 && v->wrong[what] == 0) {
        v->such_as[what] = *id;
    }
    v->wrong[what] += times;
}

/* Did it hit this run, so that there could be the later one? */
static bool hits(const storm_fault *f, const run *r, const run *later)
{
    bool after  = r->begin_ms > f->end_ms + NEAR_MS;
    bool before = r->end_ms != UINT64_MAX && r->end_ms + NEAR_MS < f->begin_ms;
    return (f->pid == 0 || f->pid == r->pid) && f->begin_ms <= later->begin_ms && !after && !before;
}

static bool hits_one_of(const storm_fault *f, const run *runs, uint32_t later)
{
    for (uint32_t i = 0; i < later; i++) {
        if (hits(f, &runs[i], &runs[later])) {
            return true;
        }
    }
    return false;
}

/* A killed worker and a cut link explain no more runs than they can have hit. A server that was
 * killed may have forgotten all settlements of its last moments, however many they were. */
static bool explained(verdict *v, const run *runs, uint32_t later, uint64_t sent_ms)
{
    storm_book *b = v->book;
    for (size_t n = 0; n < 2 * b->fault_count; n++) {
        storm_fault *f      = &b->faults[n % b->fault_count];
        bool         unrun  = n >= b->fault_count; /* it hit a delivery that had not become a run */
        bool         server = !unrun && strcmp(f->kind, "command") == 0;
        uint32_t     most   = f->pid != 0 ? v->limits->of_one : v->limits->of_all;
        bool         lives =
            v->limits->copies && f->begin_ms <= runs[later].begin_ms && f->end_ms >= sent_ms;
        if ((server || f->explains < most) && (unrun ? lives : hits_one_of(f, runs, later))) {
            f->explains++;
            return true;
        }
    }
    return false;
}

/* The runs of one task, in the order of their starts. */
static uint32_t collect(verdict *v, const storm_line *l, size_t count, run *runs)
{
    uint32_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t r = n;
        if (l[i].what == 'S' && n < RUNS_MAX) {
            runs[n++] = (run){l[i].at_ms, UINT64_MAX, l[i].pid};
        }
        if (l[i].what != 'F') {
            continue;
        }
        while (r > 0 && (runs[r - 1].pid != l[i].pid || runs[r - 1].end_ms != UINT64_MAX)) {
            r--;
        }
        if (r > 0) {
            runs[r - 1].end_ms = l[i].at_ms;
        } else {
            wrong(v, UNSTARTED, &l->id, 1);
        }
    }
    return n;
}

static void judge_task(verdict *v, const storm_line *l, size_t count)
{
    run      runs[RUNS_MAX];
    uint64_t n[256]  = {0};
    uint64_t ok      = 0;
    uint64_t foreign = 0;
    for (size_t i = 0; i < count; i++) {
        n[(unsigned char)l[i].what]++;
        v->noted[(unsigned char)l[i].what]++;
        ok += l[i].what == 'C' && l[i].ok;
        foreign += l[i].what == 'C' && l[i].foreign;
    }
    uint32_t started = collect(v, l, count, runs);
    for (uint32_t later = 1; later < started; later++) {
        v->again++;
        wrong(v, AGAIN, &l->id, !explained(v, runs, later, l->at_ms));
    }
    v->answered += ok > 0;
    wrong(v, LOST, &l->id, n['A'] + ok > 0 && n['F'] == 0 && n['D'] == 0);
    wrong(v, REJECTED_RAN, &l->id, n['R'] > 0 && n['S'] + n['D'] > 0);
    wrong(v, NOBODYS, &l->id, n['A'] + n['U'] + n['R'] + n['B'] + n['C'] == 0);
    wrong(v, TWO_OUTCOMES, &l->id, n['A'] + n['U'] + n['R'] > 1);
    wrong(v, FOREIGN, &l->id, foreign);
    wrong(v, UNRESOLVED, &l->id, n['B'] > 0 && n['C'] == 0);
    wrong(v, RESOLVED_TWICE, &l->id, n['C'] > 1);
    wrong(v, NEVER_BEGUN, &l->id, n['C'] > 0 && n['B'] == 0);
}

/* "12 kills (3)": so many, and what they explain; once for each kind. */
static void print_faults(const storm_book *b)
{
    printf("%zu faults", b->fault_count);
    for (size_t n = 0; n < b->fault_count; n++) {
        const char *kind     = b->faults[n].kind;
        uint64_t    count    = 0;
        uint64_t    explains = 0;
        bool        seen     = false;
        for (size_t i = 0; i < b->fault_count; i++) {
            bool same = strcmp(b->faults[i].kind, kind) == 0;
            seen      = seen || (same && i < n);
            count += same;
            explains += same ? b->faults[i].explains : 0;
        }
        if (!seen) {
            printf(", %" PRIu64 " x %s (explains %" PRIu64 ")", count, kind, explains);
        }
    }
    printf("\n");
}

static bool print(const verdict *v)
{
    const uint64_t *n      = v->noted;
    uint64_t        failed = n['C'] - v->answered;
    bool            ok     = true;
    printf("sends: %" PRIu64 " accepted, %" PRIu64 " rejected, %" PRIu64 " unknown\n", n['A'],
           n['R'], n['U']);
    printf("calls: %" PRIu64 " begun, %" PRIu64 " answered, %" PRIu64 " ended otherwise\n", n['B'],
           v->answered, failed);
    printf("runs:  %" PRIu64 " started, %" PRIu64 " finished, %" PRIu64 " of a task that had run "
           "before; %" PRIu64 " dead letters\n",
           n['S'], n['F'], v->again, n['D']);
    print_faults(v->book);
    for (int what = 0; what < WRONGS; what++) {
        char hex[33];
        if (v->wrong[what] > 0) {
            patio_id_format(v->such_as[what], hex);
            printf("WRONG: %" PRIu64 " %s (%s)\n", v->wrong[what], names[what], hex);
            ok = false;
        }
    }
    if (v->answered * 100 < n['B'] * v->limits->answered) {
        printf("WRONG: fewer than %" PRIu32 " %% of the calls were answered\n",
               v->limits->answered);
        ok = false;
    }
    if (v->book->unreadable > 0) {
        printf("WRONG: %" PRIu64 " lines of the ledger are not readable\n", v->book->unreadable);
        ok = false;
    }
    if (n['A'] + v->answered == 0) {
        printf("WRONG: a storm without a single task\n");
        ok = false;
    }
    return ok;
}

/* What hit this very worker explains a run before what hit all of them. */
static int of_one_first(const void *x, const void *y)
{
    const storm_fault *a = x;
    const storm_fault *b = y;
    if ((a->pid == 0) != (b->pid == 0)) {
        return a->pid == 0 ? 1 : -1;
    }
    return a->begin_ms != b->begin_ms ? (a->begin_ms < b->begin_ms ? -1 : 1) : 0;
}

int storm_check(const char *dir, const storm_limits *limits)
{
    storm_book book = {0};
    verdict    v    = {.book = &book, .limits = limits};
    storm_book_read(&book, dir);
    if (book.fault_count > 0) {
        qsort(book.faults, book.fault_count, sizeof(*book.faults), of_one_first);
    }
    for (size_t from = 0, to = 0; from < book.line_count; from = to) {
        while (to < book.line_count &&
               memcmp(&book.lines[to].id, &book.lines[from].id, sizeof(patio_id)) == 0) {
            to++;
        }
        judge_task(&v, &book.lines[from], to - from);
    }
    bool ok = print(&v);
    storm_book_free(&book);
    printf(ok ? "the ledger is clean\n" : "the ledger is NOT clean\n");
    return ok ? 0 : 1;
}
