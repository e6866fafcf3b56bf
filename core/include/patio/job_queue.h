/* patio/job_queue.h: a queue of jobs that is fair between task names, for executors.
 *
 * Jobs of one name leave in the order in which they came; names take turns. So a thousand jobs of
 * one name delay a job of another by one. Allocates nothing: uses three of a job's four links.
 * Pushing looks at the names that are queued, not at the jobs. Not thread-safe.
 */
#ifndef PATIO_JOB_QUEUE_H
#define PATIO_JOB_QUEUE_H

#include <patio/executor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A ring of the first jobs of each name: link[1] is the next name, link[2] the name's last job;
 * link[0] the next job of the same name. All zero is empty. */
typedef struct patio_job_queue {
    patio_job *last; /* whose turn comes last; its link[1] is first */
    uint32_t   count;
    uint32_t   reserved;
} patio_job_queue;

static inline patio_job *patio_job_link(const patio_job *job, unsigned i)
{
    return (patio_job *)job->link[i];
}

static inline void patio_job_queue_push(patio_job_queue *queue, patio_job *job)
{
    patio_job *head = queue->last;
    queue->count++;
    job->link[0] = NULL;
    if (head != NULL) {
        do {
            if (head->task == job->task) {
                patio_job_link(head, 2)->link[0] = job;
                head->link[2]                    = job;
                return;
            }
            head = patio_job_link(head, 1);
        } while (head != queue->last);
    }
    job->link[1] = head != NULL ? head->link[1] : job;
    job->link[2] = job;
    if (head != NULL) {
        head->link[1] = job;
    }
    queue->last = job;
}

/* The one that leaves next; NULL when it is empty. */
static inline patio_job *patio_job_queue_first(const patio_job_queue *queue)
{
    return queue->last != NULL ? patio_job_link(queue->last, 1) : NULL;
}

/* One that was taken, back to where it was: before the others of its name; and if there are none
 * its name is next. */
static inline void patio_job_queue_push_front(patio_job_queue *queue, patio_job *job)
{
    patio_job *before = queue->last;
    queue->count++;
    job->link[0] = NULL;
    job->link[1] = job;
    job->link[2] = job;
    if (before == NULL) {
        queue->last = job;
        return;
    }
    do {
        patio_job *head = patio_job_link(before, 1);
        if (head->task == job->task) {
            job->link[0] = head;
            job->link[2] = head->link[2];
            if (head != before) {
                job->link[1]    = head->link[1];
                before->link[1] = job;
            }
            if (queue->last == head) {
                queue->last = job;
            }
            return;
        }
        before = head;
    } while (before != queue->last);
    job->link[1]    = before->link[1];
    before->link[1] = job;
}

/* NULL when it is empty. */
static inline patio_job *patio_job_queue_pop(patio_job_queue *queue)
{
    if (queue->last == NULL) {
        return NULL;
    }
    patio_job *job  = patio_job_link(queue->last, 1);
    patio_job *next = patio_job_link(job, 0);
    queue->count--;
    if (next != NULL) {
        /* the next of the name takes its place, and its turn is last now */
        next->link[1]        = job->link[1] != job ? job->link[1] : next;
        next->link[2]        = job->link[2];
        queue->last->link[1] = next;
        queue->last          = next;
    } else if (queue->last == job) {
        queue->last = NULL;
    } else {
        queue->last->link[1] = job->link[1];
    }
    return job;
}

/* Inside: the first of its name goes, `prev` is the first of the name before (perhaps itself). */
static inline void patio_job_queue_drop_first(patio_job_queue *queue, patio_job *prev,
                                              patio_job *head)
{
    patio_job *next = patio_job_link(head, 0);
    patio_job *last = next != NULL ? next : prev != head ? prev : NULL;
    if (next != NULL) {
        next->link[1] = head->link[1] != head ? head->link[1] : next;
        next->link[2] = head->link[2];
    }
    if (prev != head) {
        prev->link[1] = next != NULL ? next : head->link[1];
    }
    queue->last = queue->last == head ? last : queue->last;
}

/* Inside: one behind the first of its name goes; 0 if it is not there. */
static inline int patio_job_queue_drop_behind(patio_job *head, const patio_job *job)
{
    patio_job *before = head;
    while (before != NULL && patio_job_link(before, 0) != job) {
        before = patio_job_link(before, 0);
    }
    if (before == NULL) {
        return 0;
    }
    before->link[0] = job->link[0];
    if (head->link[2] == job) {
        head->link[2] = before;
    }
    return 1;
}

/* Take one out, wherever it is; 0 if it is not there. */
static inline int patio_job_queue_remove(patio_job_queue *queue, const patio_job *job)
{
    patio_job *prev = queue->last;
    if (prev == NULL) {
        return 0;
    }
    patio_job *head = patio_job_link(prev, 1);
    while (head->task != job->task && head != queue->last) {
        prev = head;
        head = patio_job_link(head, 1);
    }
    if (head->task != job->task) {
        return 0;
    }
    if (head == job) {
        patio_job_queue_drop_first(queue, prev, head);
    } else if (patio_job_queue_drop_behind(head, job) == 0) {
        return 0;
    }
    queue->count--;
    return 1;
}

#ifdef __cplusplus
}
#endif
#endif
