#include "tcp_world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

char folder[] = "/tmp/patio-tcp-XXXXXX";

int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

int remove_folder(void **state)
{
    (void)state;
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

patio_status start_quiet_broker(patio_registry *registry, const char *url, const char *workers,
                                patio_broker **broker, patio_error *err)
{
    patio_config *config = NULL;
    *broker              = NULL;
    patio_status st      = patio_config_create(&config, err);
    st = st == PATIO_OK ? patio_config_set(config, "broker", url, "test", err) : st;
    st = st == PATIO_OK ? patio_config_set(config, "log.level", "off", "test", err) : st;
    st = st == PATIO_OK ? patio_config_set(config, "executor.workers", workers, "test", err) : st;
    st = st == PATIO_OK ? patio_config_set(config, "connect_timeout_ms", "20s", "test", err) : st;
    st = st == PATIO_OK ? patio_config_set(config, "max_body_bytes", "15MiB", "test", err) : st;
    st = st == PATIO_OK ? patio_broker_create(NULL, registry, config, broker, err) : st;
    st = st == PATIO_OK ? patio_broker_start(*broker, err) : st;
    if (st != PATIO_OK) {
        patio_broker_destroy(*broker);
        *broker = NULL;
    }
    patio_config_destroy(config);
    return st;
}

patio_broker *open_quiet_broker(patio_registry *registry, const char *url, const char *workers)
{
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    if (start_quiet_broker(registry, url, workers, &broker, &err) != PATIO_OK) {
        (void)fprintf(stderr, "open %s: %s\n", url, err.message);
    }
    return broker;
}

patio_broker *open_both(const char *listens, const char *connects)
{
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    if (patio_config_create(&config, &err) != PATIO_OK ||
        patio_config_set(config, "broker.0", listens, "test", &err) != PATIO_OK ||
        patio_config_set(config, "broker.1", connects, "test", &err) != PATIO_OK ||
        patio_config_set(config, "log.level", "off", "test", &err) != PATIO_OK ||
        patio_broker_create(NULL, NULL, config, &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        (void)fprintf(stderr, "open %s and %s: %s\n", listens, connects, err.message);
        exit(1);
    }
    patio_config_destroy(config);
    return broker;
}

uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

uint64_t sleeps_of(const char *thread)
{
    uint64_t       sum = 0;
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *d   = NULL;
    while (dir != NULL && (d = readdir(dir)) != NULL) {
        char  path[300];
        char  line[160] = "";
        bool  ours      = false;
        FILE *file      = NULL;
        (void)snprintf(path, sizeof(path), "/proc/self/task/%.200s/status", d->d_name);
        file = d->d_name[0] != '.' ? fopen(path, "r") : NULL;
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            unsigned long long n = 0;
            ours                 = ours || strstr(line, thread) != NULL;
            if (ours && sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1) {
                sum += n;
            }
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return sum;
}
