/* The interfaces beside the table, by id. */
#include "redis.h"

#include "ops.h"

static const struct interface {
    const char *id;
    const void *table;
} interfaces[] = {
    {PATIO_DEAD_ID, &redis_dead_ops},       {PATIO_QUEUES_ID, &redis_queues_ops},
    {PATIO_RESULTS_ID, &redis_results_ops}, {PATIO_PRESENCE_ID, &redis_presence_ops},
    {PATIO_DOCTOR_ID, &redis_doctor_ops},   {PATIO_POLL_ID, &redis_poll},
};

const void *redis_query(patio_transport *t, const char *interface_id)
{
    (void)t;
    for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++) {
        if (strcmp(interface_id, interfaces[i].id) == 0) {
            return interfaces[i].table;
        }
    }
    return NULL;
}

typedef struct arguments {
    const patio_bytes *list;
    uint32_t           count;
} arguments;

static void write_arguments(conn *c, void *arg)
{
    const arguments *a = arg;
    for (uint32_t i = 0; i < a->count; i++) {
        arg_bytes(c, a->list[i].data, a->list[i].size);
    }
}

patio_bytes ops_text(const char *text)
{
    return (patio_bytes){(const uint8_t *)text, strlen(text)};
}

patio_status ops_ask(patio_transport *t, const char *queue_name, uint8_t script,
                     const patio_bytes *args, uint32_t count, uint64_t timeout_ms,
                     resp_reader **holder, const resp **out, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    queue *q = queue_find(t, queue_name, true);
    pthread_mutex_unlock(&t->lock);
    if (q == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    arguments a  = {args, count};
    ask_in    in = {.q = q, .script = script, .args = count, .write = write_arguments, .arg = &a};
    return ask_wait(t, &in, timeout_ms, holder, out, err);
}
