/* Who this child is: hello, limits, registry, broker. */
#include <patio/child_socket.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/error.h"
#include "child/child.h"
#include "runtime/broker.h"

enum { EXIT_BAD_PARENT = 70 };

/* ---- hello ---- */

static bool read_hello(pt_child *child, patio_child_part *part)
{
    int     fd = -1;
    size_t  at = 0;
    ssize_t size =
        patio_child_receive(PATIO_CHILD_FD_JOBS, child->packet, PATIO_CHILD_PACKET, &fd, 0);
    if (size <= 0 || patio_child_next(child->packet, (size_t)size, &at, part) <= 0 ||
        part->frame.type != PATIO_CHILD_HELLO) {
        return false;
    }
    memcpy(&child->hello, part->body, sizeof(child->hello));
    if (child->hello.magic != PATIO_CHILD_MAGIC || child->hello.version != PATIO_CHILD_VERSION ||
        part->text_bytes == 0 || strlen(part->text) >= sizeof(child->project)) {
        return false;
    }
    memcpy(child->project, part->text, strlen(part->text) + 1);
    return true;
}

/* What its tasks start as programs has none of its descriptors. */
static bool map_page(pt_child *child)
{
    for (int fd = PATIO_CHILD_FD_JOBS; fd <= PATIO_CHILD_FD_BELL; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    child->page = patio_child_page_map(PATIO_CHILD_FD_PAGE);
    return child->page != NULL;
}

static void set_limit(int what, uint64_t value)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now) == 0) {
        now.rlim_cur = now.rlim_max != RLIM_INFINITY && value > now.rlim_max ? now.rlim_max : value;
        now.rlim_max = now.rlim_cur;
        (void)setrlimit((__rlimit_resource_t)what, &now);
    }
}

static void obey(const patio_child_hello *hello)
{
    if (hello->core_dumps == 0) {
        set_limit(RLIMIT_CORE, 0);
    }
    if (hello->address_space_bytes != 0) {
        set_limit(RLIMIT_AS, hello->address_space_bytes);
    }
    if (hello->niceness != 0) {
        (void)setpriority(PRIO_PROCESS, 0, hello->niceness);
    }
    /* where memory runs out, tasks go before what runs them */
    FILE *score = fopen("/proc/self/oom_score_adj", "we");
    if (score != NULL) {
        (void)fputs("500", score);
        (void)fclose(score);
    }
    /* a line is seen when it is written, not when the buffer is full */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

/* ---- registry ---- */

static patio_status load_modules(pt_child *child, const patio_child_part *part, patio_error *err)
{
    patio_registry_options options = {PATIO_SIZED(patio_registry_options),
                                      .project = child->project};
    patio_status           st      = patio_registry_create(&options, &child->registry, err);
    const char            *text    = part->text;
    for (uint32_t i = 0; i < child->hello.module_count && st == PATIO_OK; i++) {
        text += strlen(text) + 1;
        if (text >= part->text + part->text_bytes) {
            return pt_fail(err, PATIO_PROTOCOL, "child", "the parent's hello is cut");
        }
        st = patio_registry_load(child->registry, text, err);
    }
    return st;
}

static void log_line(void *self, const patio_log_line *line)
{
    pt_child       *child = self;
    char            text[1536];
    patio_child_log log = {.level = line->level};
    bool            own = strcmp(line->topic, "task") == 0;
    int             size =
        snprintf(text, sizeof(text), "%s%s%s", own ? "" : line->topic, own ? "" : ": ", line->text);
    size           = size < (int)sizeof(text) ? size : (int)sizeof(text) - 1;
    log.text_bytes = (uint32_t)size + 1;
    (void)pt_child_tell(child, PATIO_CHILD_LOG, child->current - 1, &log, text, log.text_bytes,
                        (patio_bytes){NULL, 0});
}

static patio_status make_runtime(pt_child *child, patio_error *err)
{
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options),
                                     .log_level = child->hello.log_level, .log = log_line,
                                     .log_self = child};
    patio_status          st      = patio_runtime_create(&options, &child->runtime, err);
    if (st == PATIO_OK) {
        child->runtime->to_parent = &pt_child_transport;
        child->runtime->child     = child;
    }
    return st;
}

static patio_status make_broker(pt_child *child, patio_error *err)
{
    char          number[32];
    patio_config *config = NULL;
    patio_status  st     = patio_config_create(&config, err);
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)child->hello.max_body_bytes);
    const char *const settings[][2] = {
        {"broker", "memory://"}, {"executor", "null"}, {"max_body_bytes", number}};
    for (size_t i = 0; i < 3 && st == PATIO_OK; i++) {
        st = patio_config_set(config, settings[i][0], settings[i][1], "child", err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(child->runtime, child->registry, config, &child->broker, err);
    }
    patio_config_destroy(config);
    if (st == PATIO_OK) {
        /* the hello has the bytes as they stand in an id, most significant first */
        child->broker->incarnation         = be64toh(child->hello.incarnation);
        child->broker->futures.incarnation = child->broker->incarnation;
        st                                 = patio_broker_start(child->broker, err);
    }
    return st;
}

static void say_ready(pt_child *child, patio_status st, const patio_error *err)
{
    patio_child_ready ready = {
        .status      = st,
        .fingerprint = pt_registry_fingerprint(child->registry),
        .version     = PATIO_CHILD_VERSION,
    };
    ready.task_count =
        child->registry != NULL ? (uint32_t)patio_registry_count(child->registry) : 0;
    ready.text_bytes = st != PATIO_OK ? (uint32_t)strlen(err->message) + 1 : 0;
    (void)pt_child_tell(child, PATIO_CHILD_READY, 0, &ready, err->message, ready.text_bytes,
                        (patio_bytes){NULL, 0});
}

static patio_status set_up(pt_child *child, const pt_child_make *make, const patio_child_part *part,
                           patio_error *err)
{
    patio_status st =
        make->fn != NULL ? make->fn(&child->registry, err) : load_modules(child, part, err);
    if (st == PATIO_OK && strcmp(patio_registry_project(child->registry), child->project) != 0) {
        st = pt_fail(err, PATIO_CONFIG, "child", "its registry is of project \"%s\", not \"%s\"",
                     patio_registry_project(child->registry), child->project);
    }
    if (st == PATIO_OK) {
        st = make_broker(child, err);
    }
    if (st == PATIO_OK && !pt_child_words_start(child)) {
        st = pt_fail(err, PATIO_NO_MEMORY, "child", "no thread could be started");
    }
    return st;
}

static void close_all(pt_child *child)
{
    patio_broker_destroy(child->broker);
    pt_child_words_stop(child);
    patio_registry_destroy(child->registry);
    pt_await_end(&child->awaiter);
    patio_runtime_destroy(child->runtime);
}

int pt_child_serve(const pt_child_make *make)
{
    static pt_child  child;
    static uint64_t  packet[PATIO_CHILD_PACKET / sizeof(uint64_t)];
    patio_child_part part;
    patio_error      err = PATIO_ERROR_INIT;
    child.packet         = packet;
    patio_spin_init(&child.spin, 1);
    (void)pthread_mutex_init(&child.lock, NULL);
    (void)prctl(PR_SET_NAME, "patio-child");
    if (!read_hello(&child, &part) || !map_page(&child)) {
        (void)fprintf(stderr, "this program is started by patio's executor process only, and by "
                              "one of the same version\n");
        return EXIT_BAD_PARENT;
    }
    obey(&child.hello);
    pt_child_catch(&child);
    patio_status st = make_runtime(&child, &err);
    if (st != PATIO_OK) {
        return EXIT_BAD_PARENT; /* without memory nothing can be said */
    }
    st = set_up(&child, make, &part, &err);
    say_ready(&child, st, &err);
    if (st == PATIO_OK) {
        pt_child_work(&child);
    }
    close_all(&child);
    return st == PATIO_OK ? 0 : EXIT_BAD_PARENT;
}

int patio_child_main(int argc, char **argv, patio_registry_fn make)
{
    if (argc < 2 || strcmp(argv[1], PATIO_CHILD_ARGUMENT) != 0) {
        pt_child_note_program();
        return -1;
    }
    pt_child_make how = {.fn = make};
    return pt_child_serve(&how);
}
