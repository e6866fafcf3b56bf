/* store_host.h: a host that has memory and nothing else, for the store alone. */
#ifndef STORE_HOST_H
#define STORE_HOST_H

#include "store.h"

extern const patio_host store_host;
/* For store_fini(): nothing hangs at the queues. */
void store_no_queue(const patio_host *host, queue *q);

#endif
