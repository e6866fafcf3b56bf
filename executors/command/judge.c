/* How a program ended, and what that means for its task. */
#include "command.h"

#include <sys/wait.h>

static const patio_option_value *option(const child *c, enum task_option which)
{
    return &c->what->values[which];
}

void child_hand_over(child *c, patio_outcome *out)
{
    patio_executor *x   = c->x;
    patio_job      *job = c->job;
    c->job              = NULL;
    x->events->done(x->events->self, job, out);
}

/* The last lines of standard error behind what happened. */
static void explain(child *c, char *text, size_t room)
{
    size_t used = strlen(text);
    size_t size = c->tail_size;
    while (size > 0 && (c->tail[size - 1] == '\n' || c->tail[size - 1] == ' ')) {
        size--;
    }
    if (size > 0) {
        (void)snprintf(text + used, room - used, ": %.*s", (int)size, c->tail);
    }
}

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);
    return name != NULL ? name : "?";
}

static void judge_exit(child *c, int code, patio_outcome *out)
{
    char                 text[MESSAGE_BYTES];
    const patio_job_ops *ops = c->job->ops;
    if (code == 0) {
        patio_payload result = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_RAW,
                                .raw          = {c->output, c->output_size},
                                .content_type = option(c, TASK_CONTENT_TYPE)->text};
        ops->succeed(c->job, &result, out);
        return;
    }
    (void)snprintf(text, sizeof(text), "exit code %d", code);
    explain(c, text, sizeof(text));
    patio_status st    = code == option(c, TASK_RETRY_EXIT)->number    ? PATIO_TASK_RETRY
                         : code == option(c, TASK_SNOOZE_EXIT)->number ? PATIO_TASK_SNOOZE
                                                                       : PATIO_TASK_FAILED;
    uint64_t     delay = st == PATIO_TASK_SNOOZE ? SPAWN_PAUSE_MS : 0;
    ops->fail(c->job, st, delay, code, "ExitCode", text, out);
}

static void judge(child *c, patio_outcome *out)
{
    char                 text[MESSAGE_BYTES];
    const patio_job_ops *ops  = c->job->ops;
    bool                 well = c->status.si_code == CLD_EXITED;
    switch (c->why) {
    case WHY_OUTPUT:
        ops->fail(c->job, PATIO_TASK_FAILED, 0, PATIO_TOO_LARGE, "TooMuchOutput",
                  "standard output exceeds max_output_bytes, or memory is out", out);
        return;
    case WHY_DEADLINE:
        (void)snprintf(text, sizeof(text), "%s",
                       c->killed ? "was killed, for it did not end at its deadline"
                                 : "was ended at its deadline");
        explain(c, text, sizeof(text));
        ops->fail(c->job, PATIO_TASK_RETRY, 0, PATIO_TIMEOUT, "Timeout", text, out);
        return;
    case WHY_CANCELLED:
        out->verdict = PATIO_REJECT;
        out->status  = PATIO_CANCELLED;
        return;
    case WHY_STOP:
        out->verdict = PATIO_RETURN;
        out->status  = PATIO_CLOSED;
        return;
    case WHY_ITSELF:
    default:
        break;
    }
    if (well) {
        judge_exit(c, c->status.si_status, out);
        return;
    }
    (void)snprintf(text, sizeof(text), "was ended by signal %d (SIG%s)%s", c->status.si_status,
                   signal_name(c->status.si_status),
                   c->status.si_code == CLD_DUMPED ? ", core dumped" : "");
    explain(c, text, sizeof(text));
    ops->fail(c->job, PATIO_TASK_CRASHED, 0, c->status.si_status, "Signal", text, out);
}

bool child_finish(child *c)
{
    if (!c->exited) {
        return false;
    }
    patio_outcome out = {PATIO_SIZED(patio_outcome)};
    child_log_line(c);
    judge(c, &out);
    invocation_fini(&c->in, c->x->host);
    if (c->output_room > KEPT_BYTES) {
        c->x->host->free(c->x->host->self, c->output);
        c->output      = NULL;
        c->output_room = 0;
    }
    child_hand_over(c, &out);
    return true;
}

void child_fini(child *c)
{
    c->x->host->free(c->x->host->self, c->output);
}
