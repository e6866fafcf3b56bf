/* cmd_worker.c: `patio worker`: run tasks until SIGTERM or SIGINT, then drain; on SIGHUP, reload.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <patio/transport.h>

#include "commands.h"
#include "exits.h"
#include "notify.h"
#include "parse.h"
#include "session.h"
#include "signals.h"
#include "starting.h"

enum {
    KEY_DRAIN_TIMEOUT = 0x200,
    KEY_STRICT,
    KEY_EXEC,
    KEY_READY_FILE,
    LINK_CHECK_MS   = 1000,
    RELOAD_CHECK_MS = 50,
};

static const struct argp_option options[] = {
    {"exec", KEY_EXEC, "NAME=COMMAND", 0,
     "Make a program a task: its input is the payload, its result what it writes; {0} and {name} "
     "are arguments; again for more",
     1},
    {"drain-timeout", KEY_DRAIN_TIMEOUT, "TIME", 0,
     "How long running tasks may go on after a signal: 25s, 2min ... (default 25s)", 2},
    {"queues", 'q', "NAME[:WEIGHT],...", 0,
     "Take tasks from these queues alone; while several have some, by weight (default 1)", 2},
    {"strict-order", KEY_STRICT, NULL, 0,
     "Take from the first queue of -q as long as it has tasks, then from the second ...", 2},
    {"ready-file", KEY_READY_FILE, "PATH", 0,
     "A file that is there while the worker is fit for work, for probes", 2},
    {0},
};

static const char doc[] =
    "Run tasks of one or more task modules until SIGTERM or SIGINT arrives."
    "\v"
    "On the first signal the worker takes nothing new, gives back what has not started, and lets "
    "running tasks finish. It exits with 0 when all of them did, with 8 when some were still "
    "running at the end of the drain timeout. A second signal ends it at once, with 130.\n"
    "\n"
    "Where nobody can be reached yet the worker starts all the same and goes on trying; its log, "
    "its --ready-file and systemd say ready once it is connected. A wrong key, password or "
    "certificate ends it. With -o connect_required=true so does connecting that takes longer than "
    "connect_timeout_ms.\n"
    "\n"
    "On SIGHUP the children of the executor \"process\" are replaced one after another by new ones "
    "that load the task modules from disk; running tasks finish, none is lost. If a new one does "
    "not come up, the old ones go on and the log says why. What other executors run is part of the "
    "worker: restart it.\n"
    "\n"
    "  patio worker -b memory:// -m ./tasks.so -j 4\n\n"
    "  patio worker -b tcp+listen://localhost --exec 'wc=wc -l' --exec 'greet=echo hello {0}'\n\n"
    "  patio worker -f patio.yaml --log-format json\n"
    "\n"
    "Environment, then the files of -f, then the command line: later ones win. "
    "`patio help exit-codes` lists all exit codes.";

/* "high:3,low": the weights are options of the queues; what is no name or number is found out where
 * the options are checked. */
static void add_queues(struct argp_state *state, cli_options *common, const char *list)
{
    while (*list != '\0') {
        size_t      size  = strcspn(list, ",");
        const char *colon = memchr(list, ':', size);
        size_t      name  = colon != NULL ? (size_t)(colon - list) : size;
        char        weight[16];
        char        key[320];
        if (name == 0 || name > 255) {
            argp_error(state,
                       "-q wants NAME or NAME:WEIGHT, several with commas between, not \"%s\"",
                       list);
        }
        (void)snprintf(key, sizeof(key), "queues.%.*s.weight", (int)name, list);
        (void)snprintf(weight, sizeof(weight), "%.*s", colon != NULL ? (int)(size - name - 1) : 1,
                       colon != NULL ? colon + 1 : "1");
        cli_options_set(common, key, weight, "-q on the command line");
        list += size + (list[size] == ',' ? 1 : 0);
    }
}

/* NAME=COMMAND becomes tasks.NAME.executor and tasks.NAME.command. */
static void add_command(cli_options *common, const char *pair, struct argp_state *state)
{
    size_t      size;
    const char *command;
    char        key[320];
    if (!cli_parse_pair(pair, &size, &command) || size > 255) {
        argp_error(state, "--exec wants NAME=COMMAND, not \"%s\"", pair);
        return;
    }
    (void)snprintf(key, sizeof(key), "tasks.%.*s.executor", (int)size, pair);
    cli_options_set(common, key, "command", "--exec on the command line");
    (void)snprintf(key, sizeof(key), "tasks.%.*s.command", (int)size, pair);
    cli_options_set(common, key, command, "--exec on the command line");
    common->has_commands = true;
}

static error_t parse(int key, char *marked, struct argp_state *state)
{
    cli_options *common = state->input;
    const char  *arg    = cli_unmark(marked);
    uint64_t     ms;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = common;
        state->child_inputs[1] = common;
        return 0;
    case KEY_DRAIN_TIMEOUT:
        if (!cli_parse_duration(arg, &ms)) {
            argp_error(state, "--drain-timeout wants a time such as 25s or 2min, not \"%s\"", arg);
        }
        cli_options_set(common, "drain_timeout_ms", arg, "--drain-timeout on the command line");
        return 0;
    case 'q':
        add_queues(state, common, arg);
        return 0;
    case KEY_STRICT:
        cli_options_set(common, "queue_order", "strict", "--strict-order on the command line");
        return 0;
    case KEY_READY_FILE:
        common->ready_file = arg;
        return 0;
    case KEY_EXEC:
        add_command(common, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (common->has_commands && !common->has_executor && common->modules.count == 0) {
            /* -j and the like are then meant for the programs */
            cli_options_set(common, "executor.name", "command", "--exec on the command line");
        }
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"; -b and -m take one value each time", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static patio_broker_stats read_stats(const cli_session *session)
{
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    patio_broker_get_stats(session->broker, &stats);
    return stats;
}

static void log_ready(const cli_session *session)
{
    cli_session_log(session, PATIO_LOG_INFO,
                    "ready: project \"%s\", transport %s, executor %s, %zu tasks, pid %ld",
                    patio_broker_project(session->broker), patio_broker_transport(session->broker),
                    patio_broker_executor(session->broker), patio_registry_count(session->registry),
                    (long)getpid());
}

/* true: it is under way. */
static bool begin_reload(const cli_session *session, cli_notify *notify)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_broker_reload(session->broker, &err);
    cli_notify_reloading(notify);
    cli_session_log(session, st == PATIO_OK ? PATIO_LOG_INFO : PATIO_LOG_WARN, "SIGHUP: %s",
                    st == PATIO_OK ? "loading the tasks anew" : err.message);
    return st == PATIO_OK;
}

static void log_signal(const cli_session *session, int number)
{
    cli_session_log(session, PATIO_LOG_INFO,
                    "SIG%s: draining for up to %llu ms, %llu tasks are running",
                    sigabbrev_np(number), (unsigned long long)cli_session_drain_ms(session),
                    (unsigned long long)read_stats(session).tasks_running);
}

/* Work until a signal comes, or until something is wrong that waiting cannot heal. */
static int wait_for_end(const cli_session *session, cli_notify *notify)
{
    bool reloading = false;
    bool was_ready = false;
    for (;;) {
        patio_health health = {PATIO_SIZED(patio_health)};
        if (reloading && patio_broker_reload_state(session->broker) != PATIO_RELOAD_RUNNING) {
            reloading = false;
            cli_notify_reloaded(notify);
        }
        patio_broker_health(session->broker, &health);
        cli_notify_health(notify, &health);
        if (health.ready != 0 && !was_ready) {
            was_ready = true;
            log_ready(session);
        }
        if (health.state == PATIO_HEALTH_WORN_OUT) {
            cli_session_log(session, PATIO_LOG_ERROR, "%s; draining, to be begun anew",
                            health.reason);
            return CLI_EXIT_RECYCLE;
        }
        if (health.state == PATIO_HEALTH_DOWN) {
            cli_session_log(session, PATIO_LOG_ERROR, "%s; it has given up; draining",
                            health.reason);
            return CLI_EXIT_UNREACHABLE;
        }
        int number = cli_signals_wait(
            (uint32_t)cli_notify_pause_ms(notify, reloading ? RELOAD_CHECK_MS : LINK_CHECK_MS));
        if (number == SIGHUP) {
            reloading = begin_reload(session, notify);
            if (!reloading) {
                cli_notify_reloaded(notify);
            }
        } else if (number != 0) {
            log_signal(session, number);
            return CLI_EXIT_OK;
        }
    }
}

static int drain(const cli_session *session)
{
    patio_error        err = PATIO_ERROR_INIT;
    patio_status       st = patio_broker_stop(session->broker, cli_session_drain_ms(session), &err);
    patio_broker_stats stats = read_stats(session);
    if (st == PATIO_TIMEOUT) {
        cli_session_log(
            session, PATIO_LOG_WARN,
            "drain timeout passed: tasks still running and left to another worker: %llu",
            (unsigned long long)stats.tasks_running);
        return CLI_EXIT_DRAIN;
    }
    if (st != PATIO_OK) {
        return cli_fail("drain", st, &err);
    }
    cli_session_log(session, PATIO_LOG_INFO, "drained: %llu tasks ok, %llu failed, %llu given back",
                    (unsigned long long)stats.tasks_ok, (unsigned long long)stats.tasks_failed,
                    (unsigned long long)stats.tasks_returned);
    return CLI_EXIT_OK;
}

static int run(cli_session *session, const char *ready_file)
{
    cli_notify notify;
    if (session->registry == NULL || patio_registry_count(session->registry) == 0) {
        return cli_usage(
            "worker",
            "there are no tasks to run: give -m TASKS.so or --exec NAME=COMMAND, or write "
            "\"modules:\" into a file for -f");
    }
    if (!cli_notify_start(&notify, ready_file)) {
        return CLI_EXIT_USAGE;
    }
    int number = 0;
    int code   = cli_start(session, &number);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    if (number != 0) {
        log_signal(session, number);
    } else {
        code = wait_for_end(session, &notify);
    }
    cli_notify_stop(&notify);
    int drain_code = drain(session);
    if (drain_code == CLI_EXIT_DRAIN) {
        /* Threads cannot be killed, and closing would wait for them: leave without. */
        _exit(code == CLI_EXIT_RECYCLE ? code : drain_code);
    }
    return code != CLI_EXIT_OK ? code : drain_code;
}

int cmd_worker(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&cli_broker_argp, 0, NULL, 0}, {&cli_config_argp, 0, "Configuration:", 10}, {0}};
    static const struct argp parser = {options, parse, NULL, doc, children, NULL, NULL};

    cli_options common = {.may_wait = true};
    cli_mark_numbers(argc, argv);
    (void)argp_parse(&parser, argc, argv, 0, NULL, &common);
    cli_session session = {0};
    int         code    = CLI_EXIT_INTERNAL;
    if (cli_signals_start()) {
        code = cli_session_prepare(&session, "worker", &common, NULL);
    }
    if (code == CLI_EXIT_OK) {
        code = run(&session, common.ready_file);
    }
    cli_session_close(&session);
    cli_options_fini(&common);
    return code;
}
