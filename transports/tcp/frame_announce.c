/* ANNOUNCE: names of a project, its queues and tasks. */
#include "frame.h"

static bool take(patio_bytes *rest, size_t size, const uint8_t **at)
{
    if (rest->size < size) {
        return false;
    }
    *at = rest->data;
    rest->data += size;
    rest->size -= size;
    return true;
}

bool frame_next_name(patio_bytes *rest, char name[256])
{
    const uint8_t *at = NULL;
    if (!take(rest, 1, &at)) {
        return false;
    }
    size_t size = at[0];
    if (size == 0 || !take(rest, size, &at)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (at[i] < ' ' || at[i] == 0x7f) {
            return false; /* it could end a line of the log, or speak to a terminal */
        }
        name[i] = (char)at[i];
    }
    name[size] = '\0';
    return true;
}

bool frame_get_announce(patio_bytes body, char project[256], uint32_t *queues, patio_bytes *rest)
{
    const uint8_t *at = NULL;
    *rest             = body;
    if (!frame_next_name(rest, project) || !frame_is_plain(project) || !take(rest, 4, &at)) {
        return false;
    }
    *queues = frame_get32(at);
    return true;
}

bool frame_next_queue(patio_bytes *rest, frame_queue *q)
{
    const uint8_t *at = NULL;
    if (!frame_next_name(rest, q->name) || !frame_is_plain(q->name) || !take(rest, 12, &at)) {
        return false;
    }
    q->credit     = frame_get32(at);
    q->task_count = frame_get32(at + 4);
    size_t bytes  = frame_get32(at + 8);
    if (!take(rest, bytes, &at)) {
        return false;
    }
    q->tasks = (patio_bytes){at, bytes};
    return true;
}

/* Before any name is looked at: what is too much costs no more than its queues. */
static bool is_within_bounds(patio_bytes rest, uint32_t queues)
{
    uint64_t    tasks = 0;
    frame_queue q;
    for (uint32_t i = 0; i < queues && i <= FRAME_QUEUES_MAX && frame_next_queue(&rest, &q); i++) {
        tasks += q.task_count;
    }
    return queues <= FRAME_QUEUES_MAX && tasks <= FRAME_TASKS_MAX;
}

const char *frame_check_announce(patio_bytes body)
{
    static const char malformed[] = "a malformed ANNOUNCE";
    char              name[256];
    uint32_t          queues = 0;
    patio_bytes       rest;
    if (!frame_get_announce(body, name, &queues, &rest)) {
        return malformed;
    }
    if (!is_within_bounds(rest, queues)) {
        return "an ANNOUNCE of more than 16384 tasks or 256 queues";
    }
    for (uint32_t i = 0; i < queues; i++) {
        frame_queue q;
        if (!frame_next_queue(&rest, &q)) {
            return malformed;
        }
        for (uint32_t k = 0; k < q.task_count; k++) {
            if (!frame_next_name(&q.tasks, name)) {
                return malformed;
            }
        }
        if (q.tasks.size != 0) {
            return malformed;
        }
    }
    return rest.size == 0 ? NULL : malformed;
}
