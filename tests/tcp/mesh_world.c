#include "mesh_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

enum { CALLS = 100, URLS = 8, SPOTS = 16 };

const char *program;
node        nodes[NODES];

static const char *scheme;
static struct {
    char  name[8];
    place at;
} spots[SPOTS];

void begin(node *n, const char *name, const char *peers, const char *const *urls)
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

void wait_done(const node *n)
{
    char c = 0;
    if (read(n->out, &c, 1) != 1 || c != 'k') {
        fail_msg("a node's calls failed");
    }
}

int end_nodes(void **state)
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

int begin_mesh(void **state)
{
    scheme = *state;
    memset(spots, 0, sizeof(spots));
    return 0;
}

const place *spot(const char *name)
{
    size_t i = 0;
    while (i < SPOTS && spots[i].name[0] != '\0' && strcmp(spots[i].name, name) != 0) {
        i++;
    }
    assert_true(i < SPOTS);
    if (spots[i].name[0] == '\0') {
        (void)snprintf(spots[i].name, sizeof(spots[i].name), "%s", name);
        place_make(&spots[i].at, scheme, "reconnect_max_ms=200", "reconnect_max_ms=200");
    }
    return &spots[i].at;
}

const char *at(const char *name)
{
    return spot(name)->listen_url;
}

const char *to(const char *name)
{
    return spot(name)->connect_url;
}

void wait_there(const char *name)
{
    const place       *p     = spot(name);
    struct sockaddr_un file  = {.sun_family = AF_UNIX};
    struct sockaddr_in port  = {.sin_family = AF_INET, .sin_port = htons(p->port)};
    bool               there = false;
    port.sin_addr.s_addr     = htonl(INADDR_LOOPBACK);
    memcpy(file.sun_path, p->path, strlen(p->path) + 1);
    for (int i = 0; i < WAIT_MS / 10 && !there; i++) {
        bool unix_socket = p->path[0] != '\0';
        int  fd          = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        there = connect(fd, unix_socket ? (struct sockaddr *)&file : (struct sockaddr *)&port,
                        unix_socket ? sizeof(file) : sizeof(port)) == 0;
        (void)close(fd);
        usleep(there ? 0 : 10 * 1000);
    }
    assert_true(there);
}
