/* The simulated world tested on its own, and conn, tls and listener on top of it under faults: bytes are never lost,
 * changed or reordered, every end is told once, the same seed gives the same run. */
#include "peers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { SEEDS = 150, WATCHDOG_S = 300 };

static void test_latency_is_exact(void **state)
{
    (void)state;
    const struct world_faults slow = {.latency_min = 5 * NS_PER_MS, .latency_max = 5 * NS_PER_MS};
    for (int tls = 0; tls < 2; tls++) {
        start(1, tls);
        world_set_faults(&server_at, &slow);
        ns_t begin = world_now();
        connect_one(0, 1000);
        world_run_until(begin + NS_PER_S);
        /* TCP: one round trip. TLS 1.3: the client is open after another one, the server after half a one more. */
        assert_int_equal(clients[0].opened_at - begin, (tls ? 20 : 10) * NS_PER_MS);
        assert_int_equal(servers[0].opened_at - begin, (tls ? 25 : 5) * NS_PER_MS);
        assert_int_equal(servers[0].got, 1000);
        assert_string_equal(conn_peer_identity(servers[0].conn), tls ? "spiffe://a/client" : "");
        finish();
    }
}

static void test_all_bytes_arrive_through_all_kinds_of_delay(void **state)
{
    (void)state;
    const struct world_faults rough = {.latency_max = 3 * NS_PER_MS,
                                       .jitter_max = 2 * NS_PER_MS,
                                       .capacity = 3000,
                                       .stall = 20,
                                       .stall_max = 50 * NS_PER_MS,
                                       .part_read = 300,
                                       .part_write = 300};
    for (uint64_t seed = 0; seed < 40; seed++) {
        start(seed, seed % 2);
        world_set_faults(NULL, &rough);
        server_sends = 30000;
        for (int i = 0; i < PEERS; i++)
            connect_one(i, 20000);
        world_run_until(world_now() + 60 * NS_PER_S);
        assert_int_equal(servers_n, PEERS);
        for (int i = 0; i < PEERS; i++) {
            assert_int_equal(servers[i].got, 20000);
            assert_int_equal(clients[i].got, 30000);
            assert_int_equal(clients[i].ended + servers[i].ended, 0);
        }
        finish();
    }
}

/* Every connection whose link is gone was told so, once; every other one is complete. */
static void check_ends(void)
{
    for (int i = 0; i < PEERS; i++) {
        const struct side *c = &clients[i];
        assert_true(c->ended || c->got == server_sends);
    }
    for (int i = 0; i < servers_n; i++)
        assert_true(servers[i].ended || servers[i].got == 20000);
}

static uint64_t run_with_faults(uint64_t seed)
{
    const struct world_faults bad = {.latency_max = 3 * NS_PER_MS,
                                     .jitter_max = NS_PER_MS,
                                     .capacity = 5000,
                                     .refuse = 100,
                                     .vanish = 50,
                                     .reset = 15,
                                     .stall = 10,
                                     .stall_max = 100 * NS_PER_MS,
                                     .part_read = 200,
                                     .part_write = 200};
    start(seed, seed % 2);
    world_set_faults(&server_at, &bad);
    server_sends = 30000;
    for (int i = 0; i < PEERS; i++)
        connect_one(i, 20000);
    world_run_until(world_now() + 60 * NS_PER_S);
    check_ends();
    uint64_t trace = world_trace();
    finish();
    return trace;
}

static void test_every_end_is_told_once(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        (void)run_with_faults(seed);
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++)
        assert_int_equal(run_with_faults(seed), run_with_faults(seed));
    assert_int_not_equal(run_with_faults(1), run_with_faults(3));
}

static void test_refused_and_vanished(void **state)
{
    (void)state;
    const struct world_faults refuse = {.refuse = 1000, .latency_min = NS_PER_MS, .latency_max = NS_PER_MS},
                              vanish = {.vanish = 1000};
    start(5, false);
    world_set_faults(&server_at, &refuse);
    connect_one(0, 1);
    ns_t begin = world_now();
    world_run_until(begin + NS_PER_S);
    assert_int_equal(clients[0].ended_at - begin, 2 * NS_PER_MS);
    assert_int_equal(clients[0].end, CONN_END_CONNECT);
    assert_string_equal(clients[0].why, "connect failed: Connection refused");
    world_set_faults(&server_at, &vanish);
    begin = world_now();
    connect_one(1, 1);
    world_run_until(begin + 20 * NS_PER_S);
    assert_int_equal(clients[1].ended_at - begin, 15 * NS_PER_S);
    assert_string_equal(clients[1].why, "connect failed: Connection timed out");
    assert_int_equal(servers_n, 0);
    finish();
}

static void test_black_hole_ends_by_user_timeout(void **state)
{
    (void)state;
    const struct world_faults hole = {.black_hole = 1000};
    start(6, false);
    world_set_faults(&server_at, &hole);
    connect_one(0, 100);
    ns_t begin = world_now();
    world_run_until(begin + 20 * NS_PER_S);
    assert_int_equal(servers[0].got, 0);
    assert_int_equal(servers[0].ended, 0); /* it was never told */
    assert_int_equal(clients[0].end, CONN_END_IO);
    assert_string_equal(clients[0].why, "read failed: Connection timed out");
    assert_int_equal(clients[0].ended_at - begin, 15 * NS_PER_S);
    finish();
}

static void test_reset_and_hold_by_hand(void **state)
{
    (void)state;
    struct world_link link;
    start(7, true);
    connect_one(0, 100);
    world_settle();
    assert_int_equal(servers[0].got, 100);
    world_hold(1, WORLD_TO_SERVER, world_now() + NS_PER_S);
    clients[0].to_send = 50;
    flush(&clients[0]);
    world_run_until(world_now() + NS_PER_S - 1);
    assert_int_equal(servers[0].got, 100);
    world_run_until(world_now() + 1);
    assert_int_equal(servers[0].got, 150);
    assert_true(world_link(1, &link));
    assert_true(link.is_connected && link.is_open[0] && link.is_open[1]);
    assert_true(link.bytes[WORLD_TO_SERVER] > 150);
    assert_true(address_eq(&link.to, &server_at));
    world_reset(1);
    world_settle();
    assert_int_equal(clients[0].end, CONN_END_IO);
    assert_int_equal(servers[0].end, CONN_END_IO);
    assert_string_equal(servers[0].why, "read failed: Connection reset by peer");
    assert_true(world_link(1, &link));
    assert_false(link.is_open[0] || link.is_open[1]);
    assert_false(world_link(2, &link));
    finish();
}

static struct buf tapped[2];

static void on_tap(void *ctx, uint64_t link, int direction, const uint8_t *p, size_t n)
{
    (void)ctx;
    assert_int_equal(link, 1);
    assert_int_equal(buf_append(&tapped[direction], p, n), ERR_NONE);
}

static void test_tap_sees_the_bytes(void **state)
{
    (void)state;
    start(8, false);
    world_tap(on_tap, NULL);
    server_sends = 30;
    connect_one(0, 20);
    world_settle();
    assert_int_equal(buf_len(&tapped[WORLD_TO_SERVER]), 20);
    assert_int_equal(buf_len(&tapped[WORLD_TO_CLIENT]), 30);
    assert_int_equal(buf_head(&tapped[WORLD_TO_CLIENT])[29], pattern(100, 29));
    buf_fini(&tapped[0]);
    buf_fini(&tapped[1]);
    finish();
}

static void test_descriptors_run_out(void **state)
{
    (void)state;
    start(9, false);
    world_set_descriptors(3 + 1 + 2); /* the listening one and two clients */
    connect_one(0, 10);
    connect_one(1, 10);
    assert_null(conn_connect(client_env, &server_at, NULL, NULL, &ops, &clients[2]));
    world_settle();
    assert_int_equal(pressure, 1);
    assert_int_equal(servers_n, 0);
    world_set_descriptors(100);
    world_run_until(world_now() + LISTENER_PAUSE_NS);
    listener_tick(listener, world_now());
    world_settle();
    assert_int_equal(pressure, 0);
    assert_int_equal(servers[0].got + servers[1].got, 20);
    finish();
}

/* A close with 5,000 bytes unread. Without lingering it may lose the last bytes, with lingering it never does. */
static void test_lingering_close_delivers(void **state)
{
    (void)state;
    const struct world_faults slow = {.latency_min = NS_PER_MS, .latency_max = 4 * NS_PER_MS};
    int lost = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        bool linger = seed % 2;
        start(seed, false);
        world_set_faults(NULL, &slow);
        connect_one(0, 0);
        world_run_until(world_now() + NS_PER_S);
        servers[0].open = false; /* its flush must not start reading again */
        conn_pause(servers[0].conn, true);
        clients[0].to_send = 5000;
        flush(&clients[0]);
        world_run_until(world_now() + NS_PER_S);
        struct buf last = {0};
        for (size_t i = 0; i < 300; i++)
            assert_int_equal(buf_append(&last, &(uint8_t){pattern(100, i)}, 1), ERR_NONE);
        assert_true(conn_write(servers[0].conn, &last));
        buf_fini(&last);
        conn_close(servers[0].conn, linger);
        servers[0].conn = NULL;
        ns_t closed_at = world_now();
        world_run_until(closed_at + 3 * NS_PER_S);
        assert_int_equal(clients[0].ended, 1);
        assert_true(clients[0].ended_at <= closed_at + 5 * NS_PER_MS);
        assert_true(!linger || clients[0].got == 300);
        lost += clients[0].got != 300;
        finish();
    }
    assert_true(lost > 0);
}

/* What was sealed when a blocked connection is closed with lingering still arrives, and the end right behind it. */
static void test_blocked_lingering_close_delivers(void **state)
{
    (void)state;
    const struct world_faults narrow = {.latency_min = NS_PER_MS, .latency_max = NS_PER_MS, .capacity = 3000};
    start(13, true);
    world_set_faults(NULL, &narrow);
    connect_one(0, 0);
    world_run_until(world_now() + NS_PER_S);
    servers[0].to_send = 40000;
    flush(&servers[0]);
    assert_true(servers[0].blocked);
    uint64_t offered = conn_offered(servers[0].conn);
    ns_t closed_at = world_now();
    conn_close(servers[0].conn, true);
    servers[0].conn = NULL;
    world_run_until(closed_at + 3 * NS_PER_S);
    assert_int_equal(offered, 40000);
    assert_int_equal(clients[0].got, offered);
    assert_int_equal(clients[0].ended, 1);
    assert_true(clients[0].ended_at < closed_at + 500 * NS_PER_MS);
    finish();
}

/* Peers that never close: each descriptor goes one second after its own close. */
static void test_lingering_ends_one_by_one(void **state)
{
    (void)state;
    int fd[2], error;
    start(14, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sock_connect(&server_at, &fd[i], &error), ERR_NONE);
    world_settle();
    ns_t begin = world_now();
    for (int i = 0; i < 2; i++) {
        world_run_until(begin + i * 500 * NS_PER_MS);
        conn_close(servers[i].conn, true);
        servers[i].conn = NULL;
    }
    assert_int_equal(world_live_sockets(), 5);
    world_run_until(begin + 999 * NS_PER_MS);
    assert_int_equal(world_live_sockets(), 5);
    world_run_until(begin + NS_PER_S);
    assert_int_equal(world_live_sockets(), 4);
    world_run_until(begin + 1500 * NS_PER_MS);
    assert_int_equal(world_live_sockets(), 3);
    sock_close(fd[0]);
    sock_close(fd[1]);
    finish();
}

static void write_too_late(void *ctx)
{
    (void)ctx;
    clients[0].to_send = 10;
    flush(&clients[0]);
}

/* The peer answered and closed hard; our write meets the reset before our read meets the answer. */
static void test_input_before_a_failed_write_is_delivered(void **state)
{
    (void)state;
    const struct world_faults slow = {.latency_min = NS_PER_MS, .latency_max = NS_PER_MS, .reset_keeps_input = true};
    for (uint64_t seed = 0; seed < 20; seed++) {
        start(seed, false);
        world_set_faults(NULL, &slow);
        connect_one(0, 0);
        world_run_until(world_now() + NS_PER_S);
        servers[0].open = false;
        conn_pause(servers[0].conn, true);
        clients[0].to_send = 100;
        flush(&clients[0]);
        world_run_until(world_now() + NS_PER_S);
        servers[0].open = true;
        servers[0].to_send = 300;
        flush(&servers[0]);
        conn_close(servers[0].conn, false);
        servers[0].conn = NULL;
        world_at(world_now() + NS_PER_MS, write_too_late, NULL);
        world_run_until(world_now() + NS_PER_S);
        assert_int_equal(clients[0].got, 300);
        assert_int_equal(clients[0].ended, 1);
        assert_string_equal(clients[0].why, "write failed: Connection reset by peer");
        finish();
    }
}

static int order[16], order_n;

static void note(void *ctx)
{
    order[order_n++] = (int)(intptr_t)ctx;
}

static void on_signal(void *ctx, int number)
{
    (void)ctx;
    order[order_n++] = number;
}

static void test_calls_timers_posts_signals(void **state)
{
    (void)state;
    order_n = 0;
    start(10, false);
    ns_t begin = world_now();
    struct loop_timer *t = loop_timer_new(client_loop, note, (void *)4);
    struct loop_signal *s = loop_signal_new(client_loop, SIGTERM, on_signal, NULL);
    world_at(begin + 20, note, (void *)3);
    world_at(begin + 10, note, (void *)1);
    world_at(begin + 10, note, (void *)2);
    loop_timer_set(t, begin + 30);
    loop_set_alarm(client_loop, begin + 40, note, (void *)5);
    world_run_until(begin + 39);
    assert_int_equal(order_n, 4);
    world_run_until(begin + 40);
    assert_int_equal(loop_post(client_loop, note, (void *)6), ERR_NONE);
    assert_int_equal(loop_post(client_loop, note, (void *)7), ERR_NONE);
    world_settle();
    world_raise(SIGTERM);
    world_raise(SIGHUP);
    world_settle();
    const int expected[] = {1, 2, 3, 4, 5, 6, 7, SIGTERM};
    assert_int_equal(order_n, 8);
    assert_memory_equal(order, expected, sizeof expected);
    assert_int_equal(world_now(), begin + 40);
    loop_timer_free(t);
    loop_signal_free(s);
    finish();
}

static void stop_loop(void *loop)
{
    loop_stop(loop);
}

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

static void test_loop_run_drives_the_world(void **state)
{
    (void)state;
    pthread_t thread;
    start(11, false);
    ns_t begin = world_now();
    connect_one(0, 100);
    assert_int_equal(pthread_create(&thread, NULL, run_loop, server_loop), 0);
    world_at(begin + 5 * NS_PER_S, stop_loop, server_loop);
    world_at(begin + 6 * NS_PER_S, stop_loop, client_loop);
    loop_run(client_loop);
    assert_int_equal(world_now(), begin + 6 * NS_PER_S);
    assert_int_equal(servers[0].got, 100);
    pthread_join(thread, NULL);
    conn_close(clients[0].conn, false);
    conn_close(servers[0].conn, false);
    clients[0].conn = servers[0].conn = NULL;
    finish();
}

static void handle(void *ctx, const char *path, const char *query, struct http_answer *answer)
{
    (void)ctx;
    answer->status = strcmp(path, "/ready") == 0 && strcmp(query, "x") == 0 ? 200 : 404;
}

static void test_names_watches_http_unix(void **state)
{
    (void)state;
    int fd, client, error;
    char text[RESOLVE_ERROR_MAX], storage[ADDRESS_PATH_MAX + 1];
    struct http_answer answer;
    struct address found[RESOLVE_MAX], local;
    const struct address name = {.kind = ADDRESS_NAME, .name = "payment.shop", .port = 80};
    size_t n;
    order_n = 0;
    start(12, false);
    assert_int_equal(resolve_now(&name, NS_PER_S, found, &n, text), ERR_NOT_FOUND);
    assert_string_equal(text, "payment.shop: Domain name not found");
    world_name("payment.shop", &server_at, 1);
    assert_int_equal(resolve_now(&name, NS_PER_S, found, &n, text), ERR_NONE);
    assert_int_equal(n, 1);
    assert_int_equal(found[0].port, 80);
    struct watch *w = watch_new(client_loop, note, (void *)1);
    assert_int_equal(watch_add(w, "/etc/x"), ERR_NONE);
    world_touch();
    world_settle();
    assert_int_equal(order_n, 1);
    watch_free(w);
    assert_int_equal(sock_connect(&unix_at, &client, &error), ERR_IO);
    assert_int_equal(error, ENOENT);
    assert_int_equal(sock_listen(&unix_at, false, &fd, &error), ERR_NONE);
    assert_int_equal(sock_listen(&unix_at, false, &client, &error), ERR_IO);
    assert_int_equal(sock_local(fd, &local, storage), ERR_NONE);
    assert_true(address_eq(&local, &unix_at) && sock_is_listening_on(fd, &unix_at));
    struct http_server *h = http_server_new(client_loop, fd, handle, NULL);
    assert_true(world_http_get(&unix_at, "/ready", "x", &answer));
    assert_int_equal(answer.status, 200);
    assert_false(world_http_get(&server_at, "/ready", "x", &answer));
    http_server_free(h);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_is_exact),
        cmocka_unit_test(test_all_bytes_arrive_through_all_kinds_of_delay),
        cmocka_unit_test(test_every_end_is_told_once),
        cmocka_unit_test(test_same_seed_same_run),
        cmocka_unit_test(test_refused_and_vanished),
        cmocka_unit_test(test_black_hole_ends_by_user_timeout),
        cmocka_unit_test(test_reset_and_hold_by_hand),
        cmocka_unit_test(test_tap_sees_the_bytes),
        cmocka_unit_test(test_descriptors_run_out),
        cmocka_unit_test(test_lingering_close_delivers),
        cmocka_unit_test(test_blocked_lingering_close_delivers),
        cmocka_unit_test(test_lingering_ends_one_by_one),
        cmocka_unit_test(test_input_before_a_failed_write_is_delivered),
        cmocka_unit_test(test_calls_timers_posts_signals),
        cmocka_unit_test(test_loop_run_drives_the_world),
        cmocka_unit_test(test_names_watches_http_unix),
    };
    alarm(WATCHDOG_S);
    certs_init();
    world_open(0);
    certs_now = clock_wall() / NS_PER_S;
    write_certificates();
    client_tls = context(false, "client.crt", "client.key");
    server_tls = context(true, "server.crt", "server.key");
    world_close();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tls_context_unref(client_tls);
    tls_context_unref(server_tls);
    certs_fini();
    return failed;
}
