/* What is said of a delivery before the delivery itself is here.
 *
 * A transport may raise `delivered` on one thread while another finds that the lease is lost: the
 * second can come first, by as much as a thread may be kept from its processor. Such a tag is
 * looked for again, every 10 ms for a second. Taking a job costs nothing for it. */
#include "runtime/job.h"

#include <string.h>

enum { PAUSE_NS = 10 * 1000 * 1000, LOOKS = 100 };

static void look(void *self);

/* Under the lock. */
static void look_later(patio_broker *b)
{
    if (b->early.timer == 0 && b->early.count > 0) {
        b->early.timer = pt_timers_after(b->runtime->timers, PAUSE_NS, look, b);
    }
}

static void look(void *self)
{
    patio_broker *b = self;
    pt_early      tags[PT_EARLY_MAX];
    pthread_mutex_lock(&b->lock);
    uint32_t count = b->early.count;
    memcpy(tags, b->early.tags, count * sizeof(tags[0]));
    b->early.count = 0;
    pthread_mutex_unlock(&b->lock);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!pt_jobs_tell_now(b, tags[i].tag, tags[i].what) && ++tags[i].looks < LOOKS) {
            tags[kept++] = tags[i];
        }
    }
    pthread_mutex_lock(&b->lock);
    b->early.timer = 0;
    for (uint32_t i = 0; i < kept && b->early.count < PT_EARLY_MAX; i++) {
        b->early.tags[b->early.count++] = tags[i];
    }
    look_later(b);
    pthread_mutex_unlock(&b->lock);
}

void pt_early_add(patio_broker *b, patio_tag tag, uint32_t what)
{
    pthread_mutex_lock(&b->lock);
    /* one more is told nothing: its settlement is refused all the same */
    if (b->early.count < PT_EARLY_MAX) {
        b->early.tags[b->early.count++] = (pt_early){.tag = tag, .what = what};
        look_later(b);
    }
    pthread_mutex_unlock(&b->lock);
}
