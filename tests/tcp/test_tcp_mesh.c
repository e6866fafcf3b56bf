/* Each way in which processes can meet. The program is also its nodes:
 *
 *   node NAME CALLS PEERS URL...   executes "NAME", calls the task of each of PEERS (a,b,c) CALLS
 *                                  times, says so on its output, and ends with its input
 *
 * Every node has a task "who" as well, which gives back its process id. */
#include "mesh_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    wait_there("many");
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
        wait_there(name);
    }
    patio_broker *client = open_all(urls, 5);
    expect_all_answer(client, 5);
    for (int i = 0; i < 5; i++) {
        const char name[2] = {names[i], '\0'};
        assert_true(call_many(client, name, 10));
    }
    patio_broker_destroy(client);
}

static void expect_place(const char *text, const char *name)
{
    const place *p = spot(name);
    char         expected[sizeof(p->path)];
    (void)snprintf(expected, sizeof(expected), ":%u", p->port);
    assert_non_null(strstr(text, p->path[0] != '\0' ? p->path : expected));
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
    expect_place(text, "l1");
    assert_int_equal(patio_broker_address(broker, 1, text, sizeof(text), NULL), PATIO_OK);
    expect_place(text, "l2");
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
#define OVER(scheme, name)                                                                         \
    {                                                                                              \
#name ", " #scheme, name, begin_mesh, end_nodes, scheme##_scheme                           \
    }
#define MESH(name) OVER(unix, name), OVER(tcp, name), OVER(tls, name)
    static char unix_scheme[] = "unix";
    static char tcp_scheme[]  = "tcp";
    static char tls_scheme[]  = "tls";

    const struct CMUnitTest tests[] = {
        MESH(a_full_mesh),
        MESH(many_clients_and_one_server_call_each_other),
        MESH(one_client_and_many_servers),
        MESH(one_broker_listens_and_connects_several_times),
        OVER(unix, no_url_and_two_transports_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
