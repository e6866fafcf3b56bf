/* Arguments and environment of one run: what the caller sent, put where the command has a place for
 * it. Nothing of it ever meets a shell's parser: with `shell` the arguments are $1, $2 …, without
 * it they are words of their own. */
#include "command.h"

#include <inttypes.h>

typedef struct expansion {
    texts                *out;
    const patio_job_view *view;
    uint64_t              used; /* positional arguments, by bit; those from 64 on count as used */
    size_t                used_keywords;
    char                 *problem;
    size_t                room;
} expansion;

static bool fail(expansion *e, const char *format, ...) PATIO_PRINTF(2, 3);
static bool fail(expansion *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(e->problem, e->room, format, args);
    va_end(args);
    return false;
}

/* One value as the text of an argument, added to the text that is being written. */
static bool add_value(expansion *e, const patio_value *v, const char *name, size_t name_size)
{
    char text[64] = "";
    switch (v->type) {
    case PATIO_TYPE_STRING:
    case PATIO_TYPE_BYTES:
        if (v->size > 0 && memchr(v->as.bytes, '\0', v->size) != NULL) {
            return fail(e, "argument %.*s holds a NUL character, which no argument can",
                        (int)name_size, name);
        }
        texts_add(e->out, v->as.string, v->size);
        return true;
    case PATIO_TYPE_BOOL:
        (void)snprintf(text, sizeof(text), "%s", v->as.boolean ? "true" : "false");
        break;
    case PATIO_TYPE_INT64:
        (void)snprintf(text, sizeof(text), "%" PRId64, v->as.i64);
        break;
    case PATIO_TYPE_UINT64:
        (void)snprintf(text, sizeof(text), "%" PRIu64, v->as.u64);
        break;
    case PATIO_TYPE_DOUBLE:
        (void)snprintf(text, sizeof(text), "%.17g", v->as.f64);
        break;
    default:
        return fail(e, "argument %.*s is neither a text nor a number", (int)name_size, name);
    }
    texts_add(e->out, text, strlen(text));
    return true;
}

static const patio_value *find_argument(expansion *e, const char *name, size_t size)
{
    if (name[0] >= '0' && name[0] <= '9') {
        size_t index = 0;
        for (size_t i = 0; i < size; i++) {
            index = index * 10 + (size_t)(name[i] - '0');
        }
        if (index >= e->view->value_count) {
            return NULL;
        }
        e->used |= index < 64 ? UINT64_C(1) << index : 0;
        return &e->view->values[index];
    }
    for (size_t i = 0; i < e->view->keyword_count; i++) {
        const patio_value *key = &e->view->keywords[2 * i];
        if (key->size == size && memcmp(key->as.string, name, size) == 0) {
            return key + 1;
        }
    }
    return NULL;
}

static bool expand_word(expansion *e, const char *word)
{
    texts_begin(e->out);
    while (*word != '\0') {
        const char *name      = NULL;
        size_t      name_size = 0;
        size_t      size      = 0;
        bool        literal   = false;
        if (!find_place(word, &name, &name_size, &size, &literal)) {
            texts_add(e->out, word++, 1);
            continue;
        }
        if (literal) {
            texts_add(e->out, word + 1, size - 2);
        } else {
            const patio_value *v = find_argument(e, name, name_size);
            if (v == NULL) {
                return fail(e, "argument %.*s is missing", (int)name_size, name);
            }
            if (!add_value(e, v, name, name_size)) {
                return false;
            }
        }
        word += size;
    }
    texts_end(e->out);
    return true;
}

/* Every positional argument as a word of its own: $1, $2 … of the shell. */
static bool add_shell_arguments(expansion *e)
{
    for (size_t i = 0; i < e->view->value_count; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%zu", i);
        texts_begin(e->out);
        if (!add_value(e, &e->view->values[i], name, strlen(name))) {
            return false;
        }
        texts_end(e->out);
    }
    return true;
}

/* A command without places takes one text or blob as its input; what is not used is a mistake. */
static bool choose_input(expansion *e, const prepared *p, patio_bytes *input)
{
    const patio_job_view *view = e->view;
    if (view->kind != PATIO_PAYLOAD_VALUES) {
        *input = view->payload;
        return true;
    }
    if (p->shell) {
        return view->keyword_count == 0 ||
               fail(e, "keyword arguments have no place in a shell's command");
    }
    if (!p->uses_arguments) {
        bool one = view->value_count == 1 && (view->values[0].type == PATIO_TYPE_STRING ||
                                              view->values[0].type == PATIO_TYPE_BYTES);
        if (one && view->keyword_count == 0) {
            *input = (patio_bytes){view->values[0].as.bytes, view->values[0].size};
            return true;
        }
        return (view->value_count == 0 && view->keyword_count == 0) ||
               fail(e, "the command has no place for arguments: it takes a raw payload, one text, "
                       "or nothing");
    }
    for (size_t i = 0; i < view->value_count && i < 64; i++) {
        if ((e->used >> i & 1) == 0) {
            return fail(e, "argument %zu has no place in the command", i);
        }
    }
    return true;
}

static size_t add_environment(texts *t, const prepared *p, const patio_job *job,
                              const patio_job_view *view, const patio_host *host)
{
    char   id[33];
    size_t first = t->count;
    for (unsigned i = 0; i < sizeof(job->id.bytes); i++) {
        (void)snprintf(id + 2 * (size_t)i, 3, "%02x", job->id.bytes[i]);
    }
    for (size_t i = 0; i < p->env.count; i++) {
        texts_put(t, p->env.data + p->env.starts[i]);
    }
    texts_printf(t, "PATIO_TASK_ID=%s", id);
    texts_printf(t, "PATIO_TASK=%s", job->task);
    texts_printf(t, "PATIO_PROJECT=%s", job->project);
    texts_printf(t, "PATIO_ATTEMPT=%u", job->attempt);
    texts_printf(t, "PATIO_FENCE=%" PRIu64, job->fence);
    if (view->kind == PATIO_PAYLOAD_RAW) {
        texts_printf(t, "PATIO_CONTENT_TYPE=%.300s", view->content_type);
    }
    if (job->deadline_ns != 0) {
        uint64_t now  = host->now_ns(host->self);
        uint64_t left = job->deadline_ns > now ? (job->deadline_ns - now) / 1000000 : 0;
        texts_printf(t, "PATIO_REMAINING_MS=%" PRIu64, left);
    }
    if (view->traceparent[0] != '\0') {
        texts_printf(t, "TRACEPARENT=%.200s", view->traceparent);
    }
    if (view->tracestate[0] != '\0') {
        texts_begin(t);
        texts_add(t, "TRACESTATE=", strlen("TRACESTATE="));
        texts_add(t, view->tracestate, strlen(view->tracestate));
        texts_end(t);
    }
    return t->count - first;
}

bool invocation_make(invocation *in, const patio_host *host, const prepared *p,
                     const patio_job *job, const patio_job_view *view, char *problem, size_t room)
{
    expansion e = {.out = &in->texts, .view = view, .problem = problem, .room = room};
    problem[0]  = '\0';
    in->argv    = NULL;
    in->env     = NULL;
    in->input   = (patio_bytes){NULL, 0};
    texts_init(&in->texts, host);
    for (size_t i = 0; i < p->words.count; i++) {
        const char *word = p->words.data + p->words.starts[i];
        if (!p->uses_arguments) {
            texts_put(&in->texts, word);
        } else if (!expand_word(&e, word)) {
            return false;
        }
    }
    if ((p->shell && !add_shell_arguments(&e)) || !choose_input(&e, p, &in->input)) {
        return false;
    }
    size_t words = in->texts.count;
    size_t names = add_environment(&in->texts, p, job, view, host);
    in->argv     = texts_pointers(&in->texts, 0, words);
    in->env      = texts_pointers(&in->texts, words, names);
    return in->argv != NULL && in->env != NULL;
}

void invocation_fini(invocation *in, const patio_host *host)
{
    if (in->texts.host != NULL) {
        texts_fini(&in->texts);
        host->free(host->self, in->argv);
        host->free(host->self, in->env);
        *in = (invocation){.argv = NULL};
    }
}
