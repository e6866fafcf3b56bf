/* Jobs on their way to a child: written into its ring, and the child woken if it sleeps. */
#include "pool.h"

#include <patio/child_socket.h>

limits give_limits(const patio_executor *x, const patio_job *job)
{
    static const unsigned from[] = {OPT_MEMORY_LIMIT, OPT_CPU_LIMIT, OPT_OUTPUT_LIMIT,
                                    OPT_KILL_GRACE};
    uint64_t              value[4];
    for (unsigned i = 0; i < 4; i++) {
        const patio_option_value *own = job->options != NULL ? &job->options[i] : NULL;
        value[i] =
            (uint64_t)(own != NULL && own->given != 0 ? own->number : x->values[from[i]].number);
    }
    return (limits){.memory_bytes = value[TASK_MEMORY_LIMIT],
                    .cpu_ns       = value[TASK_CPU_LIMIT] * NS_PER_MS,
                    .output_bytes = value[TASK_OUTPUT_LIMIT],
                    .grace_ns     = value[TASK_KILL_GRACE] * NS_PER_MS};
}

static bool is_large(const patio_executor *x, const patio_job *job)
{
    return x->host->buf_view(x->host->self, job->request).size > x->shared_bytes;
}

/* ---- sending, under the lock ---- */

static void note_sent(patio_executor *x, child *c, patio_job *job, uint64_t now)
{
    if (c->held == 0) {
        c->moved_ns    = now;
        c->allowed     = give_limits(x, job);
        c->cpu_from_ns = c->allowed.cpu_ns != 0 ? watch_cpu_ns(c) : 0;
    }
    c->jobs[c->number % DEPTH_MAX] = job;
    c->number++;
    c->held++;
}

static size_t put_job(uint8_t *to, const patio_job *job, uint64_t number, patio_bytes request,
                      bool shared)
{
    size_t            name = strlen(job->task) + 1;
    patio_child_job   body = {.id          = job->id,
                              .deadline_ns = job->deadline_ns,
                              .fence       = job->fence,
                              .attempt     = job->attempt,
                              .flags       = job->flags,
                              .text_bytes  = (uint32_t)name};
    patio_child_frame f    = {.type = PATIO_CHILD_JOB, .number = number, .bytes = request.size};
    f.flags                = (uint16_t)(PATIO_CHILD_BYTES | (shared ? PATIO_CHILD_SHARED : 0));
    return patio_child_put(to, &f, &body, job->task, name, shared ? NULL : request.data);
}

static size_t job_bytes(const patio_job *job, size_t bytes)
{
    return sizeof(patio_child_frame) + sizeof(patio_child_job) + strlen(job->task) + 1 + bytes + 16;
}

/* false: its ring is full, or its socket, or it says nonsense and is ended. */
static bool send_job(patio_executor *x, child *c, patio_job *job, int fd)
{
    const patio_host *host    = x->host;
    patio_bytes       request = host->buf_view(host->self, job->request);
    bool              shared  = request.size > x->shared_bytes;
    size_t            need    = job_bytes(job, shared ? 0 : request.size);
    uint64_t          used    = c->job_at - atomic_load(&c->page->jobs.tail);
    uint64_t          mark    = c->number;
    if (used > PATIO_CHILD_RING_BYTES) {
        atomic_store(&c->broken, true);
        return false;
    }
    if (need > PATIO_CHILD_RING_BYTES - used ||
        (shared && !patio_child_send(c->jobs_fd, &mark, sizeof(mark), fd, MSG_DONTWAIT))) {
        return false;
    }
    c->job_at += put_job(patio_child_job_at(c->page, c->job_at), job, mark, request, shared);
    return true;
}

/* Send as many of these as there is room for; returns how many. `fd` is the memory of the first
 * one, -1 if it is small. The child is to be woken. */
static uint32_t send_jobs(patio_executor *x, child *c, patio_job **jobs, uint32_t count, int fd)
{
    uint32_t n   = 0;
    uint64_t now = pool_now(x);
    if (c->state != CHILD_READY || atomic_load(&c->broken)) {
        return 0; /* the loop finds out what it is */
    }
    while (n < count && (n == 0 || !is_large(x, jobs[n])) && send_job(x, c, jobs[n], fd)) {
        note_sent(x, c, jobs[n], now);
        n++;
    }
    atomic_store(&c->page->jobs.head, c->job_at);
    return n;
}

static bool unpin(child *c)
{
    c->pins--;
    return c->gone;
}

/* ---- one ---- */

static bool begin(patio_job *job, patio_outcome *out)
{
    if (job->link[LINK_BEGUN] != NULL || job->ops->begin(job, out)) {
        job->link[LINK_BEGUN] = job;
        return true;
    }
    return false;
}

/* `done` is not for inside `submit`. */
static void refuse_later(patio_executor *x, patio_job *job, const patio_outcome *out)
{
    pthread_mutex_lock(&x->lock);
    job->link[LINK_NEXT]   = x->refused;
    job->link[LINK_STATUS] = (void *)(uintptr_t)(uint32_t)out->status;
    job->link[LINK_REPLY]  = out->reply;
    x->refused             = job;
    pthread_mutex_unlock(&x->lock);
    pool_wake(x);
}

static int share_request(const patio_executor *x, const patio_job *job)
{
    patio_bytes request = x->host->buf_view(x->host->self, job->request);
    return patio_child_share(request.data, request.size);
}

/* When must the loop look at this job by itself? Under the lock. */
static uint64_t look_at(const child *c, const patio_job *job)
{
    if (give_is_measured(&c->allowed)) {
        return c->moved_ns + WATCH_NS;
    }
    if (c->held > 1) {
        return c->moved_ns + STUCK_NS;
    }
    return job->deadline_ns != 0 ? job->deadline_ns + c->allowed.grace_ns : NEVER;
}

/* Under the lock. The child is to be woken without it. */
static uint32_t send_or_queue(patio_executor *x, child *c, patio_job **jobs, uint32_t count, int fd)
{
    uint32_t sent = send_jobs(x, c, jobs, count, fd);
    for (uint32_t i = count; i > sent; i--) {
        pool_push_front(x, jobs[i - 1]); /* also during a stop: the loop gives it back */
    }
    c->taken = false;
    return sent;
}

void give_one(patio_executor *x, child *c, patio_job *job)
{
    patio_outcome out   = {PATIO_SIZED(patio_outcome)};
    bool          large = is_large(x, job);
    bool          begun = begin(job, &out);
    int           fd    = begun && large ? share_request(x, job) : -1;
    bool          wake  = false;
    pthread_mutex_lock(&x->lock);
    if (!begun || (large && fd < 0)) {
        c->taken = false;
        if (begun) {
            pool_push_front(x, job);
        }
        wake = true;
    } else if (send_or_queue(x, c, &job, 1, fd) > 0) {
        uint64_t at       = look_at(c, job);
        x->given_until_ns = at < x->given_until_ns ? at : x->given_until_ns;
        wake              = at < x->wait_until_ns || x->stopping;
    } else {
        wake = true;
    }
    c->pins++;
    pthread_mutex_unlock(&x->lock);
    patio_child_wake(c->page);
    if (fd >= 0) {
        close(fd);
    }
    if (!begun) {
        refuse_later(x, job, &out); /* while it is pinned: else the loop may have ended */
    }
    pthread_mutex_lock(&x->lock);
    wake = unpin(c) || wake;
    pthread_mutex_unlock(&x->lock);
    if (wake) {
        pool_wake(x);
    }
}

/* Those that cannot begin are done. Returns how many are left. */
static uint32_t begin_all(patio_executor *x, patio_job **jobs, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        patio_outcome out = {PATIO_SIZED(patio_outcome)};
        if (begin(jobs[i], &out)) {
            jobs[n++] = jobs[i];
        } else {
            pool_done(x, jobs[i], &out);
        }
    }
    return n;
}

/* No pin: children end in this thread only. */
uint32_t give_many(patio_executor *x, child *c, patio_job **jobs, uint32_t count)
{
    count          = begin_all(x, jobs, count);
    bool     large = count > 0 && is_large(x, jobs[0]);
    int      fd    = large ? share_request(x, jobs[0]) : -1;
    uint32_t sent  = 0;
    pthread_mutex_lock(&x->lock);
    if (large && fd < 0) {
        for (uint32_t i = count; i > 0; i--) {
            pool_push_front(x, jobs[i - 1]);
        }
        c->taken = false;
    } else {
        sent = send_or_queue(x, c, jobs, count, fd);
    }
    pthread_mutex_unlock(&x->lock);
    if (sent > 0) {
        patio_child_wake(c->page);
    }
    if (fd >= 0) {
        close(fd);
    }
    return sent;
}
