/* A thread for what must be heard while a task runs: cancels, and the answers to its calls. */
#include <patio/child_socket.h>

#include <signal.h>

#include "child/child.h"
#include "runtime/runtime.h"

static void cancel(pt_child *child, uint64_t number)
{
    pthread_mutex_lock(&child->lock);
    if (child->current == number + 1) {
        atomic_store(&child->told, 1);
        pt_await_pin(&child->awaiter);
        pt_await_wake(&child->awaiter);
        pt_await_unpin(&child->awaiter);
    }
    pthread_mutex_unlock(&child->lock);
}

static void hear_reply(pt_child *child, const patio_child_part *part, int fd)
{
    patio_child_answer a;
    memcpy(&a, part->body, sizeof(a));
    patio_reply reply = {PATIO_SIZED(patio_reply), .flags = a.flags, .id = a.id};
    reply.body        = pt_child_bytes(child, part, fd, true);
    if (reply.body != NULL) {
        child->events->replied(child->events->self, &reply);
        pt_buf_drop(reply.body);
    }
}

static void hear_receipt(pt_child *child, const patio_child_part *part)
{
    patio_child_answer a;
    patio_error        why = PATIO_ERROR_INIT;
    memcpy(&a, part->body, sizeof(a));
    why.status = a.status;
    size_t size =
        part->text_bytes < sizeof(why.message) ? part->text_bytes : sizeof(why.message) - 1;
    memcpy(why.message, part->text, size);
    patio_receipt receipt = {
        PATIO_SIZED(patio_receipt), .outcome = a.outcome, .id = a.id,
        .original = a.original,     .level = a.level,     .error = a.status != 0 ? &why : NULL,
    };
    child->events->published(child->events->self, &receipt);
}

static void hear(pt_child *child, const patio_child_part *part, int fd)
{
    switch (part->frame.type) {
    case PATIO_CHILD_CANCEL:
        cancel(child, part->frame.number);
        return;
    case PATIO_CHILD_REPLY:
        hear_reply(child, part, fd);
        return;
    case PATIO_CHILD_RECEIPT:
        hear_receipt(child, part);
        return;
    default:
        return;
    }
}

static void *listen_to_parent(void *arg)
{
    pt_child *child = arg;
    /* not on the stack: it is small */
    uint64_t *packet = pt_alloc(&child->runtime->mem, PATIO_CHILD_PACKET);
    for (;;) {
        int     fd   = -1;
        ssize_t size = packet != NULL ? patio_child_receive(PATIO_CHILD_FD_WORDS, packet,
                                                            PATIO_CHILD_PACKET, &fd, 0)
                                      : -1;
        if (size <= 0 && atomic_load(&child->closing)) {
            break;
        }
        if (size <= 0) {
            child->page->crash_signal = PATIO_CHILD_LOST;
            pt_child_die(); /* the parent closes this one only by dying */
        }
        size_t           at = 0;
        patio_child_part part;
        while (patio_child_next((const uint8_t *)packet, (size_t)size, &at, &part) > 0) {
            hear(child, &part, fd);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    pt_free(&child->runtime->mem, packet);
    return NULL;
}

bool pt_child_words_start(pt_child *child)
{
    sigset_t all;
    sigset_t before;
    /* signals are for the task's thread */
    sigfillset(&all);
    sigdelset(&all, PT_CHILD_DEATH_SIGNAL);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    child->has_words_thread =
        pthread_create(&child->words_thread, NULL, listen_to_parent, child) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child->has_words_thread;
}

void pt_child_words_stop(pt_child *child)
{
    if (child->has_words_thread) {
        atomic_store(&child->closing, true);
        (void)shutdown(PATIO_CHILD_FD_WORDS, SHUT_RD);
        (void)pthread_join(child->words_thread, NULL);
        child->has_words_thread = false;
    }
}
