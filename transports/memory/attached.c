/* Those who wait for the result of a task that another one has sent before. */
#include "hub.h"

attached *attached_end(entry *e, patio_buf *reply)
{
    const patio_host *host  = e->hub->room.host;
    attached         *all   = dedup_end(e, reply);
    attached         *alive = NULL;
    while (all != NULL) {
        attached *next = all->next;
        if (all->origin->running) {
            instance_hold(all->origin);
            all->next = alive;
            alive     = all;
        } else {
            host->free(host->self, all);
        }
        all = next;
    }
    return alive;
}

void say_gone(const farewell *f, patio_status status, const char *why)
{
    if (f->origin == NULL) {
        return;
    }
    patio_error   err     = PATIO_ERROR_INIT;
    patio_receipt receipt = {PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = f->id,
                             .error = &err};
    (void)patio_fail(&err, status, 0, "%s", why);
    f->origin->events->published(f->origin->events->self, &receipt);
    instance_release(f->origin);
}

void attached_tell(const patio_host *host, attached *all, patio_buf *reply, patio_status status,
                   const char *why)
{
    while (all != NULL) {
        attached        *next   = all->next;
        patio_transport *origin = all->origin;
        if (reply != NULL) {
            patio_reply r = {PATIO_SIZED(patio_reply), .id = all->id, .body = reply};
            origin->events->replied(origin->events->self, &r);
            instance_release(origin);
        } else {
            say_gone(&(farewell){.origin = all->quiet ? origin : NULL, .id = all->id}, status, why);
            if (!all->quiet) {
                instance_release(origin); /* it has had its one receipt: its deadline speaks */
            }
        }
        host->free(host->self, all);
        all = next;
    }
}
