/* Reads and writes of one socket, with or without OpenSSL in between. */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const unsigned char alpn_h2[] = {2, 'h', '2'};

void wire_init(struct wire *w, int fd, SSL_CTX *context, bool server, const char *name)
{
    *w = (struct wire){.fd = fd};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (!context)
        return;
    w->ssl = SSL_new(context);
    if (!w->ssl || !SSL_set_fd(w->ssl, fd))
        abort();
    if (server) {
        SSL_set_accept_state(w->ssl);
        return;
    }
    SSL_set_connect_state(w->ssl);
    if (name) {
        SSL_set_tlsext_host_name(w->ssl, name);
        SSL_set1_host(w->ssl, name);
    }
}

void wire_fini(struct wire *w)
{
    SSL_free(w->ssl);
    close(w->fd);
    free(w->out);
    *w = (struct wire){.fd = -1};
}

static ssize_t result_of(const struct wire *w, int result)
{
    int error = SSL_get_error(w->ssl, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t wire_read(struct wire *w, uint8_t *bytes, size_t capacity)
{
    if (w->ssl) {
        int n = SSL_read(w->ssl, bytes, (int)capacity);
        return n > 0 ? n : result_of(w, n);
    }
    ssize_t n = read(w->fd, bytes, capacity);
    if (n > 0)
        return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool wire_has_pending(const struct wire *w)
{
    return w->ssl && SSL_has_pending(w->ssl);
}

void wire_append(struct wire *w, const uint8_t *bytes, size_t length)
{
    if (w->out_start == w->out_end)
        w->out_start = w->out_end = 0;
    if (w->out_end + length > w->out_capacity) {
        while (w->out_end + length > w->out_capacity)
            w->out_capacity = w->out_capacity ? w->out_capacity * 2 : 4096;
        w->out = realloc(w->out, w->out_capacity);
        if (!w->out)
            abort();
    }
    memcpy(w->out + w->out_end, bytes, length);
    w->out_end += length;
}

static ssize_t send_some(struct wire *w)
{
    size_t length = w->out_end - w->out_start;
    if (w->ssl) {
        int n = SSL_write(w->ssl, w->out + w->out_start, (int)length);
        return n > 0 ? n : result_of(w, n);
    }
    ssize_t n = send(w->fd, w->out + w->out_start, length, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? 0 : -1;
}

bool wire_flush(struct wire *w)
{
    w->blocked = false;
    while (w->out_start < w->out_end) {
        ssize_t n = send_some(w);
        if (n < 0)
            return false;
        if (n == 0) {
            w->blocked = true;
            return true;
        }
        w->out_start += (size_t)n;
    }
    return true;
}

static int choose_h2(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                     unsigned offered_length, void *arg)
{
    (void)ssl, (void)arg;
    unsigned char *found;
    int result = SSL_select_next_proto(&found, length, alpn_h2, sizeof alpn_h2, offered, offered_length);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void must(int good, const char *what)
{
    if (good == 1)
        return;
    fprintf(stderr, "cannot use %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

SSL_CTX *wire_context(bool server, const char *certificate, const char *key, const char *trust)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!context)
        abort();
    must((int)SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION), "TLS 1.3");
    must(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    if (certificate) {
        must(SSL_CTX_use_certificate_chain_file(context, certificate), certificate);
        must(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM), key);
    }
    if (trust) {
        must(SSL_CTX_load_verify_locations(context, trust, NULL), trust);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (server) {
        SSL_CTX_set_num_tickets(context, 0);
        SSL_CTX_set_alpn_select_cb(context, choose_h2, NULL);
    } else if (SSL_CTX_set_alpn_protos(context, alpn_h2, sizeof alpn_h2) != 0) {
        abort();
    }
    return context;
}
