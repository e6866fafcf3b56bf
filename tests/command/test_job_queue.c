/* patio/job_queue.h against a plain model of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <patio/job_queue.h>

static const char *const names[] = {"a", "b", "c", "d"};
enum { NAMES = 4, JOBS = 64, STEPS = 200000 };

static void names_take_turns_and_jobs_of_one_name_stay_in_order(void **state)
{
    (void)state;
    patio_job       jobs[6] = {{.task = names[0]}, {.task = names[0]}, {.task = names[0]},
                               {.task = names[1]}, {.task = names[2]}, {.task = names[1]}};
    patio_job_queue queue   = {NULL, 0, 0};
    const int       order[] = {0, 3, 4, 1, 5, 2};
    for (int i = 0; i < 6; i++) {
        patio_job_queue_push(&queue, &jobs[i]);
    }
    for (int i = 0; i < 6; i++) {
        assert_ptr_equal(patio_job_queue_pop(&queue), &jobs[order[i]]);
    }
    assert_null(patio_job_queue_pop(&queue));
    assert_int_equal(queue.count, 0);
}

static void what_was_taken_goes_back_to_where_it_was(void **state)
{
    (void)state;
    patio_job       jobs[5] = {{.task = names[0]},
                               {.task = names[1]},
                               {.task = names[0]},
                               {.task = names[1]},
                               {.task = names[2]}};
    patio_job_queue queue   = {NULL, 0, 0};
    patio_job_queue_push_front(&queue, &jobs[0]);
    assert_ptr_equal(patio_job_queue_pop(&queue), &jobs[0]);
    for (int i = 0; i < 4; i++) {
        patio_job_queue_push(&queue, &jobs[i]);
    }
    assert_ptr_equal(patio_job_queue_pop(&queue), &jobs[0]);
    assert_ptr_equal(patio_job_queue_pop(&queue), &jobs[1]);
    patio_job_queue_push_front(&queue, &jobs[1]);
    patio_job_queue_push_front(&queue, &jobs[0]);
    patio_job_queue_push_front(&queue, &jobs[4]);
    const int order[] = {4, 0, 1, 2, 3};
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(patio_job_queue_pop(&queue), &jobs[order[i]]);
    }
    assert_null(patio_job_queue_pop(&queue));
}

/* A model: jobs of each name in a list, names in the order of their turns. */
typedef struct model {
    int turns[NAMES];
    int turn_count;
    int lists[NAMES][JOBS];
    int counts[NAMES];
} model;

static void drop_turn(model *m, int at)
{
    for (int i = at; i + 1 < m->turn_count; i++) {
        m->turns[i] = m->turns[i + 1];
    }
    m->turn_count--;
}

static void drop_job(model *m, int name, int at)
{
    for (int i = at; i + 1 < m->counts[name]; i++) {
        m->lists[name][i] = m->lists[name][i + 1];
    }
    m->counts[name]--;
}

static void model_push(model *m, int name, int job)
{
    if (m->counts[name] == 0) {
        m->turns[m->turn_count++] = name;
    }
    m->lists[name][m->counts[name]++] = job;
}

static void model_push_front(model *m, int name, int job)
{
    if (m->counts[name] == 0) {
        for (int i = m->turn_count++; i > 0; i--) {
            m->turns[i] = m->turns[i - 1];
        }
        m->turns[0] = name;
    }
    for (int i = m->counts[name]++; i > 0; i--) {
        m->lists[name][i] = m->lists[name][i - 1];
    }
    m->lists[name][0] = job;
}

static int model_pop(model *m)
{
    if (m->turn_count == 0) {
        return -1;
    }
    int name = m->turns[0];
    int job  = m->lists[name][0];
    drop_job(m, name, 0);
    drop_turn(m, 0);
    if (m->counts[name] > 0) {
        m->turns[m->turn_count++] = name;
    }
    return job;
}

static int model_remove(model *m, int name, int job)
{
    for (int i = 0; i < m->counts[name]; i++) {
        if (m->lists[name][i] == job) {
            drop_job(m, name, i);
            for (int t = 0; m->counts[name] == 0 && t < m->turn_count; t++) {
                if (m->turns[t] == name) {
                    drop_turn(m, t);
                }
            }
            return 1;
        }
    }
    return 0;
}

static void any_order_of_calls_gives_what_the_model_gives(void **state)
{
    (void)state;
    patio_job       jobs[JOBS];
    int             queued[JOBS] = {0};
    patio_job_queue queue        = {NULL, 0, 0};
    model           m            = {.turn_count = 0};
    uint32_t        random       = 1;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (patio_job){.task = names[i % NAMES]};
    }
    for (int step = 0; step < STEPS; step++) {
        random  = random * 1664525u + 1013904223u;
        int job = (int)(random >> 16) % JOBS;
        switch (random >> 29) {
        case 0:
        case 1:
        case 2: {
            int        expected = model_pop(&m);
            patio_job *got      = patio_job_queue_pop(&queue);
            assert_ptr_equal(got, expected >= 0 ? &jobs[expected] : NULL);
            if (expected >= 0) {
                queued[expected] = 0;
            }
            break;
        }
        case 3:
            assert_int_equal(patio_job_queue_remove(&queue, &jobs[job]),
                             model_remove(&m, job % NAMES, job));
            queued[job] = 0;
            break;
        case 4:
            if (!queued[job]) {
                patio_job_queue_push_front(&queue, &jobs[job]);
                model_push_front(&m, job % NAMES, job);
                queued[job] = 1;
            }
            break;
        default:
            if (!queued[job]) {
                patio_job_queue_push(&queue, &jobs[job]);
                model_push(&m, job % NAMES, job);
                queued[job] = 1;
            }
            break;
        }
        int count = 0;
        for (int i = 0; i < NAMES; i++) {
            count += m.counts[i];
        }
        assert_int_equal(queue.count, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_take_turns_and_jobs_of_one_name_stay_in_order),
        cmocka_unit_test(what_was_taken_goes_back_to_where_it_was),
        cmocka_unit_test(any_order_of_calls_gives_what_the_model_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
