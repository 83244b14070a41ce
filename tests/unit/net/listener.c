/* Accepting on loopback: bursts, pauses, and what happens when descriptors run out. */
#include "net/listener.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG_S = 60, MANY = 150, FDS_KEPT = 32 };

static struct loop *loop;
static struct listener *listener;
static struct address address;
static int accepted[MANY], n_accepted, clients[MANY], n_clients;
static int pressure, pauses;
static size_t most_in_a_turn, this_turn;
static bool (*until)(void);

static void on_accept(void *ctx, int fd, const struct address *peer)
{
    (void)ctx;
    assert_int_equal(peer->kind, ADDRESS_IPV4);
    accepted[n_accepted++] = fd;
    this_turn++;
}

static void on_pressure(void *ctx, bool paused)
{
    (void)ctx;
    assert_int_not_equal(pressure, paused);
    pressure = paused;
    pauses += paused;
}

static const struct listener_ops ops = {on_accept, on_pressure};

static void on_turn_end(void *ctx)
{
    (void)ctx;
    most_in_a_turn = this_turn > most_in_a_turn ? this_turn : most_in_a_turn;
    this_turn = 0;
    if (until())
        loop_stop(loop);
}

static int setup(void **state)
{
    (void)state;
    int fd, error;
    struct address any = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};
    n_accepted = n_clients = pressure = pauses = 0;
    most_in_a_turn = this_turn = 0;
    loop = loop_new();
    loop_set_turn_end(loop, on_turn_end, NULL);
    if (sock_listen(&any, false, &fd, &error) != ERR_NONE || sock_local(fd, &address, NULL) != ERR_NONE)
        return -1;
    listener = listener_new(loop, fd, &ops, NULL);
    listener_keep_fds(listener, FDS_KEPT);
    return listener_fd(listener) == fd ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    listener_free(listener);
    for (int i = 0; i < n_accepted; i++)
        sock_close(accepted[i]);
    for (int i = 0; i < n_clients; i++)
        sock_close(clients[i]);
    loop_free(loop);
    return 0;
}

static void connect_n(int n)
{
    int error;
    while (n-- > 0)
        assert_int_equal(sock_connect(&address, &clients[n_clients++], &error), ERR_NONE);
}

static void run_until(bool (*condition)(void))
{
    until = condition;
    loop_run(loop);
}

static bool all_accepted(void)
{
    return n_accepted == n_clients;
}

static int rest;

static bool rest_accepted(void)
{
    return n_accepted == rest;
}

static bool under_pressure(void)
{
    return pressure;
}

static void test_bursts(void **state)
{
    (void)state;
    connect_n(MANY);
    run_until(all_accepted);
    assert_int_equal(most_in_a_turn, LISTENER_BURST);
    assert_int_equal(pauses, 0);
}

static bool alarmed;

static void on_alarm(void *ctx)
{
    (void)ctx;
    alarmed = true;
}

static bool has_alarmed(void)
{
    return alarmed;
}

/* Runs the loop for 30 ms; how many turns it took. */
static uint64_t turns_of_30_ms(void)
{
    uint64_t before = loop_polls(loop);
    alarmed = false;
    loop_set_alarm(loop, clock_monotonic() + 30 * NS_PER_MS, on_alarm, NULL);
    run_until(has_alarmed);
    return loop_polls(loop) - before;
}

static void test_pause(void **state)
{
    (void)state;
    connect_n(3);
    listener_pause(listener, true);
    assert_true(turns_of_30_ms() <= 2);
    assert_int_equal(n_accepted, 0);
    listener_pause(listener, false);
    run_until(all_accepted);
}

static void set_limit(rlim_t n, struct rlimit *ret_before)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    struct rlimit limit = {.rlim_cur = n, .rlim_max = ret_before->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Five clients wait and the limit is `spare` above the descriptors in use: the listener rests, does not spin, and goes
 * on when there is room again. */
static void run_out(int spare, int taken_before)
{
    struct rlimit before;
    connect_n(5);
    int next = dup(0);
    close(next);
    set_limit((rlim_t)(next + spare), &before);
    run_until(under_pressure);
    assert_int_equal(n_accepted, taken_before);
    assert_int_equal(pauses, 1);
    ns_t now = clock_monotonic();
    listener_tick(listener, now + LISTENER_PAUSE_NS - 20 * NS_PER_MS);
    assert_int_equal(pressure, 1);
    assert_true(turns_of_30_ms() <= 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    listener_tick(listener, now + LISTENER_PAUSE_NS);
    assert_int_equal(pressure, 0);
    run_until(rest_accepted);
}

static void test_descriptors_are_kept_back(void **state)
{
    (void)state;
    rest = 4; /* the third was closed at once */
    run_out(FDS_KEPT + 2, 2);
}

static void test_no_descriptor_at_all(void **state)
{
    (void)state;
    rest = 5; /* nothing was taken from the backlog */
    run_out(0, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bursts),
        TEST(test_pause),
        TEST(test_descriptors_are_kept_back),
        TEST(test_no_descriptor_at_all),
    };
    alarm(WATCHDOG_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
