#include "switch.h"

#include <stdint.h>

#ifdef ASYNC_UCONTEXT

/* makecontext passes ints only: a pointer goes as two. */
static void begin(unsigned high, unsigned low)
{
    context *c = (context *)((uintptr_t)high << 16 << 16 | low);
    c->fn(c->arg);
}

void context_make(context *c, void *stack, size_t bytes, void (*fn)(void *arg), void *arg)
{
    uintptr_t at = (uintptr_t)c;
    (void)getcontext(&c->state); /* fails only for a bad pointer */
    c->fn                     = fn;
    c->arg                    = arg;
    c->state.uc_link          = NULL;
    c->state.uc_stack.ss_sp   = stack;
    c->state.uc_stack.ss_size = bytes;
    makecontext(&c->state, (void (*)(void))begin, 2, (unsigned)(at >> 16 >> 16), (unsigned)at);
}

__attribute__((no_sanitize("thread"))) void context_switch(context *from, context *to)
{
    (void)swapcontext(&from->state, &to->state);
}

#else

/* async_switch(void **from, void *to): keep sp in *from, go on at `to`. */
void async_switch(void **from, void *to);
void async_begin(void); /* where a new stack begins */

#if defined(__x86_64__)

/* rbx, rbp, r12 to r15 and the two control words are the callee's to keep (System V ABI 3.2.1). The
 * jump instead of a return keeps the processor's own stack of return addresses out of it. A new
 * stack has its function in r13, the argument in r12. */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl async_switch\n"
        ".hidden async_switch\n"
        ".type async_switch, @function\n"
        "async_switch:\n"
        "    .cfi_startproc\n"
        "    endbr64\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n"
        "    notrack jmp *%rcx\n"
        "    .cfi_endproc\n"
        ".size async_switch, . - async_switch\n"
        ".p2align 4\n"
        ".globl async_begin\n"
        ".hidden async_begin\n"
        ".type async_begin, @function\n"
        "async_begin:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined rip\n" /* nothing called it: a backtrace ends here */
        "    endbr64\n"
        "    movq %r12, %rdi\n"
        "    call *%r13\n"
        "    ud2\n"
        "    .cfi_endproc\n"
        ".size async_begin, . - async_begin\n");

enum { WORDS = 8, AT_FN = 3, AT_ARG = 4, AT_RETURN = 7 };

static void set_control_words(uintptr_t *frame)
{
    uint32_t mxcsr   = 0;
    uint16_t control = 0;
    __asm__ __volatile__("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
    frame[0] = (uintptr_t)control << 32 | mxcsr;
}

#else /* aarch64 */

/* x19 to x30, d8 to d15 and the floating-point control word (AAPCS64 6.1). A new stack has its
 * function in x20, the argument in x19. `hint 34` is a landing pad (bti c), or nothing. */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl async_switch\n"
        ".hidden async_switch\n"
        ".type async_switch, %function\n"
        "async_switch:\n"
        "    .cfi_startproc\n"
        "    hint #34\n"
        "    sub sp, sp, #176\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mrs x9, fpcr\n"
        "    str x9, [sp, #160]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldr x9, [sp, #160]\n"
        "    msr fpcr, x9\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #176\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size async_switch, . - async_switch\n"
        ".p2align 4\n"
        ".globl async_begin\n"
        ".hidden async_begin\n"
        ".type async_begin, %function\n"
        "async_begin:\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined x30\n"
        "    hint #36\n"
        "    mov x0, x19\n"
        "    blr x20\n"
        "    brk #1\n"
        "    .cfi_endproc\n"
        ".size async_begin, . - async_begin\n");

enum { WORDS = 22, AT_FN = 1, AT_ARG = 0, AT_RETURN = 11, AT_CONTROL = 20 };

static void set_control_words(uintptr_t *frame)
{
    uint64_t fpcr = 0;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(fpcr));
    frame[AT_CONTROL] = fpcr;
}

#endif

void context_make(context *c, void *stack, size_t bytes, void (*fn)(void *arg), void *arg)
{
    uintptr_t  top   = ((uintptr_t)stack + bytes) & ~(uintptr_t)15;
    uintptr_t *frame = (uintptr_t *)top - WORDS;
    for (int i = 0; i < WORDS; i++) {
        frame[i] = 0;
    }
    set_control_words(frame);
    frame[AT_FN]     = (uintptr_t)fn;
    frame[AT_ARG]    = (uintptr_t)arg;
    frame[AT_RETURN] = (uintptr_t)async_begin;
    c->sp            = frame;
}

/* TSan counts calls per stack, and would count this one on the wrong one. */
__attribute__((no_sanitize("thread"))) void context_switch(context *from, context *to)
{
    async_switch(&from->sp, to->sp);
}

#endif
