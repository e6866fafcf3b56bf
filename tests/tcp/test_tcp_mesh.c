/* Each way in which processes can meet. The program is also its nodes:
 *
 *   node NAME CALLS PEERS URL...   executes "NAME", calls the task of each of PEERS (a,b,c) CALLS
 *                                  times, says so on its output, and ends with its input
 *
 * Every node has a task "who" as well, which gives back its process id. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "mesh_node.h"
#include "tcp_world.h"

enum { NODES = 8, CALLS = 100, URLS = 8 };

static const char *program;

typedef struct node {
    pid_t pid;
    int   in;  /* closed: it ends */
    int   out; /* a byte: its calls are done */
} node;

static node nodes[NODES];

static void begin(node *n, const char *name, const char *peers, const char *const *urls)
{
    char        calls[16];
    const char *words[URLS + 6] = {"test_tcp_mesh", "node", name, calls, peers};
    size_t      count           = 5;
    int         in[2];
    int         out[2];
    (void)snprintf(calls, sizeof(calls), "%d", CALLS);
    for (size_t i = 0; urls[i] != NULL; i++) {
        assert_true(count < URLS + 5);
        words[count++] = urls[i];
    }
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    n->pid = fork();
    assert_true(n->pid >= 0);
    if (n->pid == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        execvp(program, (char *const *)(uintptr_t)words);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    n->in  = in[1];
    n->out = out[0];
}

static void wait_done(const node *n)
{
    char c = 0;
    if (read(n->out, &c, 1) != 1 || c != 'k') {
        fail_msg("a node's calls failed");
    }
}

static int end_nodes(void **state)
{
    int wrong = 0;
    (void)state;
    for (int i = 0; i < NODES; i++) {
        int status = 0;
        if (nodes[i].pid > 0) {
            (void)close(nodes[i].in);
            (void)waitpid(nodes[i].pid, &status, 0);
            (void)close(nodes[i].out);
            wrong += status != 0 ? 1 : 0;
        }
        nodes[i] = (node){0};
    }
    return wrong;
}

static const char *url(const char *scheme, const char *name)
{
    static char text[32][96];
    static int  next;
    char       *to = text[next++ % 32];
    (void)snprintf(to, sizeof(text[0]), "%s://%s/%s?reconnect_max_ms=200", scheme, folder, name);
    return to;
}

static const char *at(const char *name)
{
    return url("unix+listen", name);
}

static const char *to(const char *name)
{
    return url("unix", name);
}

/* Somebody listens there: a node that only connects gives up where nobody does for long. */
static void wait_socket(const char *name)
{
    char path[96];
    bool there = false;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (int i = 0; i < WAIT_MS / 10 && !there; i++) {
        there = access(path, F_OK) == 0;
        usleep(there ? 0 : 10 * 1000);
    }
    assert_true(there);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_full_mesh(void **state)
{
    (void)state;
    begin(&nodes[0], "a", "b,c,d", LIST(at("a"), to("b"), to("c"), to("d")));
    begin(&nodes[1], "b", "a,c,d", LIST(at("b"), to("a"), to("c"), to("d")));
    begin(&nodes[2], "c", "a,b,d", LIST(at("c"), to("a"), to("b"), to("d")));
    begin(&nodes[3], "d", "a,b,c", LIST(at("d"), to("a"), to("b"), to("c")));
    for (int i = 0; i < 4; i++) {
        wait_done(&nodes[i]);
    }
}

static void many_clients_and_one_server_call_each_other(void **state)
{
    (void)state;
    enum { CLIENTS = 6 };
    static const char names[CLIENTS + 1] = "bcdefg";
    begin(&nodes[0], "a", "b,c,d,e,f,g", LIST(at("many")));
    wait_socket("many");
    for (int i = 0; i < CLIENTS; i++) {
        const char name[2] = {names[i], '\0'};
        begin(&nodes[i + 1], name, "a", LIST(to("many")));
    }
    for (int i = 0; i <= CLIENTS; i++) {
        wait_done(&nodes[i]);
    }
}

static patio_broker *open_all(const char *const *urls, size_t count)
{
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    if (patio_broker_open_all(NULL, urls, count, &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    return broker;
}

/* Call "who" until each of the nodes has answered. */
static void expect_all_answer(patio_broker *broker, int count)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = WAIT_MS,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    uint32_t           seen    = 0;
    for (int i = 0; i < 100000 && seen != (1u << count) - 1; i++) {
        patio_future *f = NULL;
        assert_int_equal(patio_call(broker, "who", PATIO_NO_ARGS, &options, &f, NULL), PATIO_OK);
        for (int k = 0; k < count; k++) {
            seen |= patio_future_value(f)->as.i64 == nodes[k].pid ? 1u << k : 0u;
        }
        patio_future_destroy(f);
    }
    assert_int_equal(seen, (1u << count) - 1);
}

static void one_client_and_many_servers(void **state)
{
    (void)state;
    static const char names[] = "stuvw";
    const char       *urls[5];
    for (int i = 0; i < 5; i++) {
        const char name[2] = {names[i], '\0'};
        begin(&nodes[i], name, "", LIST(at(name)));
        urls[i] = to(name);
    }
    for (int i = 0; i < 5; i++) {
        const char name[2] = {names[i], '\0'};
        wait_socket(name);
    }
    patio_broker *client = open_all(urls, 5);
    expect_all_answer(client, 5);
    for (int i = 0; i < 5; i++) {
        const char name[2] = {names[i], '\0'};
        assert_true(call_many(client, name, 10));
    }
    patio_broker_destroy(client);
}

/* One broker that listens on two addresses and connects to two, at once. */
static void one_broker_listens_and_connects_several_times(void **state)
{
    (void)state;
    const char *const urls[] = {at("l1"), at("l2"), to("s1"), to("s2")};
    patio_broker     *broker = open_all(urls, 4);
    char              text[128];
    begin(&nodes[0], "p", "", LIST(to("l1")));
    begin(&nodes[1], "q", "", LIST(to("l2")));
    begin(&nodes[2], "r", "", LIST(at("s1")));
    begin(&nodes[3], "s", "", LIST(at("s2")));
    assert_int_equal(patio_broker_address(broker, 0, text, sizeof(text), NULL), PATIO_OK);
    assert_non_null(strstr(text, "l1"));
    assert_int_equal(patio_broker_address(broker, 1, text, sizeof(text), NULL), PATIO_OK);
    assert_non_null(strstr(text, "l2"));
    assert_int_equal(patio_broker_address(broker, 2, text, sizeof(text), NULL), PATIO_NOT_FOUND);
    expect_all_answer(broker, 4);
    patio_broker_destroy(broker);
}

static void no_url_and_two_transports_are_refused(void **state)
{
    (void)state;
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    assert_int_equal(patio_broker_open_all(NULL, NULL, 0, &broker, &err), PATIO_INVALID);
    assert_int_equal(patio_broker_open_all(NULL, LIST("memory://", at("x")), 2, &broker, &err),
                     PATIO_CONFIG);
    assert_null(broker);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 5 && strcmp(argv[1], "node") == 0) {
        return be_node(argv[2], strtol(argv[3], NULL, 10), argv[4],
                       (const char *const *)(uintptr_t)(argv + 5), (size_t)argc - 5);
    }
#define MESH(name) cmocka_unit_test_teardown(name, end_nodes)
    const struct CMUnitTest tests[] = {
        MESH(a_full_mesh),
        MESH(many_clients_and_one_server_call_each_other),
        MESH(one_client_and_many_servers),
        MESH(one_broker_listens_and_connects_several_times),
        MESH(no_url_and_two_transports_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
