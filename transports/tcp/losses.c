/* What a stop says of the dead letters that end with this process: nobody can look at them later.
 */
#include "tcp.h"

enum { LOSSES_NAMED = 10, TEXT_FIELD_CAUSE = 1, TEXT_FIELD_MESSAGE = 3, TEXT_SHOWN_MAX = 300 };

/* A varint of protobuf; what is cut off ends the message. */
static uint64_t take_number(patio_bytes *rest)
{
    uint64_t number = 0;
    for (unsigned shift = 0; rest->size > 0 && shift < 64; shift += 7) {
        uint8_t byte = rest->data[0];
        number |= (uint64_t)(byte & 0x7F) << shift;
        rest->data++;
        rest->size--;
        if (byte < 0x80) {
            return number;
        }
    }
    rest->size = 0;
    return 0;
}

/* A text of an encoded patio.v1.DeadLetter, "" without it. A peer made it: what could end or feign
 * a line of the log is a space. */
static void text_of(patio_bytes rest, uint64_t field, char out[TEXT_SHOWN_MAX])
{
    out[0] = '\0';
    while (rest.size > 0) {
        uint64_t key  = take_number(&rest);
        uint64_t size = take_number(&rest); /* or the value of a number, which ends here */
        if ((key & 7) == 0) {
            continue;
        }
        if ((key & 7) != 2 || size > rest.size) {
            return;
        }
        if (key >> 3 == field) {
            (void)snprintf(out, TEXT_SHOWN_MAX, "%.*s",
                           (int)(size < TEXT_SHOWN_MAX ? size : TEXT_SHOWN_MAX),
                           (const char *)rest.data);
            for (char *c = out; *c != '\0'; c++) {
                *c = (unsigned char)*c < 0x20 || *c == 0x7F ? ' ' : *c;
            }
            return;
        }
        rest.data += size;
        rest.size -= size;
    }
}

static int32_t name_one(void *arg, const patio_dead_letter *d)
{
    const patio_host *host = arg;
    char              cause[TEXT_SHOWN_MAX];
    char              message[TEXT_SHOWN_MAX];
    char              id[2 * sizeof(d->id) + 1];
    for (size_t i = 0; i < sizeof(d->id); i++) {
        (void)snprintf(id + 2 * i, 3, "%02x", d->id.bytes[i]);
    }
    text_of(d->cause, TEXT_FIELD_CAUSE, cause);
    text_of(d->cause, TEXT_FIELD_MESSAGE, message);
    patio_host_log(host, PATIO_LOG_WARN, "dead letter: task \"%s\" of queue \"%s\", %s: %s%s%s",
                   d->task, d->queue, id, cause, message[0] != '\0' ? ": " : "", message);
    return 0;
}

void losses_tell(patio_transport *t)
{
    uint64_t dead = t->room.dead;
    uint32_t left = LOSSES_NAMED;
    if (dead == 0) {
        return;
    }
    for (const queue *q = t->room.queues; q != NULL && left > 0; q = q->next) {
        uint32_t here = q->dead < left ? (uint32_t)q->dead : left;
        (void)store_dead_list(&t->room, &t->set.bounds, q->name, NULL, here, name_one,
                              (void *)(uintptr_t)t->host, NULL);
        left -= here;
    }
    patio_host_log(t->host, PATIO_LOG_WARN, "dead letters that are lost with this process: %llu",
                   (unsigned long long)dead);
}
