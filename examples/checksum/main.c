/* patio-checksum: the SHA-256 of every file below a folder, computed by as many workers as you
 * like, in this process or elsewhere. From here: the configuration, the broker, and who does what.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <patio/patio.h>

#include "job.h"
#include "options.h"
#include "report.h"
#include "task.h"
#include "walk.h"

enum { DRAIN_MS = 25000 };

/* ---- errors and signals ---- */

static int fail(int code, const char *what, patio_status st, const patio_error *err)
{
    bool link = st == PATIO_UNREACHABLE || st == PATIO_AUTH || st == PATIO_BLOCKED;
    (void)fprintf(stderr, "patio-checksum: %s: %s (%s)\n", what, err->message,
                  patio_status_name(st));
    return link ? EXIT_UNREACHABLE : code;
}

/* SIGINT and SIGTERM wait, in every thread, until somebody asks for them. */
static sigset_t signals;

static void hold_signals(void)
{
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static bool stop_wanted(void)
{
    return sigtimedwait(&signals, NULL, &(struct timespec){0}) > 0;
}

/* ---- what runs on a started broker ---- */

static int serve(patio_broker *broker)
{
    patio_error        err   = PATIO_ERROR_INIT;
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    int                number;
    (void)fprintf(stderr, "patio-checksum: serving " CHECKSUM_TASK " on %s, until SIGTERM\n",
                  patio_broker_transport(broker));
    (void)sigwait(&signals, &number);
    patio_status st = patio_broker_stop(broker, DRAIN_MS, &err);
    patio_broker_get_stats(broker, &stats);
    (void)fprintf(stderr, "patio-checksum: %" PRIu64 " files hashed, %" PRIu64 " failed\n",
                  stats.tasks_ok, stats.tasks_failed);
    return st == PATIO_OK ? EXIT_HASHED : fail(EXIT_BROKEN, "stop", st, &err);
}

static void folder_unreadable(void *arg, const char *shown, int os_errno)
{
    report_failure(arg, "UnreadableFolder", shown, strerror(os_errno));
}

static int verdict(const options *o, const report *r, bool complete)
{
    if (!complete) {
        (void)fputs("patio-checksum: ended early by a signal\n", stderr);
        return EXIT_INTERRUPTED;
    }
    if (r->files + r->failed == 0) {
        (void)fprintf(stderr, "patio-checksum: %s: no regular file below it\n", o->dir);
        return EXIT_WRONG;
    }
    return r->failed > 0 ? EXIT_SOME_FAILED : EXIT_HASHED;
}

static int hash(const options *o, patio_broker *broker, walk *w, report *r, FILE *manifest)
{
    job_options job = {
        .broker      = broker,
        .in_flight   = o->in_flight,
        .timeout_ms  = o->timeout_ms,
        .manifest    = manifest,
        .progress    = stderr,
        .stop_wanted = stop_wanted,
    };
    bool complete = job_run(&job, w, r);
    if (r->files + r->failed > 0) {
        report_print(r, manifest == stdout ? stderr : stdout);
    }
    if (manifest != NULL && (fflush(manifest) != 0 || ferror(manifest))) {
        (void)fprintf(stderr, "patio-checksum: %s: lines were lost: %s\n", o->manifest,
                      strerror(errno));
        return EXIT_BROKEN;
    }
    return verdict(o, r, complete);
}

/* What can go wrong on this side goes wrong before the first call. */
static int call(const options *o, patio_broker *broker)
{
    walk  w;
    FILE *manifest = NULL;

    static report r;
    int           problem = walk_open(&w, o->dir, folder_unreadable, &r);
    if (problem != 0) {
        (void)fprintf(stderr, "patio-checksum: %s: %s\n", o->dir, strerror(problem));
        return EXIT_WRONG;
    }
    if (o->manifest != NULL) {
        manifest = strcmp(o->manifest, "-") == 0 ? stdout : fopen(o->manifest, "we");
        if (manifest == NULL) {
            (void)fprintf(stderr, "patio-checksum: %s: %s\n", o->manifest, strerror(errno));
            walk_close(&w);
            return EXIT_BROKEN;
        }
    }
    int code = hash(o, broker, &w, &r, manifest);
    walk_close(&w);
    report_fini(&r);
    if (manifest != NULL && manifest != stdout && fclose(manifest) != 0 && code == EXIT_HASHED) {
        (void)fprintf(stderr, "patio-checksum: %s: %s\n", o->manifest, strerror(errno));
        code = EXIT_BROKEN;
    }
    return code;
}

/* ---- configuration -> broker ---- */

static patio_status configure(const options *o, patio_config *config, patio_error *err)
{
    const char *const settings[][3] = {
        {"broker", o->broker, "--broker"},
        {"executor.workers", o->workers, "--workers"},
        {"project", o->project, "--project"},
    };
    patio_status st = o->config != NULL ? patio_config_load_file(config, o->config, err) : PATIO_OK;
    if (st == PATIO_OK) {
        st = patio_config_load_env(config, err);
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && st == PATIO_OK; i++) {
        if (settings[i][1] != NULL) {
            st = patio_config_set(config, settings[i][0], settings[i][1], settings[i][2], err);
        }
    }
    return st;
}

/* A broker of the role; who only calls has no registry. */
static patio_status make(const options *o, const patio_config *config, patio_registry **registry,
                         patio_broker **broker, patio_error *err)
{
    patio_registry_options named = {PATIO_SIZED(patio_registry_options),
                                    .project = patio_config_get(config, "project")};
    patio_status           st    = PATIO_OK;
    if ((o->role & ROLE_WORKER) != 0) {
        st = patio_registry_create(&named, registry, err);
        if (st == PATIO_OK) {
            st = checksum_task_add(*registry, err);
        }
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(NULL, *registry, config, broker, err);
    }
    return st;
}

static int run(const options *o, patio_broker *broker)
{
    patio_error err = PATIO_ERROR_INIT;
    if (o->role != ROLE_BOTH && strcmp(patio_broker_transport(broker), "memory") == 0) {
        (void)fputs("patio-checksum: memory:// ends with this process, so it needs --role both\n",
                    stderr);
        return EXIT_WRONG;
    }
    patio_status st = patio_broker_start(broker, &err);
    if (st != PATIO_OK) {
        return fail(EXIT_BROKEN, "start", st, &err);
    }
    return o->role == ROLE_WORKER ? serve(broker) : call(o, broker);
}

int main(int argc, char **argv)
{
    options         o;
    patio_error     err      = PATIO_ERROR_INIT;
    patio_config   *config   = NULL;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    options_parse(&o, argc, argv);
    hold_signals();
    patio_status st = patio_config_create(&config, &err);
    if (st == PATIO_OK) {
        st = configure(&o, config, &err);
    }
    if (st == PATIO_OK) {
        st = make(&o, config, &registry, &broker, &err);
    }
    int code = st == PATIO_OK ? run(&o, broker) : fail(EXIT_WRONG, "configuration", st, &err);
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    patio_config_destroy(config);
    checksum_task_fini();
    return code;
}
