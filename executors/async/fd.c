/* Who waits for which descriptor. The handle is not the fiber's: libuv closes handles a little
 * later, when the fiber may be on its way again. */
#include "async.h"

struct fd_wait {
    uv_poll_t poll;
    fiber    *fiber;
    uint32_t  ready;
    fd_wait  *next; /* free */
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    fd_wait *w   = poll->data;
    uint32_t all = PATIO_FD_READ | PATIO_FD_WRITE;
    if (status != 0) {
        w->ready = all; /* an error is found by reading or writing */
    } else {
        w->ready |= (events & (UV_READABLE | UV_DISCONNECT)) != 0 ? (uint32_t)PATIO_FD_READ : 0;
        w->ready |= (events & UV_WRITABLE) != 0 ? (uint32_t)PATIO_FD_WRITE : 0;
    }
    (void)uv_poll_stop(poll);
    if (w->fiber != NULL) {
        wake_fiber(w->fiber);
    }
}

static void on_closed(uv_handle_t *handle)
{
    fd_wait *w = handle->data;
    loop    *l = handle->loop->data;
    w->next    = l->fd_free;
    l->fd_free = w;
}

static fd_wait *take(loop *l)
{
    fd_wait *w = l->fd_free;
    if (w != NULL) {
        l->fd_free = w->next;
        return w;
    }
    return l->x->host->alloc(l->x->host->self, sizeof(*w));
}

static patio_status begin(loop *l, fd_wait *w, int fd, uint32_t events)
{
    int wanted = ((events & PATIO_FD_READ) != 0 ? UV_READABLE | UV_DISCONNECT : 0) |
                 ((events & PATIO_FD_WRITE) != 0 ? UV_WRITABLE : 0);
    int rc = uv_poll_init(&l->uv, &w->poll, fd);
    if (rc != 0) {
        w->next    = l->fd_free; /* it is no handle of the loop */
        l->fd_free = w;
        return rc == UV_EEXIST                      ? PATIO_EXISTS
               : rc == UV_ENOMEM || rc == UV_ENOSPC ? PATIO_NO_MEMORY
                                                    : PATIO_INVALID;
    }
    w->poll.data = w;
    rc           = uv_poll_start(&w->poll, wanted, on_ready);
    if (rc != 0) {
        uv_close((uv_handle_t *)&w->poll, on_closed);
        return PATIO_INVALID;
    }
    return PATIO_OK;
}

patio_status fd_await(fiber *f, int fd, uint32_t events, uint64_t until_ns, uint32_t *ready)
{
    loop    *l = f->loop;
    fd_wait *w = take(l);
    if (w == NULL) {
        return PATIO_NO_MEMORY;
    }
    w->fiber        = f;
    w->ready        = 0;
    patio_status st = begin(l, w, fd, events);
    if (st != PATIO_OK) {
        return st;
    }
    l->fd_count++;
    fiber_park(f, until_ns);
    l->fd_count--;
    w->fiber = NULL;
    *ready   = w->ready & events;
    uv_close((uv_handle_t *)&w->poll, on_closed);
    return PATIO_OK;
}

void fd_free_all(loop *l)
{
    while (l->fd_free != NULL) {
        fd_wait *next = l->fd_free->next;
        l->x->host->free(l->x->host->self, l->fd_free);
        l->fd_free = next;
    }
}
