/* One GET against scripted peers: what is taken, and what each failure says. */
#include "net/http_client.h"

#include "net/sock.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONG = 3 << 20 };

static const struct address any = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};

struct peer {
    int listens;
    const char *answer; /* NULL: says nothing until the client has gone */
    char request[512];
    size_t request_n;
};

static void wait_for(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};
    assert_int_equal(poll(&p, 1, 10000), 1);
}

static void read_request(struct peer *p, int fd)
{
    enum err e;
    while (!strstr(p->request, "\r\n\r\n")) {
        wait_for(fd, POLLIN);
        ssize_t n = sock_read(fd, p->request + p->request_n, sizeof p->request - 1 - p->request_n, &e);
        if (n <= 0)
            break;
        p->request_n += (size_t)n;
    }
}

static void *serve(void *peer)
{
    struct peer *p = peer;
    int fd;
    enum err e;
    wait_for(p->listens, POLLIN);
    if (sock_accept(p->listens, &fd, NULL) != ERR_NONE)
        return NULL;
    read_request(p, fd);
    for (size_t n = p->answer ? strlen(p->answer) : 0, at = 0; at < n;) {
        wait_for(fd, POLLOUT);
        ssize_t wrote = sock_write(fd, p->answer + at, n - at, &e);
        if (wrote <= 0)
            break;
        at += (size_t)wrote;
    }
    if (!p->answer)
        wait_for(fd, POLLIN); /* the end of the client */
    sock_close(fd);
    return NULL;
}

/* A whole exchange with a peer that says `answer`; the text of the failure in error. */
static enum err get(const char *answer, ns_t timeout_ns, struct peer *p, struct buf *body, char *error)
{
    struct address at;
    pthread_t thread;
    int why;
    *p = (struct peer){.answer = answer};
    buf_init(body);
    *error = '\0';
    assert_int_equal(sock_listen(&any, false, &p->listens, &why), ERR_NONE);
    assert_int_equal(sock_local(p->listens, &at, NULL), ERR_NONE);
    assert_int_equal(pthread_create(&thread, NULL, serve, p), 0);
    enum err e = http_client_get(&at, "/config", timeout_ns, body, error);
    pthread_join(thread, NULL);
    sock_close(p->listens);
    return e;
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *body, *error;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", NULL},
        {"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", NULL},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", NULL, "the answer is 404"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", NULL, "the answer is cut off"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello", NULL, "the answer is cut off"},
        {"HTTP/1.1 200 OK\r\nContent-Le", NULL, "what answers there is no HTTP/1.1 server"},
        {"SSH-2.0-OpenSSH\r\n\r\n", NULL, "what answers there is no HTTP/1.1 server"},
        {"", NULL, "what answers there is no HTTP/1.1 server"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peer p;
        struct buf body;
        char error[HTTP_CLIENT_ERROR_MAX];
        enum err e = get(rows[i].answer, 10 * NS_PER_S, &p, &body, error);
        assert_int_equal(e == ERR_NONE, rows[i].body != NULL);
        if (rows[i].error)
            assert_string_equal(error, rows[i].error);
        else
            assert_int_equal(buf_len(&body), strlen(rows[i].body));
        if (rows[i].body && *rows[i].body)
            assert_memory_equal(buf_head(&body), rows[i].body, strlen(rows[i].body));
        assert_string_equal(p.request, "GET /config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        buf_fini(&body);
    }
}

static void test_a_long_answer(void **state)
{
    (void)state;
    struct peer p;
    struct buf body;
    char error[HTTP_CLIENT_ERROR_MAX], *answer = malloc(LONG + 100);
    int head = snprintf(answer, LONG + 100, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LONG);
    memset(answer + head, 'x', LONG);
    answer[head + LONG] = '\0';
    assert_int_equal(get(answer, 10 * NS_PER_S, &p, &body, error), ERR_NONE);
    assert_int_equal(buf_len(&body), LONG);
    buf_fini(&body);
    free(answer);
}

static void test_no_answer(void **state)
{
    (void)state;
    struct peer p;
    struct buf body;
    char error[HTTP_CLIENT_ERROR_MAX];
    assert_int_equal(get(NULL, 20 * NS_PER_MS, &p, &body, error), ERR_IO);
    assert_string_equal(error, "no answer in time");
    buf_fini(&body);
}

static void test_nobody_there(void **state)
{
    (void)state;
    int fd, why;
    struct address at;
    struct buf body;
    char error[HTTP_CLIENT_ERROR_MAX];
    buf_init(&body);
    assert_int_equal(sock_listen(&any, false, &fd, &why), ERR_NONE);
    assert_int_equal(sock_local(fd, &at, NULL), ERR_NONE);
    sock_close(fd);
    assert_int_equal(http_client_get(&at, "/config", 10 * NS_PER_S, &body, error), ERR_IO);
    assert_string_equal(error, "cannot connect: Connection refused");
    const struct address none = {.kind = ADDRESS_UNIX, .name = "/nonexistent/admin"};
    assert_int_equal(http_client_get(&none, "/config", 10 * NS_PER_S, &body, error), ERR_IO);
    assert_string_equal(error, "cannot connect: No such file or directory");
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_long_answer),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
