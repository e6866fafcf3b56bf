#include "failing_alloc.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool must_fail(failing_alloc *fa)
{
    size_t call = atomic_fetch_add(&fa->calls, 1) + 1;
    if (fa->fail_at == 0 || call < fa->fail_at || call - fa->fail_at >= fa->in_row) {
        return false;
    }
    atomic_store(&fa->failed, true);
    return true;
}

static void *counting_alloc(void *self, size_t size_bytes)
{
    failing_alloc *fa = self;
    void          *p  = must_fail(fa) ? NULL : malloc(size_bytes);
    if (p != NULL) {
        atomic_fetch_add(&fa->live, 1);
    }
    return p;
}

static void *counting_resize(void *self, void *pointer, size_t size_bytes)
{
    failing_alloc *fa = self;
    void          *p  = must_fail(fa) ? NULL : realloc(pointer, size_bytes);
    if (p != NULL && pointer == NULL) {
        atomic_fetch_add(&fa->live, 1);
    }
    return p;
}

static void counting_free(void *self, void *pointer)
{
    failing_alloc *fa = self;
    if (pointer != NULL) {
        atomic_fetch_sub(&fa->live, 1);
        /* who looks at it all the same finds nonsense, and not what was there */
        memset(pointer, 0xa5, malloc_usable_size(pointer));
        __asm__ volatile("" : : "r"(pointer) : "memory"); /* else it is for nobody, and left out */
        free(pointer);
    }
}

void failing_alloc_init(failing_alloc *fa, size_t fail_at)
{
    fa->mem = (patio_allocator){
        .struct_size = sizeof(patio_allocator),
        .self        = fa,
        .alloc       = counting_alloc,
        .resize      = counting_resize,
        .free        = counting_free,
    };
    fa->fail_at = fail_at;
    fa->in_row  = 1;
    atomic_init(&fa->calls, 0);
    atomic_init(&fa->live, 0);
    atomic_init(&fa->failed, false);
}

size_t fail_each_allocation(failing_attempt_fn attempt, void *arg)
{
    for (size_t n = 1;; n++) {
        failing_alloc fa;
        failing_alloc_init(&fa, n);
        patio_status status = attempt(&fa.mem, arg);
        assert_int_equal(atomic_load(&fa.live), 0);
        if (!atomic_load(&fa.failed)) {
            assert_int_equal(status, PATIO_OK);
            return n - 1;
        }
        assert_int_equal(status, PATIO_NO_MEMORY);
    }
}
