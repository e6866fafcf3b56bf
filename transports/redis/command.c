/* Commands as bytes. hiredis could format them, into memory of its own; writing them into the
 * buffer that goes out saves a copy of each body, and keeps memory with the host. */
#include "redis.h"

static cmd *push(conn *c)
{
    if (c->cmd_count == c->cmd_room) {
        uint32_t room = c->cmd_room != 0 ? 2 * c->cmd_room : 32;
        cmd     *cmds = c->t->host->alloc(c->t->host->self, room * sizeof(*cmds));
        if (cmds == NULL) {
            return NULL;
        }
        for (uint32_t i = 0; i < c->cmd_count; i++) {
            cmds[i] = c->cmds[(c->cmd_head + i) % c->cmd_room];
        }
        c->t->host->free(c->t->host->self, c->cmds);
        c->cmds     = cmds;
        c->cmd_head = 0;
        c->cmd_room = room;
    }
    cmd *k = &c->cmds[(c->cmd_head + c->cmd_count) % c->cmd_room];
    c->cmd_count++;
    memset(k, 0, sizeof(*k));
    return k;
}

static void add(conn *c, const void *data, size_t size)
{
    if (!bytes_add(c->t->host, &c->out, data, size)) {
        conn_break(c, PATIO_NO_MEMORY, "out of memory");
        return;
    }
    c->appended += size;
}

static void head(conn *c, char kind, uint64_t count)
{
    char text[24];
    int  size = snprintf(text, sizeof(text), "%c%llu\r\n", kind, (unsigned long long)count);
    add(c, text, (size_t)size);
}

cmd *command(conn *c, uint8_t type, queue *q, uint32_t args)
{
    cmd *k = push(c);
    if (k == NULL) {
        conn_break(c, PATIO_NO_MEMORY, "out of memory");
        return NULL;
    }
    k->type    = type;
    k->q       = q;
    k->from    = c->appended;
    k->sent_ns = now_ns(c->t);
    if (c->cmd_count == 1) {
        c->progress_ns = k->sent_ns;
    }
    head(c, '*', args);
    return k;
}

cmd *command_eval(conn *c, uint8_t type, uint8_t script, queue *q, uint32_t args)
{
    cmd *k = command(c, type, q, args + 4);
    if (k != NULL) {
        k->detail = script;
        arg_text(c, "EVALSHA");
        arg_text(c, c->node->sha[script]);
        arg_text(c, "1");
        arg_text(c, q->tag);
    }
    return k;
}

void arg_bytes(conn *c, const void *data, size_t size)
{
    head(c, '$', size);
    add(c, data, size);
    add(c, "\r\n", 2);
}

void arg_text(conn *c, const char *text)
{
    arg_bytes(c, text, strlen(text));
}

void arg_number(conn *c, uint64_t number)
{
    char text[24];
    int  size = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    arg_bytes(c, text, (size_t)size);
}

void arg_key(conn *c, const queue *q, const char *suffix, const char *more)
{
    size_t tag = strlen(q->tag);
    size_t mid = strlen(suffix);
    size_t end = strlen(more);
    head(c, '$', tag + mid + end);
    add(c, q->tag, tag);
    add(c, suffix, mid);
    add(c, more, end);
    add(c, "\r\n", 2);
}

void arg_place(conn *c, const place *at)
{
    char text[ENTRY_BYTES];
    int  size = snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)at->ms,
                         (unsigned long long)at->seq);
    arg_bytes(c, text, (size_t)size);
}

bool command_pop(conn *c, cmd *out)
{
    if (c->cmd_count == 0) {
        return false;
    }
    *out        = c->cmds[c->cmd_head];
    c->cmd_head = (c->cmd_head + 1) % c->cmd_room;
    c->cmd_count--;
    return true;
}
