/* What is said when a stack was too small. The guard below it makes the access a fault; the
 * handler, on a stack of its own, names the task and hands the fault on to whoever had it before,
 * which ends the process as any fault does.
 *
 * A signal has one handler per process, so this is the one thing here that is not per executor: it
 * is there from the first start to the last stop. */
#include "async.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t  installing = PTHREAD_MUTEX_INITIALIZER;
static uint32_t         users;
static struct sigaction before;

static char *add_text(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end) {
        *at++ = *text++;
    }
    return at;
}

static char *add_number(char *at, const char *end, size_t number)
{
    char   digits[24];
    size_t n  = sizeof(digits) - 1;
    digits[n] = '\0';
    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return add_text(at, end, digits + n);
}

/* In a handler nothing but write(2). */
static void report(const fiber *f)
{
    char        line[512] = "";
    const char *end       = line + sizeof(line) - 1;
    char       *at        = add_text(line, end, "patio: stack overflow in task ");
    at                    = add_text(at, line + 320, f->job->task);
    at                    = add_text(at, end, ": its stack has ");
    at                    = add_number(at, end, f->loop->x->stack_bytes);
    at                    = add_text(at, end, " bytes, see executors.async.stack_bytes\n");
    (void)!write(STDERR_FILENO, line, (size_t)(at - line));
}

static bool is_overflow(const siginfo_t *info)
{
    const loop *l = here;
    if (l == NULL || l->current == NULL || l->current->job == NULL) {
        return false;
    }
    uintptr_t at  = (uintptr_t)info->si_addr;
    uintptr_t low = (uintptr_t)l->current->stack;
    return at < low && at >= low - GUARD_BYTES;
}

static void on_fault(int number, siginfo_t *info, void *machine)
{
    if (is_overflow(info)) {
        report(here->current);
    }
    if ((before.sa_flags & SA_SIGINFO) != 0) {
        before.sa_sigaction(number, info, machine);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {
        /* the access is repeated, and ends the process with its own address and registers */
        struct sigaction fatal = {.sa_handler = SIG_DFL};
        (void)sigaction(number, &fatal, NULL);
    }
}

void overflow_install(void)
{
    pthread_mutex_lock(&installing);
    if (users++ == 0) {
        struct sigaction ours = {.sa_sigaction = on_fault,
                                 .sa_flags     = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
        (void)sigemptyset(&ours.sa_mask);
        (void)sigaction(SIGSEGV, &ours, &before);
    }
    pthread_mutex_unlock(&installing);
}

void overflow_remove(void)
{
    pthread_mutex_lock(&installing);
    if (--users == 0) {
        struct sigaction now;
        /* whoever came after us may call us still: then ours stays, and does no harm */
        if (sigaction(SIGSEGV, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
            now.sa_sigaction == on_fault) {
            (void)sigaction(SIGSEGV, &before, NULL);
        }
    }
    pthread_mutex_unlock(&installing);
}

/* The fault handler cannot run on the stack that is full. */
bool overflow_open(loop *l)
{
    l->alt_bytes = (size_t)SIGSTKSZ > 65536 ? (size_t)SIGSTKSZ : 65536;
    l->alt_stack = l->x->host->alloc(l->x->host->self, l->alt_bytes);
    return l->alt_stack != NULL;
}

void overflow_close(loop *l)
{
    l->x->host->free(l->x->host->self, l->alt_stack);
    l->alt_stack = NULL;
}

void overflow_enter_thread(loop *l)
{
    stack_t alt = {.ss_sp = l->alt_stack, .ss_size = l->alt_bytes};
    (void)sigaltstack(&alt, &l->alt_before);
}

/* What was there before comes back: a sanitizer frees what it finds at the thread's end. */
void overflow_leave_thread(loop *l)
{
    (void)sigaltstack(&l->alt_before, NULL);
}
