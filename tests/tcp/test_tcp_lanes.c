/* Names of tasks and queues: how many there may be, and who says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "frame.h"
#include "tcp_world.h"

static patio_status one(patio_context *ctx)
{
    return PATIO_RETURN(ctx, 1);
}

static void a_worker_with_more_tasks_than_a_peer_takes_says_so(void **state)
{
    (void)state;
    char            url[128];
    char           *names    = malloc((size_t)(FRAME_TASKS_MAX + 1) * 8);
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_error     err      = PATIO_ERROR_INIT;
    assert_non_null(names);
    assert_int_equal(patio_registry_create(NULL, &registry, &err), PATIO_OK);
    for (size_t i = 0; i <= FRAME_TASKS_MAX; i++) {
        (void)snprintf(names + i * 8, 8, "t%06zx", i);
        assert_int_equal(PATIO_ADD_AS(registry, names + i * 8, one, &err), PATIO_OK);
    }
    (void)snprintf(url, sizeof(url), "unix+listen://%s/many", folder);
    assert_int_equal(start_quiet_broker(registry, url, "1", &broker, &err), PATIO_FULL);
    assert_non_null(strstr(err.message, "16385 tasks"));
    assert_non_null(strstr(err.message, "at most 16384"));
    patio_registry_destroy(registry);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_with_more_tasks_than_a_peer_takes_says_so),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
