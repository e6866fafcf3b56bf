/* sender URL [PROJECT]: a process that sends tasks as its standard input says, and stays, so that
 * what it holds can be looked at from outside. One line each:
 *
 *   send TASK NUMBER [delay=MS] [keep=MS] [ttl=MS] [key=WORD] [queue=NAME]     prints the id
 *   call TASK NUMBER [...]                  prints the id, and "done ID STATUS" when it is over
 *
 * What is refused prints the status instead of an id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patio/patio.h>

static void on_done(patio_future *f, void *arg)
{
    char text[33];
    (void)arg;
    patio_id_format(patio_future_id(f), text);
    printf("done %s %s\n", text, patio_status_name(patio_future_status(f, NULL)));
    (void)fflush(stdout);
    patio_future_destroy(f);
}

static void read_option(char *word, patio_call_options *o)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        return;
    }
    *value++ = '\0';
    if (strcmp(word, "delay") == 0) {
        o->delay_ms = strtoull(value, NULL, 10);
    } else if (strcmp(word, "keep") == 0) {
        o->result_ttl_ms = strtoull(value, NULL, 10);
    } else if (strcmp(word, "ttl") == 0) {
        o->queue_ttl_ms = strtoull(value, NULL, 10);
    } else if (strcmp(word, "key") == 0) {
        o->dedup_key       = value;
        o->dedup_window_ms = 60000;
    } else if (strcmp(word, "queue") == 0) {
        o->queue = value;
    }
}

static void act(patio_broker *b, char *line)
{
    char              *rest   = NULL;
    char              *verb   = strtok_r(line, " \n", &rest);
    char              *task   = strtok_r(NULL, " \n", &rest);
    char              *number = strtok_r(NULL, " \n", &rest);
    patio_call_options o      = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000};
    patio_id           id     = {{0}};
    patio_future      *f      = NULL;
    char               text[33];
    if (verb == NULL || task == NULL || number == NULL) {
        return;
    }
    for (char *word = strtok_r(NULL, " \n", &rest); word != NULL;
         word       = strtok_r(NULL, " \n", &rest)) {
        read_option(word, &o);
    }
    int64_t      argument = strtoll(number, NULL, 10);
    patio_status st       = PATIO_OK;
    if (strcmp(verb, "call") == 0) {
        o.flags   = PATIO_CALL_WAIT_ROUTE;
        o.on_done = on_done;
        st        = patio_start(b, task, PATIO_ARGS(argument), &o, &f, NULL);
        id        = st == PATIO_OK ? patio_future_id(f) : id;
    } else {
        st = patio_send(b, task, PATIO_ARGS(argument), &o, &id, NULL);
    }
    patio_id_format(id, text);
    puts(st == PATIO_OK ? text : patio_status_name(st));
    (void)fflush(stdout);
}

static patio_status open_broker(const char *url, const char *project, patio_broker **out,
                                patio_error *err)
{
    patio_config *config = NULL;
    patio_status  st     = patio_config_create(&config, err);
    st = st == PATIO_OK ? patio_config_set(config, "broker", url, "sender", err) : st;
    st = st == PATIO_OK ? patio_config_set(config, "project", project, "sender", err) : st;
    st = st == PATIO_OK ? patio_broker_create(NULL, NULL, config, out, err) : st;
    patio_config_destroy(config);
    return st == PATIO_OK ? patio_broker_start(*out, err) : st;
}

int main(int argc, char **argv)
{
    char          line[512];
    patio_error   err    = PATIO_ERROR_INIT;
    patio_broker *broker = NULL;
    if (argc < 2 ||
        open_broker(argv[1], argc > 2 ? argv[2] : "default", &broker, &err) != PATIO_OK) {
        (void)fprintf(stderr, "sender: %s\n", err.message);
        return 1;
    }
    puts("ready");
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        act(broker, line);
    }
    patio_broker_destroy(broker);
    return 0;
}
