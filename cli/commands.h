/* commands.h: the subcommands of patio. To add one: a row here and a file cmd_<name>.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* X(name, summary); the function is cmd_<name>. */
#define CLI_COMMANDS(X)                                                                            \
    X(worker, "run tasks until it is told to stop")                                                \
    X(call, "call a task, wait for its result and print it")                                       \
    X(send, "hand over a task and print its id, without waiting")                                  \
    X(cancel, "cancel a task by its id, wherever it is")                                           \
    X(result, "show what became of a task, and its result")                                        \
    X(stats, "show what the queues hold")                                                          \
    X(workers, "list the workers that are there")                                                  \
    X(health, "say whether work can be done, for probes")                                          \
    X(ping, "ask who is there, and how long that takes")                                           \
    X(dlq, "list, show, retry or drop dead letters")                                               \
    X(purge, "remove what waits in a queue")                                                       \
    X(pause, "stop a queue from handing out tasks")                                                \
    X(resume, "open a queue again")                                                                \
    X(drain, "let a queue take nothing new, and be worked off")                                    \
    X(limit, "bound the tasks of a queue that run at once, over all workers")                      \
    X(doctor, "check what the transport stands on, and say what to change")                        \
    X(topology, "print what must be created where patio may not")                                  \
    X(peers, "list who this end is connected with")                                                \
    X(plugins, "list the transports and executors that are installed")                             \
    X(describe, "show the options of a plugin, or the tasks of a module")                          \
    X(bench, "measure calls and sends, beside what the machine itself can do")                     \
    X(conform, "check a plugin against the delivery contract and the plugin ABI")                  \
    X(help, "explain a command, the exit codes or the statuses")

/* Run one subcommand. argv[0] is "patio <name>", so that usage texts name it. Returns the exit code
 * (exits.h). */
#define CLI_X(name, summary) int cmd_##name(int argc, char **argv);
CLI_COMMANDS(CLI_X)
#undef CLI_X

typedef struct cli_command {
    const char *name;
    const char *title; /* "patio worker" */
    const char *summary;
    int (*run)(int argc, char **argv);
} cli_command;

/* Every command; ends with a NULL name. */
extern const cli_command cli_commands[];

/* By name; NULL if there is none. */
const cli_command *cli_command_find(const char *name);
/* Say on standard error that there is no such command, and which one is near. */
void cli_command_unknown(const char *name);

#endif
