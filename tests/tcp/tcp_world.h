/* tcp_world.h: what the tests of the transport stand on: a folder of their own, and quiet brokers.
 */
#ifndef TCP_WORLD_H
#define TCP_WORLD_H

#include <patio/patio.h>

#include <stdint.h>

/* For sockets and ledgers; there from make_folder to remove_folder, which are for
 * cmocka_run_group_tests. */
extern char folder[];
int         make_folder(void **state);
int         remove_folder(void **state);

/* Started, without a log; it waits 20 s for its link. */
patio_status start_quiet_broker(patio_registry *registry, const char *url, const char *workers,
                                patio_broker **broker, patio_error *err);
/* The same. NULL: why was said on standard error, so that a child process can use it, too. */
patio_broker *open_quiet_broker(patio_registry *registry, const char *url, const char *workers);

/* A caller that listens, so that its start waits for nobody, and connects; without a log. Ends the
 * program if it cannot be had. */
patio_broker *open_both(const char *listens, const char *connects);

/* Of the monotonic clock. */
uint64_t now_ms(void);

/* How often the threads of this process whose name that is have gone to sleep. */
uint64_t sleeps_of(const char *thread);

#endif
