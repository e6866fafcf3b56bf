/* switch.h: leaving one stack for another.
 *
 * On x86-64 and aarch64 some twenty instructions: what the calling convention keeps over a call is
 * put on the old stack, and taken from the new. Elsewhere, or with ASYNC_UCONTEXT, swapcontext(3),
 * which also asks the kernel for the signal mask, and so costs a system call or two.
 */
#ifndef ASYNC_SWITCH_H
#define ASYNC_SWITCH_H

#include <stddef.h>

#if !defined(ASYNC_UCONTEXT) && !(defined(__x86_64__) && defined(__LP64__)) && !defined(__aarch64__)
#define ASYNC_UCONTEXT
#endif

#ifdef ASYNC_UCONTEXT
#include <ucontext.h>
#endif

typedef struct context {
#ifdef ASYNC_UCONTEXT
    ucontext_t state;
    void (*fn)(void *arg);
    void *arg;
#else
    void *sp; /* what is kept lies above it */
#endif
} context;

/* The first switch to it calls fn(arg) on this stack; fn never returns. */
void context_make(context *c, void *stack, size_t bytes, void (*fn)(void *arg), void *arg);
/* Go on with `to` where it was left; returns when somebody goes back to `from`. */
void context_switch(context *from, context *to);

#endif
