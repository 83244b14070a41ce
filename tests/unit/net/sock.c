/* Sockets on loopback: every kind of address, stale socket files, inherited descriptors, options, counts. */
#include "net/sock.h"

#include "folder.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG_S = 60 };

static char folder[FOLDER_MAX], path[ADDRESS_PATH_MAX + 1];

static const struct address any4 = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};
static const struct address any6 = {.kind = ADDRESS_IPV6, .ip = {[15] = 1}};

static struct address at_path(void)
{
    return (struct address){.kind = ADDRESS_UNIX, .name = path};
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, -1), 1);
}

static int listen_on(const struct address *a, bool is_public)
{
    int fd = -1, error = 0;
    if (sock_listen(a, is_public, &fd, &error) != ERR_NONE)
        fail_msg("listen: %s", strerror(error));
    return fd;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t n = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
    return value;
}

/* Connects, accepts, sends both ways, closes. */
static void talk(const struct address *a)
{
    int listener = listen_on(a, false), client = -1, server = -1, error;
    char storage[ADDRESS_PATH_MAX + 1], got[8];
    struct address local, peer;
    enum err e;
    assert_int_equal(sock_accept(listener, &server, &peer), ERR_AGAIN);
    assert_int_equal(sock_local(listener, &local, storage), ERR_NONE);
    assert_true(sock_is_listening_on(listener, &local));
    assert_int_equal(sock_connect(&local, &client, &error), ERR_NONE);
    wait_for(client, POLLOUT);
    assert_int_equal(sock_connect_result(client), 0);
    wait_for(listener, POLLIN);
    assert_int_equal(sock_accept(listener, &server, &peer), ERR_NONE);
    assert_int_equal(peer.kind, a->kind);
    assert_false(sock_is_listening_on(client, &local));
    assert_int_equal(sock_read(server, got, sizeof got, &e), -1);
    assert_int_equal(e, ERR_AGAIN);
    assert_int_equal(sock_write(client, "hello", 5, &e), 5);
    wait_for(server, POLLIN);
    assert_int_equal(sock_read(server, got, sizeof got, &e), 5);
    assert_memory_equal(got, "hello", 5);
    sock_shutdown_write(server);
    wait_for(client, POLLIN);
    assert_int_equal(sock_read(client, got, sizeof got, &e), 0);
    if (a->kind != ADDRESS_UNIX) {
        assert_int_equal(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option(server, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option(client, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPIDLE), 10);
        assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), 15000);
    }
    sock_close(client);
    sock_close(server);
    sock_close(listener);
}

static void test_ipv4_ipv6_unix(void **state)
{
    (void)state;
    struct address u = at_path();
    talk(&any4);
    talk(&any6);
    talk(&u);
}

static void test_all_of_ipv6_takes_ipv4_too(void **state)
{
    (void)state;
    const struct address all = {.kind = ADDRESS_IPV6};
    int listener = listen_on(&all, false), client, server, error;
    struct address local, peer, to = any4;
    char storage[ADDRESS_PATH_MAX + 1];
    assert_int_equal(sock_local(listener, &local, storage), ERR_NONE);
    to.port = local.port;
    assert_int_equal(sock_connect(&to, &client, &error), ERR_NONE);
    wait_for(listener, POLLIN);
    assert_int_equal(sock_accept(listener, &server, &peer), ERR_NONE);
    sock_close(client);
    sock_close(server);
    sock_close(listener);
}

static void test_stale_socket_file_is_replaced(void **state)
{
    (void)state;
    struct address u = at_path();
    struct stat st;
    int error, none;
    sock_close(listen_on(&u, false)); /* leaves its file behind */
    assert_int_equal(lstat(path, &st), 0);
    int live = listen_on(&u, false);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(sock_listen(&u, false, &none, &error), ERR_IO); /* somebody listens there */
    assert_int_equal(error, EADDRINUSE);
    sock_close(live);
    live = listen_on(&u, true);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    sock_close(live);
    assert_int_equal(unlink(path), 0);
}

static void test_a_socket_file_is_removed_on_request(void **state)
{
    (void)state;
    struct address u = at_path();
    int fd = listen_on(&u, false);
    sock_remove_file(&u);
    assert_int_equal(access(path, F_OK), -1);
    sock_remove_file(&u);
    sock_close(fd);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fclose(f);
    sock_remove_file(&u);
    sock_remove_file(&any4);
    assert_int_equal(unlink(path), 0); /* no socket: still there */
}

static void test_a_file_is_never_removed(void **state)
{
    (void)state;
    struct address u = at_path();
    int fd, error;
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(sock_listen(&u, false, &fd, &error), ERR_IO);
    assert_int_equal(error, EADDRINUSE);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_refused(void **state)
{
    (void)state;
    struct address local, u = at_path();
    char storage[ADDRESS_PATH_MAX + 1];
    int fd = listen_on(&any4, false), client, error;
    assert_int_equal(sock_local(fd, &local, storage), ERR_NONE);
    sock_close(fd);
    if (sock_connect(&local, &client, &error) == ERR_NONE) {
        wait_for(client, POLLOUT);
        error = sock_connect_result(client);
        sock_close(client);
    }
    assert_int_equal(error, ECONNREFUSED);
    assert_int_equal(sock_connect(&u, &client, &error), ERR_IO);
    assert_int_equal(error, ENOENT);
}

static void test_names_are_no_socket_addresses(void **state)
{
    (void)state;
    const struct address name = {.kind = ADDRESS_NAME, .port = 80, .name = "localhost"};
    int fd, error;
    assert_int_equal(sock_listen(&name, false, &fd, &error), ERR_INVALID);
    assert_int_equal(sock_connect(&name, &fd, &error), ERR_INVALID);
}

static void test_write_to_a_closed_peer_fails_without_a_signal(void **state)
{
    (void)state;
    int pair[2];
    enum err e;
    uint64_t reads, writes, reads2, writes2;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    close(pair[1]);
    sock_counts(&reads, &writes);
    assert_int_equal(sock_write(pair[0], "x", 1, &e), -1);
    assert_int_equal(e, ERR_IO);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(sock_read(pair[0], &pair[1], 1, &e), 0);
    sock_counts(&reads2, &writes2);
    assert_int_equal(reads2 - reads, 1);
    assert_int_equal(writes2 - writes, 1);
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4_ipv6_unix),
        cmocka_unit_test(test_all_of_ipv6_takes_ipv4_too),
        cmocka_unit_test(test_stale_socket_file_is_replaced),
        cmocka_unit_test(test_a_socket_file_is_removed_on_request),
        cmocka_unit_test(test_a_file_is_never_removed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names_are_no_socket_addresses),
        cmocka_unit_test(test_write_to_a_closed_peer_fails_without_a_signal),
    };
    alarm(WATCHDOG_S);
    folder_make(folder);
    (void)snprintf(path, sizeof path, "%.100s/s", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)folder_remove(folder);
    return failed;
}
