/* queue.c: pointers passed there and back through two queues, each a mutex, a condition and a list.
 *
 * The receiver takes all that is there in one go and is signalled only while it sleeps: what any
 * careful programmer does with a mutex, and so the floor of an executor's queue. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "../src/clock.h"
#include "floors.h"

#define IN_FLIGHT  256u
#define PASSES     1000000u
#define CHECK_TIME 1024u /* passes between two looks at the clock */

typedef struct item {
    struct item *next;
    uint64_t     trips;
} item;

typedef struct queue {
    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t filled;
    item          *first;
    item         **last;
    bool           sleeping;
    bool           closed;
} queue;

typedef struct loop {
    queue    forth;
    queue    back;
    item     items[IN_FLIGHT];
    uint64_t passes;
    uint64_t wall_ns;
} loop;

static void queue_init(queue *q)
{
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->filled, NULL);
    q->last = &q->first;
}

static void queue_fini(queue *q)
{
    (void)pthread_cond_destroy(&q->filled);
    (void)pthread_mutex_destroy(&q->lock);
}

static void push(queue *q, item *i)
{
    i->next = NULL;
    (void)pthread_mutex_lock(&q->lock);
    *q->last    = i;
    q->last     = &i->next;
    bool wake   = q->sleeping;
    q->sleeping = false;
    (void)pthread_mutex_unlock(&q->lock);
    if (wake) {
        (void)pthread_cond_signal(&q->filled);
    }
}

static void close_queue(queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    (void)pthread_cond_signal(&q->filled);
    (void)pthread_mutex_unlock(&q->lock);
}

/* Everything there is, at least one; NULL once it is closed. */
static item *take_all(queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->closed) {
        q->sleeping = true;
        (void)pthread_cond_wait(&q->filled, &q->lock);
    }
    q->sleeping = false;
    item *all   = q->closed ? NULL : q->first;
    q->first    = NULL;
    q->last     = &q->first;
    (void)pthread_mutex_unlock(&q->lock);
    return all;
}

static void *there(void *arg)
{
    loop *l = arg;
    item *i = NULL;
    while ((i = take_all(&l->forth)) != NULL) {
        while (i != NULL) {
            item *next = i->next;
            i->trips++;
            push(&l->back, i);
            i = next;
        }
    }
    return NULL;
}

static int here(void *arg)
{
    loop    *l        = arg;
    uint64_t begun_ns = bench_now_ns();
    uint64_t now_ns   = begun_ns;
    uint64_t looked   = 0;
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        push(&l->forth, &l->items[i]);
    }
    while (l->passes < PASSES && now_ns - begun_ns < BENCH_FLOOR_MAX_NS) {
        item *i = take_all(&l->back);
        while (i != NULL) {
            item *next = i->next;
            l->passes++;
            push(&l->forth, i);
            i = next;
        }
        if (l->passes - looked >= CHECK_TIME) {
            looked = l->passes;
            now_ns = bench_now_ns();
        }
    }
    l->wall_ns = bench_now_ns() - begun_ns;
    close_queue(&l->forth);
    return 0;
}

int bench_floor_queue(const bench_pin *pin, double *per_s)
{
    loop *l = aligned_alloc(64, (sizeof(*l) + 63) / 64 * 64);
    if (l == NULL) {
        return ENOMEM;
    }
    *l = (loop){0};
    queue_init(&l->forth);
    queue_init(&l->back);
    int problem = bench_pair_run(pin, here, there, l);
    if (problem == 0) {
        *per_s = (double)l->passes / ((double)l->wall_ns / 1e9);
    }
    queue_fini(&l->back);
    queue_fini(&l->forth);
    free(l);
    return problem;
}
