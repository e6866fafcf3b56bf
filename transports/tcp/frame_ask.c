#include "frame_ask.h"

#include <string.h>

static void put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

size_t frame_put_ask(uint8_t *to, const frame_ask *a)
{
    size_t queue_bytes = strlen(a->queue);
    to[0]              = a->what;
    to[1]              = a->flags;
    to[2]              = a->state;
    to[3]              = (uint8_t)queue_bytes;
    frame_put32(to + 4, a->limit);
    frame_put32(to + 8, a->timeout_ms);
    frame_put32(to + 12, 0);
    frame_put64(to + 16, a->origin);
    frame_put64(to + 24, a->number);
    memcpy(to + 32, a->id.bytes, sizeof(a->id.bytes));
    memcpy(to + FRAME_ASK_BYTES, a->queue, queue_bytes);
    return FRAME_ASK_BYTES + queue_bytes;
}

bool frame_get_ask(patio_bytes body, frame_ask *a)
{
    const uint8_t *from = body.data;
    if (body.size < FRAME_ASK_BYTES || body.size != FRAME_ASK_BYTES + (size_t)from[3] ||
        memchr(from + FRAME_ASK_BYTES, 0, from[3]) != NULL) {
        return false;
    }
    a->what       = from[0];
    a->flags      = from[1];
    a->state      = from[2];
    a->limit      = frame_get32(from + 4);
    a->timeout_ms = frame_get32(from + 8);
    a->origin     = frame_get64(from + 16);
    a->number     = frame_get64(from + 24);
    memcpy(a->id.bytes, from + 32, sizeof(a->id.bytes));
    memcpy(a->queue, from + FRAME_ASK_BYTES, from[3]);
    a->queue[from[3]] = '\0';
    return frame_is_plain(a->queue);
}

void frame_put_answer(uint8_t *to, const frame_answer *a)
{
    to[0] = a->what;
    to[1] = a->flags;
    put16(to + 2, a->status);
    frame_put32(to + 4, a->others);
    frame_put64(to + 8, a->incarnation);
    frame_put64(to + 16, a->number);
    frame_put32(to + 24, (uint32_t)a->rows.size);
    frame_put32(to + 28, 0);
}

bool frame_get_answer(patio_bytes body, frame_answer *a)
{
    const uint8_t *from = body.data;
    if (body.size < FRAME_ANSWER_BYTES) {
        return false;
    }
    uint32_t rows = frame_get32(from + 24);
    if (rows > body.size - FRAME_ANSWER_BYTES) {
        return false;
    }
    a->what        = from[0];
    a->flags       = from[1];
    a->status      = get16(from + 2);
    a->others      = frame_get32(from + 4);
    a->incarnation = frame_get64(from + 8);
    a->number      = frame_get64(from + 16);
    a->rows        = (patio_bytes){from + FRAME_ANSWER_BYTES, rows};
    a->head_bytes  = FRAME_ANSWER_BYTES + (size_t)rows;
    return true;
}

size_t frame_letter_size(const patio_dead_letter *d)
{
    return FRAME_LETTER_BYTES + strlen(d->task) + d->cause.size;
}

void frame_put_letter(uint8_t *to, const patio_dead_letter *d)
{
    size_t task_bytes = strlen(d->task);
    memcpy(to, d->id.bytes, sizeof(d->id.bytes));
    put16(to + 16, d->attempts);
    put16(to + 18, d->crashes);
    frame_put64(to + 20, d->dead_ms);
    frame_put32(to + 28, (uint32_t)d->cause.size);
    to[32] = (uint8_t)task_bytes;
    memcpy(to + FRAME_LETTER_BYTES, d->task, task_bytes);
    if (d->cause.size > 0) {
        memcpy(to + FRAME_LETTER_BYTES + task_bytes, d->cause.data, d->cause.size);
    }
}

bool frame_next_letter(patio_bytes *rest, patio_dead_letter *d, char task[256])
{
    const uint8_t *from = rest->data;
    if (rest->size < FRAME_LETTER_BYTES) {
        return false;
    }
    size_t task_bytes  = from[32];
    size_t cause_bytes = frame_get32(from + 28);
    size_t left        = rest->size - FRAME_LETTER_BYTES;
    if (task_bytes > left || cause_bytes > left - task_bytes ||
        memchr(from + FRAME_LETTER_BYTES, 0, task_bytes) != NULL) {
        return false;
    }
    *d = (patio_dead_letter){
        .struct_size = sizeof(*d),
        .attempts    = get16(from + 16),
        .crashes     = get16(from + 18),
        .dead_ms     = frame_get64(from + 20),
        .queue       = "",
        .task        = task,
        .cause       = {from + FRAME_LETTER_BYTES + task_bytes, cause_bytes},
    };
    memcpy(d->id.bytes, from, sizeof(d->id.bytes));
    memcpy(task, from + FRAME_LETTER_BYTES, task_bytes);
    task[task_bytes] = '\0';
    rest->data += FRAME_LETTER_BYTES + task_bytes + cause_bytes;
    rest->size -= FRAME_LETTER_BYTES + task_bytes + cause_bytes;
    return true;
}

void frame_put_counts(uint8_t *to, const patio_counts *c)
{
    const uint64_t numbers[] = {c->ready, c->leased,    c->delayed,
                                c->dead,  c->consumers, c->oldest_age_ms};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        frame_put64(to + i * 8, numbers[i]);
    }
}

bool frame_get_counts(patio_bytes row, patio_counts *c)
{
    if (row.size != FRAME_COUNTS_BYTES) {
        return false;
    }
    *c = (patio_counts){
        .struct_size   = sizeof(*c),
        .ready         = frame_get64(row.data),
        .leased        = frame_get64(row.data + 8),
        .delayed       = frame_get64(row.data + 16),
        .dead          = frame_get64(row.data + 24),
        .consumers     = frame_get64(row.data + 32),
        .oldest_age_ms = frame_get64(row.data + 40),
    };
    return true;
}
