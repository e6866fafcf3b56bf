/* notify.h: a worker tells those who started it how it is: systemd (sd_notify), and probes that
 * look for a file. Both do nothing where nobody asked. */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <patio/patio.h>

typedef struct cli_notify {
    const char *ready_file;  /* --ready-file; NULL: none */
    uint32_t    told;        /* PATIO_HEALTH_… that was told last */
    bool        begun;       /* READY=1 was said */
    bool        there;       /* the file is */
    uint64_t    watchdog_ms; /* how often systemd wants a sign of life; 0: never */
    uint64_t    touched_ms;  /* when the file was */
} cli_notify;

/* Before the start: a file of an earlier run goes. false, having said why, if it cannot. */
bool cli_notify_start(cli_notify *notify, const char *ready_file);
/* What is so now. Call it about once in cli_notify_pause_ms. */
void cli_notify_health(cli_notify *notify, const patio_health *health);
/* It reloads what it runs, and that is over, well or not; ready is said anew with the next
 * cli_notify_health. */
void cli_notify_reloading(cli_notify *notify);
void cli_notify_reloaded(cli_notify *notify);
/* It stops: no longer ready, whatever comes. */
void     cli_notify_stop(cli_notify *notify);
uint64_t cli_notify_pause_ms(const cli_notify *notify, uint64_t most_ms);

#endif
