#include "redis.h"

/* A reason is told once, and again when another took its place: refused, then LOADING. The last few
 * are kept, so that hosts which are tried in turn do not take turns in the log; for the same reason
 * the address before it does not count. */
static bool is_new(patio_transport *t, const char *message)
{
    const char *colon  = strstr(message, ": ");
    const char *reason = colon != NULL ? colon + 2 : message;
    size_t      room   = sizeof(t->link_reasons[0]);
    size_t      length = strlen(reason);
    length             = length < room ? length : room - 1;
    for (size_t i = 0; i < LINK_REASONS; i++) {
        if (strncmp(t->link_reasons[i], reason, length) == 0 &&
            t->link_reasons[i][length] == '\0') {
            return false;
        }
    }
    memmove(t->link_reasons[1], t->link_reasons[0], (LINK_REASONS - 1) * room);
    memcpy(t->link_reasons[0], reason, length);
    t->link_reasons[0][length] = '\0';
    return true;
}

void link_report(patio_transport *t, uint32_t state, const patio_error *why)
{
    patio_status status = why != NULL ? why->status : PATIO_OK;
    bool         same   = t->link_state == state && t->link_status == status;
    if (!same) {
        memset(t->link_reasons, 0, sizeof(t->link_reasons));
    }
    bool fresh = why != NULL && why->message[0] != '\0' && is_new(t, why->message);
    if (same && !fresh) {
        return;
    }
    t->link_state  = state;
    t->link_status = status;
    t->events->link(t->events->self, state, why);
}

/* Under the lock. */
static uint32_t judge_node(const node *n)
{
    patio_status trouble = n->trouble.status;
    if ((trouble == PATIO_AUTH || trouble == PATIO_CONFIG) && n->generation == 0) {
        /* where it worked before, whoever took the rights away may give them back, and a worker
         * that ended would not be there */
        return PATIO_LINK_DOWN;
    }
    if (n->ready && trouble == PATIO_BLOCKED) {
        return PATIO_LINK_BLOCKED;
    }
    return n->ready && trouble == PATIO_OK ? PATIO_LINK_UP : PATIO_LINK_CONNECTING;
}

/* Under the lock: the worst of the nodes that are in use. */
static uint32_t judge(const patio_transport *t, patio_error *why)
{
    uint32_t state = PATIO_LINK_UP;
    uint32_t used  = 0;
    for (uint32_t i = 0; i < t->node_count; i++) {
        const node *n = &t->nodes[i];
        if (!n->used) {
            continue;
        }
        used++;
        uint32_t             own      = judge_node(n);
        static const uint8_t weight[] = {0, 2, 0, 1, 3};
        if (weight[own] > weight[state]) {
            state            = own;
            *why             = n->trouble.status != PATIO_OK ? n->trouble : n->w.why;
            why->struct_size = (uint32_t)sizeof(*why);
        }
    }
    if (used == 0 || (t->cluster && !t->slots_known)) {
        state = state == PATIO_LINK_UP ? PATIO_LINK_CONNECTING : state;
    }
    for (const queue *q = t->queues; q != NULL && state == PATIO_LINK_UP; q = q->next) {
        if (q->subscribed && !q->closed && q->proven && !q->opened && !q->left) {
            state = PATIO_LINK_CONNECTING;
        }
    }
    return state;
}

void link_update(patio_transport *t)
{
    patio_error why = PATIO_ERROR_INIT;
    pthread_mutex_lock(&t->lock);
    bool     running = t->running && !t->stopping;
    uint32_t state   = judge(t, &why);
    pthread_mutex_unlock(&t->lock);
    if (!running) {
        return;
    }
    if (state == PATIO_LINK_CONNECTING && why.status == PATIO_OK) {
        why.status = PATIO_UNREACHABLE;
        if (why.message[0] == '\0') {
            (void)snprintf(why.message, sizeof(why.message), "not connected yet");
        }
    }
    /* the first attempt is nobody's trouble */
    bool quiet = state == PATIO_LINK_CONNECTING && t->link_state == 0 && why.message[0] == 'n';
    if (!quiet) {
        link_report(t, state, state == PATIO_LINK_UP ? NULL : &why);
    }
}
