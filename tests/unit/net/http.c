/* The HTTP/1.1 server from the outside: a plain socket sends requests and the answer is compared byte by byte. */
#include "net/http.h"

#include "folder.h"
#include "net/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG_S = 60 };

static struct loop *loop;
static struct http_server *server;
static struct address address;
static int client;
static struct loop_io *io;
static struct buf in;
static char seen_path[256], seen_query[256];
static char folder[FOLDER_MAX], path[ADDRESS_PATH_MAX + 1];

static void handle(void *ctx, const char *asked, const char *query, struct http_answer *answer)
{
    (void)ctx;
    (void)snprintf(seen_path, sizeof seen_path, "%s", asked);
    (void)snprintf(seen_query, sizeof seen_query, "%s", query);
    answer->status = strcmp(asked, "/gone") == 0 ? 404 : strcmp(asked, "/busy") == 0 ? 503 : 200;
    answer->content_type = "text/x-test";
    size_t n = strcmp(asked, "/big") == 0 ? 3 << 20 : 5;
    uint8_t *p = buf_reserve(&answer->body, n);
    assert_non_null(p);
    memset(p, 'b', n);
    buf_commit(&answer->body, n);
}

static void on_client(void *ctx, unsigned what)
{
    (void)ctx, (void)what;
    uint8_t part[16384];
    enum err e;
    ssize_t n = sock_read(client, part, sizeof part, &e);
    if (n > 0)
        assert_int_equal(buf_append(&in, part, (size_t)n), ERR_NONE);
    if (n == 0 || (n < 0 && e == ERR_IO))
        loop_stop(loop);
}

static void serve(const struct address *at)
{
    int fd, error;
    static char storage[ADDRESS_PATH_MAX + 1];
    loop = loop_new();
    assert_int_equal(sock_listen(at, false, &fd, &error), ERR_NONE);
    assert_int_equal(sock_local(fd, &address, storage), ERR_NONE);
    server = http_server_new(loop, fd, handle, NULL);
    assert_non_null(server);
}

static int setup(void **state)
{
    (void)state;
    const struct address any = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};
    seen_path[0] = seen_query[0] = '\0';
    serve(&any);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_server_free(server);
    loop_free(loop);
    buf_fini(&in);
    return 0;
}

/* Sends the request and reads until the server closes; the answer, terminated. */
static const char *ask(const char *request)
{
    int error;
    enum err e;
    buf_clear(&in);
    assert_int_equal(sock_connect(&address, &client, &error), ERR_NONE);
    assert_int_equal(sock_write(client, request, strlen(request), &e), (ssize_t)strlen(request));
    io = loop_io_new(loop, client, on_client, NULL);
    loop_run(loop);
    loop_io_free(io);
    sock_close(client);
    assert_int_equal(buf_append(&in, "", 1), ERR_NONE);
    return (const char *)buf_head(&in);
}

static void assert_status(const char *answer, const char *status)
{
    if (strncmp(answer, status, strlen(status)) != 0)
        fail_msg("expected \"%s\", got \"%.60s\"", status, answer);
}

static const char *body_of(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    return body + 4;
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_get(void **state)
{
    (void)state;
    const char *answer = ask("GET /metrics?a=b&c=%20" END);
    assert_status(answer, "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(answer, "\r\nContent-Type: text/x-test\r\n"));
    assert_non_null(strstr(answer, "\r\nContent-Length: 5\r\n"));
    assert_string_equal(body_of(answer), "bbbbb");
    assert_string_equal(seen_path, "/metrics");
    assert_string_equal(seen_query, "a=b&c=%20");
    ask("GET /" END);
    assert_string_equal(seen_path, "/");
    assert_string_equal(seen_query, "");
}

static void test_head(void **state)
{
    (void)state;
    const char *answer = ask("HEAD /metrics" END);
    assert_status(answer, "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(answer, "\r\nContent-Length: 5\r\n"));
    assert_string_equal(body_of(answer), "");
}

static void test_status_of_the_handler(void **state)
{
    (void)state;
    assert_status(ask("GET /gone" END), "HTTP/1.1 404 Not Found\r\n");
    assert_status(ask("GET /busy" END), "HTTP/1.1 503 Service Unavailable\r\n");
}

static void test_other_methods(void **state)
{
    (void)state;
    static const char *const requests[] = {"POST /x" END, "PUT /x" END, "DELETE /x" END, "OPTIONS /x" END,
                                           "PATCH /x" END};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const char *answer = ask(requests[i]);
        assert_status(answer, "HTTP/1.1 405 Method Not Allowed\r\n");
        assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
    }
    assert_string_equal(seen_path, "");
}

static void test_big_answer(void **state)
{
    (void)state;
    const char *body = body_of(ask("GET /big" END));
    assert_int_equal(strlen(body), 3 << 20);
    assert_int_equal(strspn(body, "b"), 3 << 20);
}

static void test_two_requests_on_a_connection(void **state)
{
    (void)state;
    const char *answer = ask("GET /gone HTTP/1.1\r\nHost: x\r\n\r\nGET /busy" END);
    assert_status(answer, "HTTP/1.1 404");
    assert_non_null(strstr(answer, "HTTP/1.1 503"));
}

static void test_nonsense_and_too_long(void **state)
{
    (void)state;
    char request[40000];
    assert_status(ask("nonsense\r\n\r\n"), "HTTP/1.1 400");
    memset(request, 'h', sizeof request);
    memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
    request[sizeof request - 1] = '\0';
    (void)ask(request);
    assert_string_equal(seen_path, "");
}

static void test_unix_socket(void **state)
{
    (void)state;
    const struct address at = {.kind = ADDRESS_UNIX, .name = path};
    serve(&at);
    assert_status(ask("GET /x" END), "HTTP/1.1 200 OK\r\n");
    assert_string_equal(seen_path, "/x");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_head),
        TEST(test_status_of_the_handler),
        TEST(test_other_methods),
        TEST(test_big_answer),
        TEST(test_two_requests_on_a_connection),
        TEST(test_nonsense_and_too_long),
        cmocka_unit_test_teardown(test_unix_socket, teardown),
    };
    alarm(WATCHDOG_S);
    folder_make(folder);
    (void)snprintf(path, sizeof path, "%.100s/s", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)folder_remove(folder);
    return failed;
}
