/* nested_world.h: two brokers whose tasks "a" and "b" call each other, level by level. */
#ifndef NESTED_WORLD_H
#define NESTED_WORLD_H

#include <patio/patio.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    WAIT_MS    = 60000,
    LARGE      = 150 * 1024,
    UNTIL_OPEN = -1, /* a depth: a task that waits for `gate` */
};

typedef struct side {
    patio_registry *registry;
    patio_broker   *broker;
    const char     *there; /* the other side's task */
} side;

extern side a;
extern side b;

extern _Atomic int  tickets;   /* each lets one of the innermost tasks end; endless at first */
extern _Atomic int  innermost; /* tasks of depth 0 that have begun */
extern _Atomic int  callers;   /* tasks that have come to their call of the other side */
extern _Atomic int  gather;    /* they go on once there are so many */
extern _Atomic bool gate;

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Both sides, connected, with options of their URLs and settings of both ("name", "value" ...). */
void begin(const char *scheme, const char *options, const char *const *settings);
/* For the teardown of cmocka. */
int end(void **state);

/* A call of the other side's task, which calls this side's, and so on, `depth` levels below it;
 * size bytes go all the way, and come back. */
patio_future *start(const side *s, int64_t depth, size_t size, uint64_t timeout_ms);
/* It ends with so many levels below it, and so many bytes. */
void end_well(patio_future *f, int64_t levels, size_t size);

void wait_count(_Atomic int *what, int count);
/* The other side has as many tasks of this one's as it takes. */
void expect_no_credit(const side *s, uint32_t credit);

#endif
