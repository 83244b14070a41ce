/* Two ends of TLS in memory, the certificates they use, and bytes carried between them in pieces of any size. */
#ifndef TESTS_UNIT_NET_TLS_PAIR_H
#define TESTS_UNIT_NET_TLS_PAIR_H

#include "net/tls_context.h"

#include "certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PAYMENT "spiffe://shop.example/ns/shop/sa/payment"
#define ORDER   "spiffe://shop.example/ns/shop/sa/order"

struct side {
    struct tls *tls;
    struct buf out, plain;
    enum err err; /* of the last tls_feed that failed */
};

struct pair {
    struct side client, server;
    size_t step; /* bytes fed at once; 0: all */
};

static inline struct tls_context *context(bool server, bool mutual, const char *name, const char *trust,
                                          const char *revoked)
{
    char error[TLS_ERROR_MAX], crt[64], key[64];
    (void)snprintf(crt, sizeof crt, "%s.crt", name ? name : "");
    (void)snprintf(key, sizeof key, "%s.key", name ? name : "");
    const struct tls_config config = {.server = server,
                                      .mutual = mutual,
                                      .files.certificate = name ? certs_path(crt) : NULL,
                                      .files.private_key = name ? certs_path(key) : NULL,
                                      .files.trust = trust ? certs_path(trust) : NULL,
                                      .files.revoked = revoked ? certs_path(revoked) : NULL};
    struct tls_context *c = tls_context_new(&config, error);
    if (!c)
        fail_msg("%s", error);
    return c;
}

static inline bool on_plain(void *ctx, const uint8_t *p, size_t n)
{
    struct buf *plain = ctx;
    assert_int_equal(buf_append(plain, p, n), ERR_NONE);
    return true;
}

static inline void pair_init(struct pair *p, struct tls_context *client, struct tls_context *server,
                             const struct tls_expect *expect)
{
    *p = (struct pair){0};
    p->client.tls = tls_new(client, expect);
    p->server.tls = tls_new(server, NULL);
    assert_non_null(p->client.tls);
    assert_non_null(p->server.tls);
    assert_int_equal(tls_start(p->client.tls, &p->client.out), ERR_NONE);
}

static inline void side_fini(struct side *s)
{
    tls_free(s->tls);
    buf_fini(&s->out);
    buf_fini(&s->plain);
}

static inline void pair_fini(struct pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
}

static inline void carry(struct side *from, struct side *to, size_t step)
{
    struct buf moving = from->out;
    buf_init(&from->out);
    while (buf_len(&moving) > 0) {
        size_t n = step > 0 && step < buf_len(&moving) ? step : buf_len(&moving);
        enum err e = tls_feed(to->tls, buf_head(&moving), n, &to->out, on_plain, &to->plain);
        if (e != ERR_NONE && to->err == ERR_NONE)
            to->err = e;
        buf_consume(&moving, n);
    }
    buf_fini(&moving);
}

/* Carries bytes both ways until both are silent. */
static inline void run(struct pair *p)
{
    while (buf_len(&p->client.out) + buf_len(&p->server.out) > 0) {
        carry(&p->client, &p->server, p->step);
        carry(&p->server, &p->client, p->step);
    }
}

static inline void seal(struct side *s, const void *p, size_t n)
{
    assert_int_equal(tls_seal(s->tls, p, n, &s->out), ERR_NONE);
}

static inline void assert_plain(struct side *s, const void *p, size_t n)
{
    assert_int_equal(buf_len(&s->plain), n);
    assert_memory_equal(buf_head(&s->plain), p, n);
    buf_clear(&s->plain);
}

static inline void assert_both_open(struct pair *p)
{
    if (!tls_is_open(p->client.tls) || !tls_is_open(p->server.tls))
        fail_msg("client: %s, server: %s", tls_error(p->client.tls), tls_error(p->server.tls));
    seal(&p->client, "to the server", 13);
    seal(&p->server, "to the client", 13);
    run(p);
    assert_plain(&p->server, "to the server", 13);
    assert_plain(&p->client, "to the client", 13);
}

static inline void write_cut(void)
{
    char text[8192];
    FILE *in = fopen(certs_path("order.crt"), "re");
    size_t n = fread(text, 1, sizeof text - 1, in);
    (void)fclose(in);
    text[n] = '\0';
    FILE *out = certs_open("cut.crt");
    certs_check(fprintf(out, "%s-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n", text) > 0, "cut.crt");
    (void)fclose(out);
}

static inline void write_all(void)
{
    struct cert ca = certs_make(&(struct cert_spec){.name = "ca", .authority = true}, NULL);
    struct cert other = certs_make(&(struct cert_spec){.name = "other-ca", .authority = true}, NULL);
    struct cert old = certs_make(
        &(struct cert_spec){.name = "ca", .authority = true, .from = -3 * CERT_DAY, .until = -CERT_DAY}, NULL);
    struct cert order = certs_make(&(struct cert_spec){.name = "order", .san = "URI:" ORDER}, &ca);
    struct cert payment =
        certs_make(&(struct cert_spec){.name = "payment", .san = "DNS:payment.shop,URI:" PAYMENT}, &ca);
    certs_write(&ca, "ca", NULL);
    certs_write(&old, "old-ca", NULL);
    certs_write(&order, "order", NULL);
    certs_write(&payment, "payment", NULL);
    certs_leaf("stranger", &(struct cert_spec){.name = "stranger", .san = "URI:" ORDER}, &other);
    certs_leaf("server-only", &(struct cert_spec){.name = "order", .san = "URI:" ORDER, .usage = "serverAuth"}, &ca);
    certs_leaf("self", &(struct cert_spec){.name = "self", .san = "URI:" ORDER}, NULL);
    certs_leaf("nameless", &(struct cert_spec){.name = "nameless.shop"}, &ca);
    certs_leaf("wild", &(struct cert_spec){.name = "wild", .san = "DNS:*.wild.shop"}, &ca);
    certs_leaf("two", &(struct cert_spec){.name = "two", .san = "URI:" PAYMENT ",URI:" ORDER}, &ca);
    certs_leaf("nul", &(struct cert_spec){.name = "nul", .uri = PAYMENT "\0.evil", .uri_n = sizeof PAYMENT + 5}, &ca);
    certs_leaf("ca-leaf", &(struct cert_spec){.name = "ca-leaf", .san = "URI:" PAYMENT, .authority = true}, &ca);
    certs_leaf("expired",
               &(struct cert_spec){.name = "order", .san = "URI:" ORDER, .from = -2 * CERT_DAY, .until = -60}, &ca);
    certs_write_crl(&ca, &order, "order.crl");
    certs_write_crl(&ca, &payment, "payment.crl");
    certs_write_crl(&other, NULL, "other.crl");
    certs_write_text("text", "this is no PEM file\n");
    certs_write_text("empty", "");
    write_cut();
    certs_write(&ca, "open", NULL);
    certs_check(chmod(certs_path("open.crt"), 0666) == 0 && mkfifo(certs_path("pipe"), 0600) == 0, "modes");
    FILE *f = certs_open("locked.key");
    certs_check(PEM_write_PrivateKey(f, order.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL) ==
                    1,
                "locked");
    (void)fclose(f);
    struct cert *all[] = {&ca, &other, &old, &order, &payment};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        certs_free(all[i]);
}

#endif
