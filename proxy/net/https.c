/* evhttp over OpenSSL bufferevents. The certificate is looked at once for each connection. */
#include "net/https.h"

#include "net/loop_event.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TIMEOUT_S = 10, HEADERS_BYTES_MAX = 16 * 1024 };

struct https_server {
    struct loop *loop;
    struct evhttp *http; /* owned, and through it the descriptor */
    SSL_CTX *tls;        /* owned: of the pair in force */
    const char *certificate, *private_key;
    struct timespec changed; /* of the certificate's file when it was read */
    https_handle *handle;
    void *ctx;
};

/* HTTP/1.1 alone, which is what webhook clients offer. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl, (void)arg;
    return SSL_select_next_proto((unsigned char **)out, out_n, ours, sizeof ours - 1, in, in_n) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *load(const char *certificate, const char *private_key, char *error, size_t size)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    ERR_clear_error();
    if (c && SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) &&
        SSL_CTX_use_certificate_chain_file(c, certificate) == 1 &&
        SSL_CTX_use_PrivateKey_file(c, private_key, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(c) == 1) {
        SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(c, 0);
        SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
        return c;
    }
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, size, "%s and %s: %s", certificate, private_key, reason ? reason : "cannot be used");
    SSL_CTX_free(c);
    ERR_clear_error();
    return NULL;
}

static struct timespec changed_at(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

static void follow_files(struct https_server *s)
{
    char error[256];
    struct timespec now = changed_at(s->certificate);
    if (now.tv_sec == s->changed.tv_sec && now.tv_nsec == s->changed.tv_nsec)
        return;
    SSL_CTX *fresh = load(s->certificate, s->private_key, error, sizeof error);
    if (!fresh)
        return; /* maybe half written: looked at again with the next connection */
    SSL_CTX_free(s->tls);
    s->tls = fresh;
    s->changed = now;
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct https_server *s = arg;
    follow_files(s);
    SSL *ssl = SSL_new(s->tls);
    struct bufferevent *b =
        ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (b)
        bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
    else
        SSL_free(ssl);
    return b; /* NULL: evhttp makes a plain one, whose handshake bytes are no HTTP request, and closes it */
}

static void free_body(const void *p, size_t n, void *memory)
{
    (void)p, (void)n;
    free(memory);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct https_server *s = arg;
    struct http_answer answer = {.status = 405};
    struct evbuffer *in = evhttp_request_get_input_buffer(request), *out = evhttp_request_get_output_buffer(request);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    size_t n = evbuffer_get_length(in);
    const uint8_t *body = evbuffer_pullup(in, -1);
    if (body || n == 0)
        s->handle(s->ctx, path && *path ? path : "/", slice_make(body, n), &answer);
    evhttp_add_header(headers, "Content-Type", answer.content_type ? answer.content_type : "text/plain; charset=utf-8");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    if (buf_len(&answer.body) == 0 ||
        evbuffer_add_reference(out, buf_head(&answer.body), buf_len(&answer.body), free_body, answer.body.p) != 0)
        buf_fini(&answer.body);
    evhttp_send_reply(request, answer.status, answer.status == 200 ? "OK" : "Error", NULL);
}

struct https_server *https_server_new(struct loop *l, int fd, const char *certificate, const char *private_key,
                                      https_handle *handle, void *ctx, char *error, size_t error_size)
{
    struct https_server *s = calloc(1, sizeof *s);
    snprintf(error, error_size, "out of memory");
    if (!s)
        return NULL;
    *s = (struct https_server){
        .loop = l, .certificate = certificate, .private_key = private_key, .handle = handle, .ctx = ctx};
    s->changed = changed_at(certificate);
    s->tls = load(certificate, private_key, error, error_size);
    s->http = s->tls ? evhttp_new(loop_event_base(l)) : NULL;
    if (s->http) {
        evhttp_set_timeout(s->http, TIMEOUT_S);
        evhttp_set_max_headers_size(s->http, HEADERS_BYTES_MAX);
        evhttp_set_max_body_size(s->http, HTTPS_BODY_MAX);
        evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
        evhttp_set_bevcb(s->http, on_connection, s);
        evhttp_set_gencb(s->http, on_request, s);
        if (evhttp_accept_socket(s->http, fd) == 0)
            return s;
    }
    https_server_free(s);
    return NULL;
}

void https_server_free(struct https_server *s)
{
    if (!s)
        return;
    if (s->http)
        evhttp_free(s->http);
    SSL_CTX_free(s->tls);
    free(s);
}
