/* Jobs on their way to a child.
 *
 * A job for an idle child is sent by the thread that submits it. Jobs that take microseconds are
 * sent many at once, by the loop, so that a system call and a change of process are paid once for
 * all of them; should one of them then last, what has not begun behind it is taken back.
 */
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

/* Must a job have a child for itself, because its use of something is measured? */
static bool is_measured(const limits *l)
{
    return l->memory_bytes != 0 || l->cpu_ns != 0;
}

uint64_t give_places(const patio_executor *x, const child *c)
{
    /* numbers that were withdrawn behind one that lasts are places as well */
    uint64_t places = DEPTH_MAX - (c->number - c->first);
    uint64_t most   = (uint64_t)x->values[OPT_MAX_TASKS].number;
    uint64_t left   = most == 0 ? places : most > c->number ? most - c->number : 0;
    return left < places ? left : places;
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

static size_t job_bytes(const patio_job *job, patio_bytes request)
{
    return sizeof(patio_child_frame) + sizeof(patio_child_job) + strlen(job->task) + 1 +
           request.size + 16;
}

/* Send as many of these as fit a packet and the socket; returns how many. `fd` is the memory of the
 * first one, -1 if it is small. */
static uint32_t send_jobs(patio_executor *x, child *c, patio_job **jobs, uint32_t count, int fd)
{
    const patio_host *host = x->host;
    size_t            size = 0;
    uint32_t          n    = 0;
    for (; n < count; n++) {
        patio_bytes request = host->buf_view(host->self, jobs[n]->request);
        bool        shared  = request.size > x->shared_bytes;
        size_t      need    = job_bytes(jobs[n], shared ? (patio_bytes){NULL, 0} : request);
        if (n > 0 && (shared || fd >= 0 || size + need > PATIO_CHILD_PACKET)) {
            break;
        }
        size += put_job(x->packet + size, jobs[n], c->number + n, request, shared);
    }
    if (c->state != CHILD_READY ||
        !patio_child_send(c->jobs_fd, x->packet, size, fd, MSG_DONTWAIT)) {
        return 0; /* it is full, or dead: the loop finds out which */
    }
    uint64_t now = pool_now(x);
    for (uint32_t i = 0; i < n; i++) {
        note_sent(x, c, jobs[i], now);
    }
    return n;
}

/* ---- one ---- */

static bool begin(patio_executor *x, patio_job *job, patio_outcome *out)
{
    (void)x;
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
    job->link[LINK_NEXT]  = x->refused;
    job->link[LINK_BEGUN] = (void *)(uintptr_t)(uint32_t)out->status;
    job->link[LINK_REPLY] = out->reply;
    x->refused            = job;
    pthread_mutex_unlock(&x->lock);
    pool_wake(x);
}

static int share_request(const patio_executor *x, const patio_job *job, bool *needed)
{
    patio_bytes request = x->host->buf_view(x->host->self, job->request);
    *needed             = request.size > x->shared_bytes;
    return *needed ? patio_child_share(request.data, request.size) : -1;
}

/* When must the loop look at this job by itself? */
static uint64_t look_at(const patio_job *job, const limits *l, uint64_t now)
{
    if (is_measured(l)) {
        return now + WATCH_NS;
    }
    return job->deadline_ns != 0 ? job->deadline_ns + l->grace_ns : NEVER;
}

void give_one(patio_executor *x, child *c, patio_job *job)
{
    patio_outcome out    = {PATIO_SIZED(patio_outcome)};
    bool          shared = false;
    bool          begun  = begin(x, job, &out);
    int           fd     = begun ? share_request(x, job, &shared) : -1;
    bool          wake   = false;
    uint32_t      sent   = 0;
    pthread_mutex_lock(&x->lock);
    c->taken = false;
    if (begun && (!shared || fd >= 0)) {
        sent = send_jobs(x, c, &job, 1, fd);
    }
    if (sent > 0) {
        wake = look_at(job, &c->allowed, c->moved_ns) < x->wait_until_ns;
    } else if (begun) {
        pool_push_front(x, job); /* also during a stop: the loop gives it back */
        wake = true;
    }
    pthread_mutex_unlock(&x->lock);
    if (fd >= 0) {
        close(fd);
    }
    if (!begun) {
        refuse_later(x, job, &out);
    } else if (wake) {
        pool_wake(x);
    }
}

/* ---- all, by the loop ---- */

static uint32_t depth(const patio_executor *x)
{
    uint64_t average = x->average_ns > 0 ? x->average_ns : DEPTH_NS;
    uint64_t n       = DEPTH_NS / average;
    return n < 1 ? 1 : n > DEPTH_MAX ? DEPTH_MAX : (uint32_t)n;
}

/* Under the lock: take from the queue what this child is to get now. */
static uint32_t pick(patio_executor *x, const child *c, uint32_t most, patio_job **jobs)
{
    uint64_t places = give_places(x, c);
    uint32_t n      = 0;
    while (n < most && n < places && x->head != NULL) {
        limits l = give_limits(x, x->head);
        if (is_measured(&l) && c->held + n > 0) {
            break;
        }
        jobs[n++] = pool_pop(x);
        if (is_measured(&l)) {
            break;
        }
    }
    return n;
}

/* Those that cannot begin are done. Returns how many are left. */
static uint32_t begin_all(patio_executor *x, patio_job **jobs, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        patio_outcome out = {PATIO_SIZED(patio_outcome)};
        if (begin(x, jobs[i], &out)) {
            jobs[n++] = jobs[i];
        } else {
            pool_done(x, jobs[i], &out);
        }
    }
    return n;
}

/* true: it got something, and may get more. */
static bool give_some(patio_executor *x, child *c, uint32_t most)
{
    patio_job *jobs[DEPTH_MAX];
    bool       shared = false;
    pthread_mutex_lock(&x->lock);
    bool     more  = c->held == 0 || (!is_measured(&c->allowed) && !c->stuck);
    bool     can   = c->state == CHILD_READY && !c->taken && !c->killed && more;
    uint32_t count = can ? pick(x, c, most, jobs) : 0;
    c->taken       = c->taken || count > 0;
    pthread_mutex_unlock(&x->lock);
    if (count == 0) {
        return false;
    }
    count         = begin_all(x, jobs, count);
    int      fd   = count > 0 ? share_request(x, jobs[0], &shared) : -1;
    uint32_t sent = 0;
    pthread_mutex_lock(&x->lock);
    c->taken = false;
    if (count > 0 && (!shared || fd >= 0)) {
        sent = send_jobs(x, c, jobs, count, fd);
    }
    for (uint32_t i = count; i > sent; i--) {
        pool_push_front(x, jobs[i - 1]);
    }
    pthread_mutex_unlock(&x->lock);
    if (fd >= 0) {
        close(fd);
    }
    return sent > 0;
}

/* First one for everybody who has none, then more for those who take microseconds. */
void give_all(patio_executor *x)
{
    for (child *c = x->children; c != NULL && x->queued > 0; c = c->next) {
        if (c->held == 0) {
            (void)give_some(x, c, 1);
        }
    }
    uint32_t most = depth(x);
    if (most < 2) {
        return;
    }
    for (child *c = x->children; c != NULL && x->queued > 0; c = c->next) {
        uint32_t share = x->queued / (x->ready > 0 ? x->ready : 1) + 1;
        uint32_t room  = most > c->held ? most - c->held : 0;
        /* half empty first: many small packets are what this is to avoid */
        while (room > most / 2 && x->queued > 0 && give_some(x, c, share < room ? share : room)) {
            room = most > c->held ? most - c->held : 0;
        }
    }
}

/* By one word of the shared page each job is either begun or withdrawn. */
uint32_t give_withdraw(patio_executor *x, child *c)
{
    uint64_t turn = atomic_load(&c->page->turn);
    do {
    } while (!atomic_compare_exchange_weak(&c->page->turn, &turn,
                                           (uint64_t)(uint32_t)c->number << 32 | (uint32_t)turn));
    uint32_t begun = watch_begun(c);
    uint32_t all   = (uint32_t)(c->number - c->first);
    uint32_t taken = 0;
    if (begun > all) {
        return 0; /* its page holds nonsense: it will not last */
    }
    for (uint64_t n = c->number; n > c->first + begun; n--) {
        patio_job *job = c->jobs[(n - 1) % DEPTH_MAX];
        if (job != NULL) {
            c->jobs[(n - 1) % DEPTH_MAX] = NULL;
            c->held--;
            taken++;
            pool_push_front(x, job);
        }
    }
    return taken;
}

/* ---- words ---- */

void give_word(patio_executor *x, child *c, uint32_t type, uint64_t number,
               const patio_child_answer *answer, const char *text, patio_bytes bytes)
{
    const patio_host *host   = x->host;
    size_t            length = answer != NULL ? answer->text_bytes : 0;
    bool              shared = bytes.size > x->shared_bytes;
    size_t            room = sizeof(patio_child_frame) + sizeof(*answer) + length + bytes.size + 16;
    patio_child_frame f    = {.type = (uint16_t)type, .number = number, .bytes = bytes.size};
    int               fd   = shared ? patio_child_share(bytes.data, bytes.size) : -1;
    uint8_t           small[256] __attribute__((aligned(8)));
    uint8_t *packet = room <= sizeof(small) ? small : host->alloc(host->self, shared ? 4096 : room);
    f.flags =
        bytes.data != NULL ? (uint16_t)(PATIO_CHILD_BYTES | (shared ? PATIO_CHILD_SHARED : 0)) : 0;
    bool said = packet != NULL && (!shared || fd >= 0);
    if (said) {
        size_t size = patio_child_put(packet, &f, answer, text, length, shared ? NULL : bytes.data);
        said        = patio_child_send(c->words_fd, packet, size, fd, MSG_DONTWAIT);
    }
    if (!said) {
        patio_host_log(host, PATIO_LOG_WARN,
                       "child %d did not take a word of kind %u: its call ends by its deadline",
                       (int)c->pid, type);
    }
    if (packet != small) {
        host->free(host->self, packet);
    }
    if (fd >= 0) {
        close(fd);
    }
}
