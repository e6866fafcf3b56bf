/* frame_ask.h: questions of operators on the wire, docs/tcp.md. Pure functions over borrowed
 * memory, as those of frame.h. */
#ifndef TCP_FRAME_ASK_H
#define TCP_FRAME_ASK_H

#include <patio/dead.h>

#include "frame.h"

enum {
    FRAME_ASK_BYTES    = 48,
    FRAME_ANSWER_BYTES = 32,
    FRAME_LETTER_BYTES = 33,
    FRAME_COUNTS_BYTES = 48,
    FRAME_ROOM_BYTES   = 40,
    FRAME_LINKS_BYTES  = 144, /* behind those of room */
};

/* What is asked; the number travels. */
enum ask_what {
    ASK_QUEUES       = 1,
    ASK_COUNTS       = 2,
    ASK_PURGE        = 3,
    ASK_SET_STATE    = 4,
    ASK_GET_STATE    = 5,
    ASK_DEAD_LIST    = 6,
    ASK_DEAD_GET     = 7,
    ASK_DEAD_RETRY   = 8,
    ASK_DEAD_DROP    = 9,
    ASK_RESULT       = 10,
    ASK_PRESENCE     = 11,
    ASK_CANCEL       = 12,
    ASK_ROOM         = 13,
    ASK_WHAT_HIGHEST = ASK_ROOM,
};

enum {
    ASK_RELAY  = 1u << 0, /* ask those that you are connected with, too */
    ASK_HAS_ID = 1u << 1, /* one task, else all */
};

typedef struct frame_ask {
    uint8_t  what;
    uint8_t  flags;
    uint8_t  state; /* of SET_STATE: PATIO_QUEUE_… */
    uint32_t limit; /* of DEAD_LIST: most of them */
    uint32_t timeout_ms;
    uint64_t origin; /* who asks in the end: incarnation, and its number of the question */
    uint64_t number;
    patio_id id;
    char     queue[256]; /* "" where none is meant */
} frame_ask;

enum {
    ANSWER_LAST  = 1u << 0, /* of this process */
    ANSWER_TAIL  = 1u << 1, /* a buffer follows the rows */
    ANSWER_AGAIN = 1u << 2, /* this question came by another way, too, and is answered there */
};

typedef struct frame_answer {
    uint8_t     what;
    uint8_t     flags;
    uint16_t    status; /* patio_status */
    uint32_t    others; /* so many more answer through this peer */
    uint64_t    incarnation;
    uint64_t    number; /* how many; a state; an outcome */
    patio_bytes rows;
    size_t      head_bytes; /* where the tail begins */
} frame_answer;

/* Returns the bytes written, at most FRAME_ASK_BYTES + 255. */
size_t frame_put_ask(uint8_t *to, const frame_ask *a);
bool   frame_get_ask(patio_bytes body, frame_ask *a);

/* Fixed part; the rows and then the tail follow it. */
void frame_put_answer(uint8_t *to, const frame_answer *a);
bool frame_get_answer(patio_bytes body, frame_answer *a);

/* Rows of a list of dead letters. The task and the cause follow the fixed part. */
size_t frame_letter_size(const patio_dead_letter *d);
void   frame_put_letter(uint8_t *to, const patio_dead_letter *d);
/* `task` holds the copy that d->task points to. False: no more, or malformed. */
bool frame_next_letter(patio_bytes *rest, patio_dead_letter *d, char task[256]);

void frame_put_counts(uint8_t *to, const patio_counts *c);
bool frame_get_counts(patio_bytes row, patio_counts *c);

#endif
