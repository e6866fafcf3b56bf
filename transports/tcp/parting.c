/* The end of an instance: every peer is told, behind all that is still on its way to it. */
#include "tcp.h"

enum { PARTING_MS = 1000 }; /* one that reads nothing keeps nobody for longer */

static void on_handle_closed(uv_handle_t *handle)
{
    (void)handle;
}

/* All connections have ended, or had their time: the loop ends. */
static void close_rest(patio_transport *t)
{
    if (uv_is_closing((uv_handle_t *)&t->wake) != 0) {
        return;
    }
    for (conn *c = t->conns; c != NULL;) {
        conn *next = c->next;
        if (!c->self) {
            conn_close(c, PATIO_CLOSED, "this side stops");
        }
        c = next;
    }
    uv_close((uv_handle_t *)&t->parting_limit, on_handle_closed);
    uv_close((uv_handle_t *)&t->turn_limit, on_handle_closed);
    uv_close((uv_handle_t *)&t->hold_limit, on_handle_closed);
    uv_close((uv_handle_t *)&t->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&t->check, on_handle_closed);
    uv_close((uv_handle_t *)&t->wake, on_handle_closed);
}

static void on_parting_over(uv_timer_t *timer)
{
    close_rest(timer->data);
}

static void say_goodbye(conn *c)
{
    frame_header h = {.type = FRAME_GOODBYE, .id = GOODBYE_STOPPED};
    pthread_mutex_lock(&c->t->lock);
    (void)write_frame(c, &h, (patio_bytes){NULL, 0}, NULL, 0);
    c->parting = true;
    write_mark_dirty(c);
    pthread_mutex_unlock(&c->t->lock);
}

/* Nothing new comes in; each peer is told, behind all that is still on its way to it. */
void parting_begin(patio_transport *t)
{
    t->parting    = true;
    t->link_state = 0;
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        endpoint *ep = &t->endpoints[i];
        if (!ep->listens) {
            reconnect_end(ep);
        }
        for (uint32_t k = 0; k < ep->listener_count; k++) {
            if (ep->listeners[k].poll_on) {
                uv_close((uv_handle_t *)&ep->listeners[k].poll, on_handle_closed);
            }
        }
    }
    for (conn *c = t->conns; c != NULL;) {
        conn *next = c->next;
        if (c->state == CONN_OPEN && !c->self) {
            say_goodbye(c);
        } else if (!c->self) {
            conn_close(c, PATIO_CLOSED, "this side stops");
        }
        c = next;
    }
    tick_stop(t);
    (void)uv_timer_start(&t->parting_limit, on_parting_over, PARTING_MS, 0);
}

void parting_look(patio_transport *t)
{
    if (t->parting && t->conn_count == 0) {
        close_rest(t);
    }
}
