/* Look-ups of names from inside: how many there may be at once, with those that nobody waits for
 * any more. A name server that does not answer is in the test's hands. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lookup.h"

static pthread_mutex_t lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static bool            answers;
static uint32_t        freed; /* what was found */
static uint32_t        woken;
static struct addrinfo address;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)name;
    (void)service;
    (void)hints;
    pthread_mutex_lock(&lock);
    while (!answers) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    *out = &address;
    return 0;
}

static void add_one(uint32_t *to)
{
    pthread_mutex_lock(&lock);
    ++*to;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void freeaddrinfo(struct addrinfo *a)
{
    assert_ptr_equal(a, &address);
    add_one(&freed);
}

static void wake(void *arg)
{
    add_one(arg);
}

static void answer(bool on)
{
    pthread_mutex_lock(&lock);
    answers = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const uint32_t *number, uint32_t wanted)
{
    pthread_mutex_lock(&lock);
    while (*number != wanted) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static lookup *begin_one(void)
{
    lookup *l = NULL;
    while (l == NULL) { /* the threads before it are at their end */
        l = lookup_begin("name", 1, wake, &woken);
        (void)sched_yield();
    }
    return l;
}

static void those_that_were_left_count_until_they_end(void **state)
{
    lookup *all[LOOKUPS_MAX];
    (void)state;
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        all[i] = lookup_begin("name", 1, wake, &woken);
        assert_non_null(all[i]);
    }
    assert_null(lookup_begin("name", 1, wake, &woken));
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        lookup_leave(all[i]);
    }
    assert_null(lookup_begin("name", 1, wake, &woken));
    answer(true);
    wait_for(&freed, LOOKUPS_MAX);
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        all[i] = begin_one();
    }
    wait_for(&woken, LOOKUPS_MAX); /* none of them for what was left */
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        struct addrinfo *found = NULL;
        assert_int_equal(lookup_end(all[i], &found), 0);
        assert_ptr_equal(found, &address); /* the caller's to free */
    }
    assert_int_equal(freed, LOOKUPS_MAX);
    answer(false);
}

/* It was found, and the instance ends before it has looked. */
static void what_was_found_in_vain_is_freed(void **state)
{
    (void)state;
    freed     = 0;
    woken     = 0;
    lookup *l = begin_one();
    answer(true);
    wait_for(&woken, 1);
    lookup_leave(l);
    assert_int_equal(freed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_were_left_count_until_they_end),
        cmocka_unit_test(what_was_found_in_vain_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
