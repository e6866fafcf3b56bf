/* Names of hosts. The system's resolver blocks, so it has a thread of its own for as long as it
 * takes, while the I/O thread keeps the other connection alive and looks in from time to time. */
#include "transport.h"

#include <netdb.h>

struct name_lookup {
    const patio_host *host;
    pthread_t         thread;
    bool              has_thread;
    _Atomic bool      done;
    int               error; /* EAI_… */
    struct addrinfo  *list;
    char              name[NAME_MAX_BYTES];
    char              port[16];
};

static void look(name_lookup *l, int flags)
{
    struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    l->error             = getaddrinfo(l->name, l->port, &want, &l->list);
    atomic_store(&l->done, true);
}

static void *run(void *arg)
{
    look(arg, 0);
    return NULL;
}

static name_lookup *begin(const patio_host *host, const host_name *name)
{
    name_lookup *l = host->alloc(host->self, sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    memset(l, 0, sizeof(*l));
    l->host = host;
    (void)snprintf(l->name, sizeof(l->name), "%s", name->host);
    (void)snprintf(l->port, sizeof(l->port), "%u", name->port);
    look(l, AI_NUMERICHOST);
    if (l->error == 0) {
        return l;
    }
    if (strcmp(l->name, "localhost") == 0) {
        look(l, 0); /* from a file: nothing to wait for */
        return l;
    }
    atomic_store(&l->done, false);
    l->has_thread = pthread_create(&l->thread, NULL, run, l) == 0;
    if (!l->has_thread) {
        l->error = EAI_MEMORY;
        atomic_store(&l->done, true);
    }
    return l;
}

void lookup_drop(name_lookup *l)
{
    if (l == NULL) {
        return;
    }
    if (l->has_thread) {
        pthread_join(l->thread, NULL);
    }
    if (l->list != NULL) {
        freeaddrinfo(l->list);
    }
    l->host->free(l->host->self, l);
}

bool lookup_take(patio_transport *t, host_name *name, name_lookup **out)
{
    if (name->lookup == NULL) {
        name->lookup = begin(t->host, name);
    }
    if (name->lookup != NULL && !atomic_load(&name->lookup->done)) {
        return false;
    }
    *out         = name->lookup;
    name->lookup = NULL;
    return true;
}

const struct addrinfo *lookup_address(const name_lookup *l, uint32_t turn, const char **why)
{
    if (l == NULL || l->error != 0) {
        *why = l == NULL ? "out of memory" : gai_strerror(l->error);
        return NULL;
    }
    if (l->list == NULL) {
        *why = "it has no address";
        return NULL;
    }
    uint32_t count = 0;
    for (const struct addrinfo *a = l->list; a != NULL; a = a->ai_next) {
        count++;
    }
    const struct addrinfo *a = l->list;
    for (uint32_t skip = turn % count; skip > 0; skip--) {
        a = a->ai_next;
    }
    return a;
}
