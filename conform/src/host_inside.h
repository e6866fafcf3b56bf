/* host_inside.h: what the files of the host table share. */
#ifndef CONFORM_HOST_INSIDE_H
#define CONFORM_HOST_INSIDE_H

#include "kit.h"

static inline kit_host *kit_host_of(void *self)
{
    return self;
}

/* Count an allocation: is it the one that shall fail? */
bool kit_host_fails(kit_host *h);

/* Put their slots into the table. */
void kit_host_init_bufs(kit_host *h);
void kit_host_init_timers(kit_host *h);
void kit_host_fini_bufs(kit_host *h);
void kit_host_fini_timers(kit_host *h);

#endif
