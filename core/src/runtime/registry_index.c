#include "runtime/registry_index.h"

#include <string.h>

enum { ROOM_MIN = 16 };

/* FNV-1a, 64 bits (Fowler, Noll, Vo). Names enter the table only from the application itself, so a
 * keyed hash would defend against nobody. */
uint64_t pt_hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++) {
        hash = (hash ^ *p) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Functions are aligned and close together: spread their bits (Fibonacci hashing), and bring the
 * well mixed upper half down to where the table looks. */
uint64_t pt_hash_fn(patio_task_fn fn)
{
    uint64_t hash = (uint64_t)(uintptr_t)fn * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static size_t next_slot(const pt_index *index, size_t i)
{
    return (i + 1) & (index->room - 1);
}

pt_task *pt_index_find_name(const pt_index *index, const char *name)
{
    if (index->count == 0) {
        return NULL;
    }
    uint64_t hash = pt_hash_name(name);
    size_t   i    = hash & (index->room - 1);
    for (; index->slots[i].task != NULL; i = next_slot(index, i)) {
        if (index->slots[i].hash == hash && strcmp(index->slots[i].task->name, name) == 0) {
            return index->slots[i].task;
        }
    }
    return NULL;
}

pt_task *pt_index_find_fn(const pt_index *index, patio_task_fn fn)
{
    if (index->count == 0) {
        return NULL;
    }
    size_t i = pt_hash_fn(fn) & (index->room - 1);
    for (; index->slots[i].task != NULL; i = next_slot(index, i)) {
        if (index->slots[i].task->fn == fn) {
            return index->slots[i].task;
        }
    }
    return NULL;
}

void pt_index_put(pt_index *index, uint64_t hash, pt_task *task)
{
    size_t i = hash & (index->room - 1);
    while (index->slots[i].task != NULL) {
        i = next_slot(index, i);
    }
    index->slots[i] = (pt_index_slot){.hash = hash, .task = task};
    index->count++;
}

bool pt_index_reserve(pt_index *index, const patio_allocator *mem)
{
    /* at most two thirds full: short probes, and always a free slot to end them */
    if ((index->count + 1) * 3 <= index->room * 2) {
        return true;
    }
    pt_index bigger = {.room = index->room != 0 ? index->room * 2 : ROOM_MIN};
    bigger.slots    = pt_calloc(mem, bigger.room, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < index->room; i++) {
        if (index->slots[i].task != NULL) {
            pt_index_put(&bigger, index->slots[i].hash, index->slots[i].task);
        }
    }
    pt_free(mem, index->slots);
    *index = bigger;
    return true;
}

void pt_index_remove(pt_index *index, uint64_t hash, const pt_task *task)
{
    if (index->count == 0) {
        return;
    }
    size_t mask = index->room - 1;
    size_t hole = hash & mask;
    while (index->slots[hole].task != task) {
        if (index->slots[hole].task == NULL) {
            return;
        }
        hole = next_slot(index, hole);
    }
    /* Close the gap instead of marking it: an entry moves into the hole unless it would then stand
     * before its own place (Knuth, volume 3, 6.4, algorithm R). */
    for (size_t i = next_slot(index, hole); index->slots[i].task != NULL; i = next_slot(index, i)) {
        size_t home = index->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            index->slots[hole] = index->slots[i];
            hole               = i;
        }
    }
    index->slots[hole] = (pt_index_slot){0};
    index->count--;
}

void pt_index_fini(pt_index *index, const patio_allocator *mem)
{
    pt_free(mem, index->slots);
    *index = (pt_index){0};
}
