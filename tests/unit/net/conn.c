/* Connections over real loopback sockets, in clear text and TLS: order of callbacks, back-pressure, what counts as
 * offered, and that every end is told once and only once. */
#include "conn_pair.h"

enum { WATCHDOG_S = 60 };

static void test_talk(void **state)
{
    (void)state;
    start_both();
    put(&client, "hello", 5);
    put(&server, "welcome", 7);
    wanted = 5;
    run_until(server_has);
    wanted = 7;
    run_until(client_has);
    assert_in(&server, "hello");
    assert_in(&client, "welcome");
    assert_int_equal(conn_offered(client.conn), 5);
    assert_int_equal(conn_offered(server.conn), 7);
    assert_string_equal(conn_peer_identity(server.conn), use_tls ? "spiffe://a/client" : "");
    assert_string_equal(conn_peer_dns(client.conn), use_tls ? "server.test" : "");
    conn_close(client.conn, false);
    client.conn = NULL;
    run_until(server_ended);
    assert_int_equal(server.end, CONN_END_EOF);
    assert_int_equal(client.ended, 0);
}

static void test_write_from_on_open(void **state)
{
    (void)state;
    start_both();
    client.write_on_open = "client first";
    server.write_on_open = "server first";
    wanted = 12;
    run_until(server_has);
    run_until(client_has);
    assert_in(&server, "client first");
    assert_in(&client, "server first");
}

static void test_nothing_is_taken_before_open(void **state)
{
    (void)state;
    start_both();
    put(&client, "x", 1);
    assert_false(conn_write(client.conn, &client.out));
    assert_int_equal(buf_len(&client.out), 1);
    assert_int_equal(conn_offered(client.conn), 0);
    wanted = 1;
    run_until(server_has);
}

static void fill_pattern(struct side *s, size_t n)
{
    uint8_t *p = buf_reserve(&s->out, n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    buf_commit(&s->out, n);
}

static void assert_pattern(struct side *s, size_t n)
{
    assert_int_equal(buf_len(&s->in), n);
    for (size_t i = 0; i < n; i++)
        if (buf_head(&s->in)[i] != (uint8_t)(i * 7 + i / 251))
            fail_msg("byte %zu is wrong", i);
}

static void test_blocked_writer_gets_through_a_tiny_buffer(void **state)
{
    (void)state;
    enum { ALL = 150 * 1000 };
    int one = 1;
    start_both();
    assert_int_equal(setsockopt(server_fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof one), 0);
    run_until(both_open);
    conn_pause(client.conn, true);
    fill_pattern(&server, ALL);
    run_until(server_blocked);
    uint64_t offered = conn_offered(server.conn);
    assert_int_equal(offered + buf_len(&server.out), ALL);
    assert_false(conn_write(server.conn, &server.out)); /* blocked: takes nothing */
    assert_int_equal(conn_offered(server.conn), offered);
    conn_pause(client.conn, false);
    wanted = ALL;
    run_until(client_has);
    assert_pattern(&client, ALL);
    assert_true(server.writable > 0);
    assert_int_equal(conn_offered(server.conn), ALL);
}

static void test_pause_holds_the_bytes(void **state)
{
    (void)state;
    start_both();
    run_until(both_open);
    server.pause_on_bytes = true;
    put(&client, "one", 3);
    wanted = 3;
    run_until(server_has);
    put(&client, "two", 3);
    put(&server, "answer", 6); /* travels although the server does not read */
    wanted = 6;
    run_until(client_has);
    assert_in(&server, "one");
    server.pause_on_bytes = false;
    conn_pause(server.conn, false);
    run_until(server_has);
    assert_in(&server, "onetwo");
}

static void test_close_from_on_bytes(void **state)
{
    (void)state;
    start_both();
    server.close_on_bytes = true;
    put(&client, "bye", 3);
    run_until(client_ended);
    assert_in(&server, "bye");
    assert_int_equal(server.ended, 0);
    assert_int_equal(client.end, CONN_END_EOF);
}

/* The server goes away with bytes unread, so the kernel sends RST: the client must hear of it exactly once, whether its
 * read or its write meets it first. */
static void test_reset_is_told_once(void **state)
{
    (void)state;
    start_both();
    run_until(both_open);
    conn_pause(server.conn, true);
    put(&client, "unread", 6);
    flush(&client);
    conn_close(server.conn, false);
    server.conn = NULL;
    put(&client, "more", 4);
    run_until(client_ended);
    assert_int_equal(client.ended, 1);
    assert_true(client.end == CONN_END_IO || client.end == CONN_END_EOF);
    assert_true(strlen(client.why) > 0);
}

static void test_failing_write_is_told_while_paused(void **state)
{
    (void)state;
    start_both();
    run_until(both_open);
    conn_pause(client.conn, true);
    conn_pause(server.conn, true);
    put(&client, "unread", 6);
    flush(&client);
    conn_close(server.conn, false);
    server.conn = NULL;
    /* The RST has arrived by now on loopback, or arrives before one of these writes. */
    while (conn_write(client.conn, &client.out))
        put(&client, "y", 1);
    run_until(client_ended);
    assert_int_equal(client.end, CONN_END_IO);
    assert_non_null(strstr(client.why, "write failed: "));
}

/* The server's last words reach a client that has sent what the server never read. */
static void test_lingering_close_delivers_the_last_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        start_both();
        run_until(both_open);
        conn_pause(server.conn, true);
        fill_pattern(&client, 30000);
        flush(&client);
        put(&server, "GOAWAY", 6);
        flush(&server);
        conn_close(server.conn, true);
        server.conn = NULL;
        run_until(client_ended);
        assert_in(&client, "GOAWAY");
        assert_int_equal(client.end, CONN_END_EOF);
        side_fini(&client);
        side_fini(&server);
    }
}

static bool server_fd_closed(void)
{
    return fcntl(server_fd, F_GETFD) < 0;
}

static bool server_open(void)
{
    return server.opened;
}

/* A peer that neither reads nor closes does not hold a lingering descriptor for ever. */
static void test_lingering_ends_by_itself(void **state)
{
    (void)state;
    int fd = -1, error;
    assert_int_equal(sock_connect(&listen_address, &fd, &error), ERR_NONE);
    server_fd = accept_fd();
    server.conn = conn_accepted(env, server_fd, NULL, &ops, &server);
    run_until(server_open);
    ns_t start_time = clock_monotonic();
    conn_close(server.conn, true);
    server.conn = NULL;
    run_until(server_fd_closed);
    assert_true(clock_monotonic() - start_time >= NS_PER_S);
    assert_true(clock_monotonic() - start_time < 3 * NS_PER_S);
    sock_close(fd);
}

static void test_connect_refused(void **state)
{
    (void)state;
    const struct address nowhere = {.kind = ADDRESS_UNIX, .name = "/nonexistent/socket"};
    sock_close(listen_fd);
    client.conn = conn_connect(env, &listen_address, use_tls ? good_client : NULL, NULL, &ops, &client);
    assert_non_null(client.conn);
    run_until(client_ended);
    assert_int_equal(client.end, CONN_END_CONNECT);
    assert_string_equal(client.why, "connect failed: Connection refused");
    side_fini(&client);
    client.conn = conn_connect(env, &nowhere, use_tls ? good_client : NULL, NULL, &ops, &client);
    assert_int_equal(client.ended, 0); /* fails at once, is told later */
    run_until(client_ended);
    assert_string_equal(client.why, "connect failed: No such file or directory");
    side_fini(&client);
    client.conn = conn_connect(env, &nowhere, NULL, NULL, &ops, &client);
    conn_close(client.conn, false); /* before it was told: nothing may follow */
    client.conn = NULL;
    conn_sweep(env);
    int error;
    const struct address a = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};
    assert_int_equal(sock_listen(&a, false, &listen_fd, &error), ERR_NONE);
    assert_int_equal(sock_local(listen_fd, &listen_address, NULL), ERR_NONE);
    start_both();
    run_until(both_open);
    assert_int_equal(client.ended, 0);
}

static void test_steady_state_makes_two_calls_a_message(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    uint64_t reads, writes, reads2, writes2;
    start_both();
    run_until(both_open);
    put(&client, "p", 1);
    wanted = 1;
    run_until(server_has);
    sock_counts(&reads, &writes);
    uint64_t polls = loop_polls(loop);
    for (int i = 0; i < ROUNDS; i++) {
        struct side *from = i % 2 ? &client : &server;
        put(from, "p", 1);
        flush(from);
        wanted = (size_t)(i / 2 + (i % 2 ? 2 : 1));
        run_until(i % 2 ? server_has : client_has);
    }
    sock_counts(&reads2, &writes2);
    assert_int_equal(reads2 - reads, ROUNDS);
    assert_int_equal(writes2 - writes, ROUNDS);
    assert_int_equal(loop_polls(loop) - polls, ROUNDS);
}

static void test_wrong_peer_is_a_tls_end(void **state)
{
    (void)state;
    const struct tls_expect expect = {.identity = "spiffe://a/other"};
    start(good_client, good_server, &expect);
    run_until(client_ended);
    run_until(server_ended);
    assert_int_equal(client.end, CONN_END_TLS);
    assert_string_equal(client.why, "peer is spiffe://a/server, expected spiffe://a/other");
    assert_int_equal(server.end, CONN_END_TLS);
    assert_non_null(strstr(server.why, "the peer refused"));
    assert_int_equal(client.opened + server.opened, 0);
}

static void test_strange_client_hears_the_alert(void **state)
{
    (void)state;
    start(strange_client, good_server, NULL);
    run_until(server_ended);
    run_until(client_ended);
    assert_int_equal(server.end, CONN_END_TLS);
    assert_int_equal(server.opened, 0);
    assert_int_equal(client.end, CONN_END_TLS); /* after on_open: TLS 1.3 tells late */
    assert_string_equal(client.why, "the peer refused: unknown CA");
}

static void test_clear_text_at_a_tls_port(void **state)
{
    (void)state;
    start(NULL, good_server, NULL);
    put(&client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    run_until(server_ended);
    run_until(client_ended);
    assert_int_equal(server.end, CONN_END_TLS);
    assert_string_equal(server.why, "the peer does not speak TLS");
}

static void test_closed_during_the_handshake(void **state)
{
    (void)state;
    int fd, error;
    assert_int_equal(sock_connect(&listen_address, &fd, &error), ERR_NONE);
    server.conn = conn_accepted(env, accept_fd(), good_server, &ops, &server);
    sock_close(fd);
    run_until(server_ended);
    assert_int_equal(server.end, CONN_END_TLS);
    assert_string_equal(server.why, "closed by the peer during the TLS handshake");
}

static void test_eof_without_close_notify(void **state)
{
    (void)state;
    start(good_client, good_server, NULL);
    run_until(both_open);
    sock_shutdown_write(server_fd);
    run_until(client_ended);
    assert_int_equal(client.end, CONN_END_IO);
    assert_string_equal(client.why, "closed by the peer without close_notify");
}

static int clear_text(void **state)
{
    (void)state;
    use_tls = false;
    return 0;
}

static int over_tls(void **state)
{
    (void)state;
    use_tls = true;
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest both_ways[] = {
    TEST(test_talk),
    TEST(test_write_from_on_open),
    TEST(test_nothing_is_taken_before_open),
    TEST(test_blocked_writer_gets_through_a_tiny_buffer),
    TEST(test_pause_holds_the_bytes),
    TEST(test_close_from_on_bytes),
    TEST(test_reset_is_told_once),
    TEST(test_failing_write_is_told_while_paused),
    TEST(test_lingering_close_delivers_the_last_bytes),
    TEST(test_connect_refused),
    TEST(test_steady_state_makes_two_calls_a_message),
};

static const struct CMUnitTest one_way[] = {
    TEST(test_lingering_ends_by_itself),       TEST(test_wrong_peer_is_a_tls_end),
    TEST(test_strange_client_hears_the_alert), TEST(test_clear_text_at_a_tls_port),
    TEST(test_closed_during_the_handshake),    TEST(test_eof_without_close_notify),
};

int main(void)
{
    alarm(WATCHDOG_S);
    certs_init();
    write_certificates();
    good_client = context(false, "client.crt", "client.key");
    good_server = context(true, "server.crt", "server.key");
    strange_client = context(false, "strange.crt", "strange.key");
    int failed = cmocka_run_group_tests_name("clear text", both_ways, clear_text, NULL);
    failed += cmocka_run_group_tests_name("TLS", both_ways, over_tls, NULL);
    failed += cmocka_run_group_tests_name("one way", one_way, NULL, NULL);
    tls_context_unref(good_client);
    tls_context_unref(good_server);
    tls_context_unref(strange_client);
    certs_fini();
    return failed;
}
