/* patio/child_socket.h: packets with a descriptor beside them, and bytes in sealed shared memory;
 * for both ends of patio/child_protocol.h. Header only. Linux, with _GNU_SOURCE defined. C only.
 */
#ifndef PATIO_CHILD_SOCKET_H
#define PATIO_CHILD_SOCKET_H
#ifndef __cplusplus

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <patio/base.h>

/* Nothing but reading from here on: who maps it cannot be surprised by who made it. */
#define PATIO_CHILD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* Send one packet. fd: -1 for none; it stays the caller's. false with errno. */
static inline bool patio_child_send(int socket, const void *packet, size_t size, int fd, int flags)
{
    struct iovec iov = {(void *)(uintptr_t)packet, size};
    union {
        struct cmsghdr head;
        char           room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof(control));
        msg.msg_control      = &control;
        msg.msg_controllen   = sizeof(control.room);
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level     = SOL_SOCKET;
        head->cmsg_type      = SCM_RIGHTS;
        head->cmsg_len       = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    }
    ssize_t sent;
    do {
        sent = fd >= 0 ? sendmsg(socket, &msg, flags | MSG_NOSIGNAL)
                       : send(socket, packet, size, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

/* Receive one packet. *fd is -1 or the caller's. The size; 0: the other side is gone; -1 with errno
 * (EMSGSIZE: longer than the room). */
static inline ssize_t patio_child_receive(int socket, void *packet, size_t room, int *fd, int flags)
{
    struct iovec iov = {packet, room};
    union {
        struct cmsghdr head;
        char           room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov        = &iov,
                         .msg_iovlen     = 1,
                         .msg_control    = &control,
                         .msg_controllen = sizeof(control.room)};
    ssize_t       got;
    do {
        got = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    *fd = -1;
    if (got > 0) {
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
            head->cmsg_len == CMSG_LEN(sizeof(int))) {
            memcpy(fd, CMSG_DATA(head), sizeof(*fd));
        }
        if ((msg.msg_flags & MSG_TRUNC) != 0) {
            if (*fd >= 0) {
                close(*fd);
                *fd = -1;
            }
            errno = EMSGSIZE;
            return -1;
        }
    }
    return got;
}

/* A sealed memory file that holds these bytes: the one copy. -1 with errno. */
static inline int patio_child_share(const uint8_t *data, size_t size)
{
    int    fd   = memfd_create("patio", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;
    while (fd >= 0 && done < size) {
        ssize_t put = write(fd, data + done, size - done);
        if (put < 0 && errno != EINTR) {
            break;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    if (fd >= 0 && (done < size || fcntl(fd, F_ADD_SEALS, PATIO_CHILD_SEALS) != 0)) {
        int why = errno;
        close(fd);
        errno = why;
        fd    = -1;
    }
    return fd;
}

/* Look at what the other side shared; NULL: not sealed, of another size, or no memory. The
 * descriptor stays the caller's and may be closed. */
static inline const uint8_t *patio_child_map(int fd, uint64_t size)
{
    struct stat info;
    if (fd < 0 || size == 0 || size > SIZE_MAX ||
        (fcntl(fd, F_GET_SEALS) & PATIO_CHILD_SEALS) != PATIO_CHILD_SEALS ||
        fstat(fd, &info) != 0 || (uint64_t)info.st_size != size) {
        return NULL;
    }
    void *at = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    return at != MAP_FAILED ? at : NULL;
}

#endif /* __cplusplus */
#endif
