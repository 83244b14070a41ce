/* The event loop on the real clock: timers never early, posts in order and from other threads, interest in descriptors,
 * signals, the hook. */
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG_S = 60 };

static struct loop *loop;
static int order[64];
static size_t n_order;

static int setup(void **state)
{
    (void)state;
    n_order = 0;
    loop = loop_new();
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void note(int what)
{
    assert_true(n_order < sizeof order / sizeof *order);
    order[n_order++] = what;
}

static ns_t fired_at;

static void on_alarm(void *ctx)
{
    note(*(int *)ctx);
    fired_at = clock_monotonic();
    loop_stop(loop);
}

static void test_alarm_is_never_early(void **state)
{
    (void)state;
    int id = 1;
    for (int i = 0; i < 20; i++) {
        ns_t at = clock_monotonic() + i * 300 * NS_PER_US;
        loop_set_alarm(loop, at, on_alarm, &id);
        loop_run(loop);
        assert_true(fired_at >= at);
    }
    assert_int_equal(n_order, 20);
}

static void test_alarm_moves_both_ways(void **state)
{
    (void)state;
    int first = 1, second = 2, third = 3;
    ns_t start = clock_monotonic();
    loop_set_alarm(loop, start + 2 * NS_PER_MS, on_alarm, &first);
    loop_set_alarm(loop, start + 10 * NS_PER_MS, on_alarm, &second); /* later: the early wake-up must not fire it */
    loop_run(loop);
    assert_true(fired_at >= start + 10 * NS_PER_MS);
    assert_in_range(loop_polls(loop), 1, 3); /* woken for nothing at most once */
    loop_set_alarm(loop, start + 3600 * NS_PER_S, on_alarm, &first);
    loop_set_alarm(loop, start, on_alarm, &third); /* earlier, and in the past */
    loop_run(loop);
    assert_int_equal(n_order, 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 3);
}

static void test_wake_up_shortly_before_is_not_enough(void **state)
{
    (void)state;
    int id = 1;
    for (int i = 0; i < 10; i++) {
        ns_t at = clock_monotonic() + 3 * NS_PER_MS;
        loop_set_alarm(loop, at - NS_PER_MS, on_alarm, &id);
        loop_set_alarm(loop, at, on_alarm, &id);
        loop_run(loop);
        assert_true(fired_at >= at);
    }
}

static struct loop_timer *second_timer;

static void on_first(void *ctx)
{
    note(*(int *)ctx);
    loop_timer_set(second_timer, clock_monotonic() + 2 * NS_PER_MS);
}

static void test_due_timer_is_moved_by_another(void **state)
{
    (void)state;
    int first_id = 1, second_id = 2;
    struct loop_timer *first = loop_timer_new(loop, on_first, &first_id);
    second_timer = loop_timer_new(loop, on_alarm, &second_id);
    ns_t start = clock_monotonic();
    loop_timer_set(first, start);
    loop_timer_set(second_timer, start);
    loop_run(loop);
    assert_int_equal(n_order, 2);
    assert_true(fired_at >= start + 2 * NS_PER_MS);
    loop_timer_free(first);
    loop_timer_free(second_timer);
}

static void test_cleared_alarm_stays_silent(void **state)
{
    (void)state;
    int alarm_id = 1, timer_id = 2;
    struct loop_timer *t = loop_timer_new(loop, on_alarm, &timer_id);
    ns_t start = clock_monotonic();
    loop_set_alarm(loop, start + NS_PER_MS, on_alarm, &alarm_id);
    loop_set_alarm(loop, NS_NEVER, on_alarm, &alarm_id);
    loop_timer_set(t, start + 5 * NS_PER_MS);
    loop_run(loop);
    assert_int_equal(n_order, 1);
    assert_int_equal(order[0], 2);
    loop_timer_free(t);
}

static struct loop_timer *again;

static void on_again(void *ctx)
{
    note(*(int *)ctx);
    if (n_order < 5)
        loop_timer_set(again, 0); /* the past: a later turn, not this one */
    else
        loop_stop(loop);
}

static void on_turn_end(void *ctx)
{
    (void)ctx;
    note(100);
}

static void test_timer_in_the_past_fires_in_a_later_turn(void **state)
{
    (void)state;
    int id = 7;
    again = loop_timer_new(loop, on_again, &id);
    loop_set_turn_end(loop, on_turn_end, NULL);
    loop_timer_set(again, 0);
    loop_run(loop);
    assert_true(n_order >= 6);
    for (size_t i = 0; i + 1 < n_order; i++)
        assert_true(order[i] != order[i + 1] || order[i] == 100);
    loop_timer_free(again);
}

static void on_post(void *arg)
{
    note((int)(intptr_t)arg);
    if (arg == (void *)9)
        loop_stop(loop);
}

static void test_posts_run_in_order(void **state)
{
    (void)state;
    for (intptr_t i = 0; i < 10; i++)
        assert_int_equal(loop_post(loop, on_post, (void *)i), ERR_NONE);
    loop_run(loop);
    assert_int_equal(n_order, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(order[i], i);
}

enum { THREADS = 4, POSTS = 5000 };
static int posted;

static void on_counted(void *arg)
{
    (void)arg;
    if (++posted == THREADS * POSTS)
        loop_stop(loop);
}

static void *post_many(void *arg)
{
    for (int i = 0; i < POSTS; i++)
        if (loop_post(loop, on_counted, arg) != ERR_NONE)
            abort();
    return NULL;
}

static void test_posts_from_other_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    posted = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, NULL), 0);
    loop_run(loop);
    assert_int_equal(posted, THREADS * POSTS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void test_posts_left_over_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(loop_post(loop, on_post, NULL), ERR_NONE);
    assert_int_equal(n_order, 0);
}

static struct loop_io *io;
static int pair[2];

static void on_io(void *ctx, unsigned what)
{
    (void)ctx;
    char c;
    note((int)what);
    if (what & LOOP_READ)
        assert_int_equal(read(pair[0], &c, 1), 1);
    loop_stop(loop);
}

static void open_pair(void)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    io = loop_io_new(loop, pair[0], on_io, NULL);
    assert_non_null(io);
}

static void close_pair(void)
{
    loop_io_free(io);
    close(pair[0]);
    close(pair[1]);
}

static void test_interest_in_a_descriptor(void **state)
{
    (void)state;
    int id = 50;
    open_pair();
    assert_int_equal(write(pair[1], "abc", 3), 3);
    loop_run(loop); /* level triggered: "bc" is still there */
    loop_run(loop);
    loop_io_want(io, 0);
    loop_set_alarm(loop, clock_monotonic() + NS_PER_MS, on_alarm, &id);
    loop_run(loop);
    loop_io_want(io, LOOP_WRITE);
    loop_run(loop);
    loop_io_want(io, LOOP_READ);
    loop_run(loop);
    const int expected[] = {LOOP_READ, LOOP_READ, 50, LOOP_WRITE, LOOP_READ};
    assert_int_equal(n_order, 5);
    assert_memory_equal(order, expected, sizeof expected);
    close_pair();
}

static void on_io_free(void *ctx, unsigned what)
{
    (void)ctx;
    note((int)what);
    loop_io_free(io);
    io = NULL;
    loop_stop(loop);
}

static void test_io_may_be_freed_by_its_callback(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    io = loop_io_new(loop, pair[0], on_io_free, NULL);
    loop_io_want(io, LOOP_READ | LOOP_WRITE); /* both are ready: the second must not run */
    assert_int_equal(write(pair[1], "a", 1), 1);
    loop_run(loop);
    assert_int_equal(n_order, 1);
    close_pair();
}

static void on_number(void *ctx, int number)
{
    (void)ctx;
    note(number);
    loop_stop(loop);
}

static void test_signals(void **state)
{
    (void)state;
    struct loop_signal *s = loop_signal_new(loop, SIGUSR1, on_number, NULL);
    assert_non_null(s);
    raise(SIGUSR1);
    loop_run(loop);
    raise(SIGUSR1);
    loop_run(loop);
    assert_int_equal(n_order, 2);
    assert_int_equal(order[1], SIGUSR1);
    loop_signal_free(s);
}

static ns_t times[4];

static void on_time(void *arg)
{
    size_t i = (size_t)(intptr_t)arg;
    times[i] = loop_now(loop);
    if (i == 2)
        loop_stop(loop);
}

static void on_time_then_more(void *arg)
{
    on_time(arg);
    ns_t until = clock_monotonic();
    while (clock_monotonic() == until)
        ;
    assert_int_equal(loop_now(loop), times[0]);
    assert_int_equal(loop_post(loop, on_time, (void *)2), ERR_NONE);
}

static void test_time_stands_still_within_a_turn(void **state)
{
    (void)state;
    assert_int_equal(loop_post(loop, on_time_then_more, (void *)0), ERR_NONE);
    assert_int_equal(loop_post(loop, on_time, (void *)1), ERR_NONE);
    loop_run(loop);
    assert_int_equal(times[0], times[1]);
    assert_true(times[2] > times[1]);
    assert_int_equal(loop_polls(loop), 2);
}

static void test_stop_before_run_counts(void **state)
{
    (void)state;
    loop_stop(loop);
    loop_run(loop);
    assert_int_equal(loop_polls(loop), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_alarm_is_never_early),
        TEST(test_alarm_moves_both_ways),
        TEST(test_wake_up_shortly_before_is_not_enough),
        TEST(test_due_timer_is_moved_by_another),
        TEST(test_cleared_alarm_stays_silent),
        TEST(test_timer_in_the_past_fires_in_a_later_turn),
        TEST(test_posts_run_in_order),
        TEST(test_posts_from_other_threads),
        TEST(test_posts_left_over_are_dropped),
        TEST(test_interest_in_a_descriptor),
        TEST(test_io_may_be_freed_by_its_callback),
        TEST(test_signals),
        TEST(test_time_stands_still_within_a_turn),
        TEST(test_stop_before_run_counts),
    };
    alarm(WATCHDOG_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
