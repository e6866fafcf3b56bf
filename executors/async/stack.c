/* Stacks: mapped in slabs, each above a guard that faults when it is touched, without memory until
 * they are used. */
#include "async.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static size_t stride(const patio_executor *x)
{
    return GUARD_BYTES + x->stack_bytes;
}

/* A guard inside a mapping, where the kernel has them; else a mapping of its own without rights, of
 * which a process may have only so many (vm.max_map_count). */
static bool guard(uint8_t *at)
{
    return madvise(at, GUARD_BYTES, MADV_GUARD_INSTALL) == 0 ||
           mprotect(at, GUARD_BYTES, PROT_NONE) == 0;
}

static bool add_slab(loop *l)
{
    const patio_host *host  = l->x->host;
    size_t            bytes = stride(l->x) * STACKS_PER_SLAB;
    uint8_t **slabs = host->resize(host->self, l->slabs, (l->slab_count + 1) * sizeof(*slabs));
    if (slabs == NULL) {
        return false;
    }
    l->slabs   = slabs;
    void *slab = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab == MAP_FAILED) {
        return false;
    }
    /* a huge page would give each stack all the memory that it may ever need */
    (void)madvise(slab, bytes, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < STACKS_PER_SLAB; i++) {
        if (!guard((uint8_t *)slab + i * stride(l->x))) {
            (void)munmap(slab, bytes);
            return false;
        }
    }
    slabs[l->slab_count++] = slab;
    l->slab_used           = 0;
    return true;
}

uint8_t *stack_new(loop *l)
{
    if ((l->slab_count == 0 || l->slab_used == STACKS_PER_SLAB) && !add_slab(l)) {
        return NULL;
    }
    return l->slabs[l->slab_count - 1] + l->slab_used++ * stride(l->x) + GUARD_BYTES;
}

void stack_drop_memory(const patio_executor *x, uint8_t *stack)
{
    (void)madvise(stack, x->stack_bytes, MADV_DONTNEED);
}

void stack_free_all(loop *l)
{
    for (uint32_t i = 0; i < l->slab_count; i++) {
        (void)munmap(l->slabs[i], stride(l->x) * STACKS_PER_SLAB);
    }
    l->x->host->free(l->x->host->self, l->slabs);
    l->slabs      = NULL;
    l->slab_count = 0;
}

static unsigned long max_maps(void)
{
    char          text[32] = "";
    unsigned long maps     = 0;
    FILE         *file     = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        if (fgets(text, sizeof(text), file) != NULL) {
            maps = strtoul(text, NULL, 10);
        }
        (void)fclose(file);
    }
    return maps;
}

void stack_check_limits(const patio_executor *x)
{
    char  text[256];
    void *page =
        mmap(NULL, x->page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;
    }
    bool guards = madvise(page, x->page_bytes, MADV_GUARD_INSTALL) == 0;
    (void)munmap(page, x->page_bytes);
    unsigned long maps = guards ? 0 : max_maps();
    if (maps != 0 && maps < 2ul * x->max_workers + 1000) {
        (void)snprintf(text, sizeof(text),
                       "%u tasks at once need twice as many memory mappings on this kernel, and "
                       "vm.max_map_count allows %lu: what is beyond goes back to the queue; raise "
                       "it, or use Linux 6.13",
                       x->max_workers, maps);
        x->host->log(x->host->self, PATIO_LOG_WARN, text);
    }
}
