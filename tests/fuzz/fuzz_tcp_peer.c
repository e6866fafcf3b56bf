/* What peers may say once they are let in, each frame and in any order, to the whole transport: two
 * of them, while its host calls, executes, cancels and asks. Whatever comes, the ledger of
 * peer_fuzz.h holds, what is answered is well formed, memory stays bounded and none is left.
 *
 * An input is a list of steps: a byte that says which, then a frame of a peer's or another byte. In
 * a frame an id with 0xff.. in its highest byte stands for one that the peer was told: 0 the last.
 */
#include "peer_fuzz_links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

patio_plugin_entry_fn patio_plugin_entry; /* of the tcp plugin */

enum { PEAK_BYTES = 16 * 1024 * 1024 };

enum step {
    STEP_FRAME_A,
    STEP_FRAME_B,
    STEP_PUBLISH,
    STEP_SETTLE,
    STEP_CANCEL,
    STEP_NOTIFY,
    STEP_SUBSCRIBE,
    STEP_TICK,
    STEP_ASK,
    STEP_DEAF, /* a peer stops or begins to read */
    STEP_LEAVE,
    STEP_OPERATE,
    STEPS,
};

static patio_transport           *t;
static const patio_transport_ops *ops;
static ask                        question;
static patio_buf                 *small;
static patio_buf                 *big; /* too big for the second peer */

static void leave_now(uint8_t how)
{
    peer *p    = &peers[how % PEERS];
    p->version = how < PEERS ? FRAME_VERSION : FRAME_VERSION_MIN; /* of who comes then */
    conn_close(p->link, PATIO_PEER_LOST, "it leaves");
}

static void flush_written(void)
{
    pthread_mutex_lock(&t->lock);
    loop_flush(t);
    pthread_mutex_unlock(&t->lock);
}

/* What the loop does before it sleeps; and who has gone comes again. */
static void flush(void)
{
    flush_written();
    t->awake = true;
    (void)uv_run(&t->loop, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < PEERS; i++) {
        if (peers[i].link->state == CONN_CLOSED) {
            conn_unref(peers[i].link);
            peer_enters(t, i, peers[i].version);
        }
    }
}

static void publish(uint8_t how)
{
    static const char *const tasks[] = {"mul", "theirs"};
    patio_message m = {PATIO_SIZED(patio_message), .queue = "default", .task = tasks[how & 1],
                       .priority = how % 10, .attempt = 1};
    m.body          = how < 128 ? small : big;
    m.flags         = (how & 2) != 0 ? PATIO_MESSAGE_CALL | PATIO_MESSAGE_NO_RECEIPT : 0;
    m.flags |= (how & 4) != 0 ? PATIO_MESSAGE_WAIT_ROUTE : 0;
    m.flags |= (how & 8) != 0 ? PATIO_MESSAGE_IDEMPOTENT : 0;
    m.flags |= (how & 16) != 0 ? PATIO_MESSAGE_KEEP_RESULT : 0;
    m.delay_ms = (how & 32) != 0 ? 100 : 0;
    if (book.tasks == LEDGER_TASKS) {
        return;
    }
    uint32_t number = book.tasks++;
    frame_put32(m.id.bytes, number);
    book.call[number] = (m.flags & PATIO_MESSAGE_CALL) != 0;
    if (ops->publish(t, &m, NULL) != PATIO_OK) {
        require(book.accepted[number] == 0 && book.ended[number]++ == 0);
    }
}

static void settle(uint8_t how)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK + how % 5};
    if (book.open_count == 0) {
        return;
    }
    patio_tag tag   = book.open[how / 16 % book.open_count];
    s.delay_ms      = (how & 32) != 0 ? 50 : 0;
    s.result_ttl_ms = (how & 64) != 0 ? 1000 : 0;
    s.cause         = (patio_bytes){(const uint8_t *)"cause", 5};
    if (s.verdict == PATIO_ACK || s.verdict == PATIO_REJECT) {
        s.reply = how < 128 ? small : big;
    }
    if (s.verdict != PATIO_CLAIM) {
        require(book_close(tag));
    }
    require(ops->settle(t, tag, &s, NULL) == PATIO_OK);
}

static void notify(uint8_t which)
{
    if (book.open_count > 0) {
        patio_tag    tag = book.open[which % book.open_count];
        patio_status st  = ops->notify(t, tag, small, NULL);
        require(st == PATIO_OK || st == PATIO_FULL); /* it does not read */
    }
}

static void cancel(uint8_t which)
{
    patio_id id = {{0}};
    frame_put32(id.bytes, which < book.tasks ? which : LEDGER_TASKS + which);
    book.cancels++;
    if (ops->cancel(t, "default", &id, NULL) != PATIO_OK) {
        book.cancels--;
    }
}

static void subscribe(uint8_t how)
{
    static const char *const task[] = {"mul"};
    const patio_subscription s      = {PATIO_SIZED(patio_subscription), .queue = "default",
                                       .tasks = task, .task_count = 1, .credit = how % 8};
    if (how >= 128) {
        (void)ops->unsubscribe(t, "default", NULL);
    } else {
        require(ops->subscribe(t, &s, NULL) == PATIO_OK);
    }
}

/* What the I/O thread does from time to time. */
static void tick(uint8_t how)
{
    effects fx;
    book.now_ns += (uint64_t)how * 100000000u;
    book_run_timers(book.now_ns);
    effects_begin(&fx, t);
    ask_tick(t, &fx);
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL) {
            inbox_return_old(q->own, fx.now, &fx);
        }
    }
    inbox_fence(t, &fx);
    effects_end(&fx);
    for (unsigned i = 0; i < PEERS; i++) {
        conn_tick(peers[i].link, fx.now);
    }
}

static void end_question(void)
{
    for (ask **at = &t->ask.asks; *at != NULL; at = &(*at)->next) {
        if (*at == &question) {
            *at = question.next;
            break;
        }
    }
    for (const part *p = question.first; p != NULL; p = p->next) {
        read_all(p->answer.rows);
    }
    ask_forget(t, &question);
    memset(&question, 0, sizeof(question));
}

/* Of an operator's here; ask_all() would sleep until it is answered. */
static void put_question(uint8_t what)
{
    effects fx;
    end_question();
    effects_begin(&fx, t);
    question.question    = (frame_ask){.what       = what % (ASK_WHAT_HIGHEST + 1),
                                       .flags      = ASK_RELAY,
                                       .number     = ++t->ask.last,
                                       .timeout_ms = 1000,
                                       .origin     = t->incarnation};
    question.targets     = book_alloc(NULL, PEERS * sizeof(ask_target));
    question.target_room = PEERS;
    question.next        = t->ask.asks;
    t->ask.asks          = &question;
    for (unsigned i = 0; i < PEERS; i++) {
        conn *c = peers[i].link;
        if (ask_can(c) && ask_write(c, question.question.number, &question.question, &fx)) {
            question.targets[question.target_count++] = (ask_target){.c = c, .pending = 1};
            question.pending++;
        }
    }
    effects_end(&fx);
}

static void operate(uint8_t how)
{
    uint64_t count = 0;
    if (how < 4) {
        (void)operate_set_state(t, "default", how, NULL);
    } else if (how < 128) {
        (void)operate_purge(t, "default");
    } else {
        (void)operate_retry(t, "default", NULL, &count, NULL);
    }
}

static void hear_again(uint8_t which)
{
    peer *p = &peers[which % PEERS];
    p->deaf = !p->deaf;
    pthread_mutex_lock(&t->lock);
    if (p->link->want_write && !p->deaf) {
        p->link->want_write = false;
        write_mark_dirty(p->link);
    }
    pthread_mutex_unlock(&t->lock);
}

static void step(uint8_t which, patio_bytes *in)
{
    static void (*const steps[STEPS])(uint8_t how) = {
        [STEP_PUBLISH] = publish,  [STEP_SETTLE] = settle,       [STEP_CANCEL] = cancel,
        [STEP_NOTIFY] = notify,    [STEP_SUBSCRIBE] = subscribe, [STEP_TICK] = tick,
        [STEP_ASK] = put_question, [STEP_DEAF] = hear_again,     [STEP_LEAVE] = leave_now,
        [STEP_OPERATE] = operate};
    which %= STEPS;
    if (steps[which] == NULL) {
        peer_says(which, in);
    } else if (in->size > 0) {
        uint8_t how = in->data[0];
        in->data++;
        in->size--;
        steps[which](how);
    }
    flush();
}

static void begin(void)
{
    book_begin();
    ops   = patio_plugin_entry(PATIO_ABI_MAJOR)->query(PATIO_TRANSPORT_ID);
    t     = peer_fuzz_transport(ops);
    small = book_body(100);
    big   = book_body(40000);
    peer_enters(t, 0, FRAME_VERSION);
    peer_enters(t, 1, FRAME_VERSION);
}

/* With nobody to run them only sends are held, and calls that wait for somebody. */
static void check_left(const entry *e)
{
    const uint32_t waits = PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE;
    require(e->state == ENTRY_FREE || e->state == ENTRY_READY || e->state == ENTRY_DEAD);
    require(e->state != ENTRY_READY || (e->flags & waits) != PATIO_MESSAGE_CALL);
}

/* All go, and nothing may be left open. */
static void end(void)
{
    end_question();
    operate(PATIO_QUEUE_OPEN);
    subscribe(255);
    for (unsigned round = 0; round < 3; round++) {
        while (book.open_count > 0) {
            settle(0);
        }
        book_run_timers(UINT64_MAX);
        leave_now(0);
        leave_now(1);
        flush();
        tick(255);
    }
    leave_now(0);
    leave_now(1);
    require(t->inbound == 0 && t->inbound_bytes == 0 && t->piece_bytes == 0 && t->echoes == 0);
    require(t->ask.relay_count == 0 && book.outcomes == book.cancels);
    for (uint32_t i = 0; i < t->room.chunk_count * CHUNK_ENTRIES; i++) {
        check_left(&t->room.chunks[i / CHUNK_ENTRIES][i % CHUNK_ENTRIES]);
    }
    conn_unref(peers[0].link);
    conn_unref(peers[1].link);
    flush_written();
    (void)uv_run(&t->loop, UV_RUN_NOWAIT);
    turn_end(&t->turn);
    book_buf_drop(NULL, small);
    book_buf_drop(NULL, big);
    ops->destroy(t);
    require(book.memory.live_blocks == 0 && book.memory.peak_bytes <= PEAK_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    patio_bytes in = {data, size};
    begin();
    while (in.size > 0) {
        uint8_t which = in.data[0];
        in.data++;
        in.size--;
        step(which, &in);
    }
    end();
    return 0;
}
