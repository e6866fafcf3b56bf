#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cmocka.h>
#include <openssl/ssl.h>

typedef struct side {
    int  fd;
    SSL *ssl; /* NULL: plain */
} side;

static const unsigned char alpn[] = {7, 'p', 'a', 't', 'i', 'o', '/', '1'};

static int take_alpn(SSL *ssl, const unsigned char **out, unsigned char *size,
                     const unsigned char *in, unsigned in_size, void *arg)
{
    (void)ssl;
    (void)in;
    (void)in_size;
    (void)arg;
    *out  = alpn + 1;
    *size = alpn[0];
    return SSL_TLSEXT_ERR_OK;
}

/* False: the handshake came to nothing. */
static bool secure(side *s, const relay_ends *ends, bool accepts)
{
    SSL_CTX *ctx = SSL_CTX_new(accepts ? TLS_server_method() : TLS_client_method());
    if (ctx == NULL) {
        return false;
    }
    (void)SSL_CTX_set_min_proto_version(ctx, ends->tls_version);
    (void)SSL_CTX_set_max_proto_version(ctx, ends->tls_version);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_alpn_select_cb(ctx, take_alpn, NULL);
    (void)SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn));
    if (accepts && (SSL_CTX_use_certificate_chain_file(ctx, ends->cert_file) != 1 ||
                    SSL_CTX_use_PrivateKey_file(ctx, ends->key_file, SSL_FILETYPE_PEM) != 1)) {
        return false;
    }
    s->ssl = SSL_new(ctx);
    return s->ssl != NULL && SSL_set_fd(s->ssl, s->fd) == 1 &&
           (accepts ? SSL_accept(s->ssl) : SSL_connect(s->ssl)) == 1;
}

static int get(const side *s, uint8_t *to, int room)
{
    return s->ssl != NULL ? SSL_read(s->ssl, to, room) : (int)recv(s->fd, to, (size_t)room, 0);
}

static bool put(const side *s, const uint8_t *from, int size)
{
    while (size > 0) {
        int n = s->ssl != NULL ? SSL_write(s->ssl, from, size)
                               : (int)send(s->fd, from, (size_t)size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        from += n;
        size -= n;
    }
    return true;
}

/* What one side said to the other; false: it is over. */
static bool pass(const side *from, const side *to, const struct pollfd *p)
{
    static uint8_t data[16 * 1024];
    bool there = p->revents != 0 || (from->ssl != NULL && SSL_has_pending(from->ssl) == 1);
    int  n     = there ? get(from, data, sizeof(data)) : 0;
    return !there || (n > 0 && put(to, data, n));
}

static void forward(const relay_ends *ends, int fd, uint16_t to_port)
{
    struct sockaddr_in a   = {.sin_family = AF_INET, .sin_port = htons(to_port)};
    side               in  = {.fd = fd};
    side               out = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int          yes = 1;
    a.sin_addr.s_addr      = htonl(INADDR_LOOPBACK);
    (void)setsockopt(in.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    (void)setsockopt(out.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    bool on = out.fd >= 0 && connect(out.fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
              (!ends->tls_in || secure(&in, ends, true)) &&
              (!ends->tls_out || secure(&out, ends, false));
    while (on) {
        struct pollfd p[2] = {{.fd = in.fd, .events = POLLIN}, {.fd = out.fd, .events = POLLIN}};
        bool          has  = (in.ssl != NULL && SSL_has_pending(in.ssl) == 1) ||
                   (out.ssl != NULL && SSL_has_pending(out.ssl) == 1);
        on = poll(p, 2, has ? 0 : -1) >= 0 && pass(&in, &out, &p[0]) && pass(&out, &in, &p[1]);
    }
    _exit(0);
}

static void run(const relay_ends *ends, int listening, uint16_t to_port)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(listening);
            forward(ends, fd, to_port);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

pid_t relay_begin(const relay_ends *ends, uint16_t to_port, uint16_t *port)
{
    struct sockaddr_in a         = {.sin_family = AF_INET};
    socklen_t          size      = sizeof(a);
    int                listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr            = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listening, (const struct sockaddr *)&a, size), 0);
    assert_int_equal(listen(listening, 64), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&a, &size), 0);
    *port     = ntohs(a.sin_port);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run(ends, listening, to_port);
    }
    (void)close(listening);
    return pid;
}

void relay_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}
