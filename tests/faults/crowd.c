/* crowd URL CLIENTS: so many callers in one process, each with a broker of its own, that all want
 * to connect at once; each makes one call. Exit code 0: all were answered. */
#include <patio/patio.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 2000, PATIENCE_MS = 120000 };

static patio_runtime *runtime;
static const char    *url;
static atomic_uint    answered;

static void *call(void *arg)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_config      *config  = NULL;
    patio_broker      *broker  = NULL;
    patio_future      *f       = NULL;
    int64_t            got     = 0;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = PATIENCE_MS,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    (void)arg;
    patio_status st = patio_config_create(&config, &err);
    st              = st == PATIO_OK ? patio_config_set(config, "broker", url, "crowd", &err) : st;
    st =
        st == PATIO_OK ? patio_config_set(config, "connect_timeout_ms", "120s", "crowd", &err) : st;
    st = st == PATIO_OK ? patio_broker_create(runtime, NULL, config, &broker, &err) : st;
    st = st == PATIO_OK ? patio_broker_start(broker, &err) : st;
    st = st == PATIO_OK ? patio_call(broker, "mul", PATIO_ARGS(6, 7), &options, &f, &err) : st;
    st = st == PATIO_OK ? patio_value_get_int64(patio_future_value(f), &got) : st;
    if (st == PATIO_OK && got == 42) {
        atomic_fetch_add(&answered, 1);
    } else {
        (void)fprintf(stderr, "crowd: %s: %s\n", patio_status_name(st), err.message);
    }
    patio_future_destroy(f);
    if (broker != NULL) {
        (void)patio_broker_stop(broker, 5000, &err);
    }
    patio_broker_destroy(broker);
    patio_config_destroy(config);
    return NULL;
}

int main(int argc, char **argv)
{
    static pthread_t threads[MOST];
    patio_error      err   = PATIO_ERROR_INIT;
    unsigned         count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (count == 0 || count > MOST || patio_runtime_create(NULL, &runtime, &err) != PATIO_OK) {
        (void)fprintf(stderr, "usage: crowd URL CLIENTS\n");
        return 2;
    }
    url = argv[1];
    for (unsigned n = 0; n < count; n++) {
        if (pthread_create(&threads[n], NULL, call, NULL) != 0) {
            return 2;
        }
    }
    for (unsigned n = 0; n < count; n++) {
        (void)pthread_join(threads[n], NULL);
    }
    patio_runtime_destroy(runtime);
    (void)printf("%u of %u answered\n", atomic_load(&answered), count);
    return atomic_load(&answered) == count ? 0 : 1;
}
