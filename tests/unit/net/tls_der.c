/* An SVID as DER: what becomes of it as files, which of its parts are refused, and that roots vouch for their own trust
 * domain alone. */
#include "net/tls_der.h"

#include "tls_pair.h"

#define OTHER "spiffe://other.example/order"

static struct cert ca, other_ca, payment;

/* One certificate as DER, in static storage. */
static struct slice of_cert(const struct cert *c)
{
    static unsigned char kept[16][2048];
    static size_t next;
    unsigned char *at = kept[next++ % 16], *p = at;
    int n = i2d_X509(c->x, NULL);
    assert_in_range(n, 1, sizeof kept[0]);
    assert_int_equal(i2d_X509(c->x, &p), n);
    return slice_make(at, (size_t)n);
}

static struct slice of_key(const struct cert *c)
{
    static unsigned char bytes[1024];
    unsigned char *p = bytes;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(c->key);
    int n = i2d_PKCS8_PRIV_KEY_INFO(info, &p);
    PKCS8_PRIV_KEY_INFO_free(info);
    return slice_make(bytes, (size_t)n);
}

static struct tls_der whole(void)
{
    return (struct tls_der){.name = "unix:/s",
                            .chain = of_cert(&payment),
                            .key = of_key(&payment),
                            .roots = of_cert(&ca),
                            .id = SLICE(PAYMENT)};
}

static int setup(void **state)
{
    (void)state;
    certs_init();
    ca = certs_make(&(struct cert_spec){.name = "ours", .authority = true}, NULL);
    other_ca = certs_make(&(struct cert_spec){.name = "theirs", .authority = true}, NULL);
    payment = certs_make(&(struct cert_spec){.name = "payment", .san = "URI:" PAYMENT}, &ca);
    certs_leaf("order", &(struct cert_spec){.name = "order", .san = "URI:" ORDER}, &ca);
    certs_leaf("stranger", &(struct cert_spec){.name = "stranger", .san = "URI:" OTHER}, &other_ca);
    certs_leaf("pretender", &(struct cert_spec){.name = "pretender", .san = "URI:" ORDER}, &other_ca);
    certs_write(&ca, "ca", NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    certs_free(&ca);
    certs_free(&other_ca);
    certs_free(&payment);
    certs_fini();
    return 0;
}

static struct tls_material *material_of(const struct tls_der *d)
{
    struct tls_bytes bytes;
    char why[TLS_DER_WHY_MAX], error[TLS_ERROR_MAX];
    if (!tls_bytes_of_der(&bytes, d, why))
        fail_msg("%s", why);
    struct tls_material *m = tls_material_new(&bytes, TLS_PART_ALL, NULL, error);
    tls_bytes_fini(&bytes);
    if (!m)
        fail_msg("%s", error);
    return m;
}

static void test_refused(void **state)
{
    (void)state;
    const struct tls_der good = whole();
    const struct slice junk = SLICE("junk");
    const struct tls_der_bundle bundles[] = {{SLICE("other.example"), junk},
                                             {SLICE("Other"), good.roots},
                                             {SLICE("other.example/path"), good.roots},
                                             {SLICE(""), good.roots}};
    for (int i = 0; i < 10; i++) {
        struct tls_der d = good;
        struct tls_bytes bytes;
        char why[TLS_DER_WHY_MAX] = "";
        switch (i) {
        case 0:
            d.chain = junk;
            break;
        case 1:
            d.chain.n--;
            break;
        case 2:
            d.roots = junk;
            break;
        case 3:
            d.id = SLICE(ORDER);
            break;
        case 4:
            d.id = SLICE("spiffe://shop.example");
            break;
        case 5:
            d.lists = &junk;
            d.lists_n = 1;
            break;
        default:
            d.bundles = &bundles[i - 6];
            d.bundles_n = 1;
        }
        assert_false(tls_bytes_of_der(&bytes, &d, why));
        assert_string_not_equal(why, "");
        tls_bytes_fini(&bytes);
    }
}

/* The mark of a part changes with its content, that of the trust with federated bundles too. */
static void test_marks(void **state)
{
    (void)state;
    struct tls_der d = whole();
    const struct tls_der_bundle bundle = {SLICE("other.example"), of_cert(&other_ca)};
    struct tls_bytes one, two;
    char why[TLS_DER_WHY_MAX];
    assert_true(tls_bytes_of_der(&one, &d, why));
    d.bundles = &bundle;
    d.bundles_n = 1;
    assert_true(tls_bytes_of_der(&two, &d, why));
    assert_true(tls_bytes_mark(&one, TLS_PAIR) == tls_bytes_mark(&two, TLS_PAIR));
    assert_true(tls_bytes_mark(&one, TLS_REVOKED) == tls_bytes_mark(&two, TLS_REVOKED));
    assert_true(tls_bytes_mark(&one, TLS_TRUST) != tls_bytes_mark(&two, TLS_TRUST));
    tls_bytes_fini(&one);
    tls_bytes_fini(&two);
}

/* A bundle that bears the name of our own domain does not widen it. */
static void test_own_bundle_is_the_svids(void **state)
{
    (void)state;
    struct tls_der d = whole();
    const struct tls_der_bundle bundle = {SLICE("shop.example"), of_cert(&other_ca)};
    struct tls_bytes bytes;
    char why[TLS_DER_WHY_MAX];
    d.bundles = &bundle;
    d.bundles_n = 1;
    assert_true(tls_bytes_of_der(&bytes, &d, why));
    assert_string_equal(bytes.domain, "shop.example");
    assert_int_equal(bytes.bundles_n, 0);
    tls_bytes_fini(&bytes);
}

static void test_each_domain_has_its_roots(void **state)
{
    (void)state;
    static const struct {
        const char *caller;
        bool taken;
    } rows[] = {{"order", true}, {"stranger", true}, {"pretender", false}};
    struct tls_der d = whole();
    const struct tls_der_bundle bundle = {SLICE("other.example"), of_cert(&other_ca)};
    char error[TLS_ERROR_MAX];
    d.bundles = &bundle;
    d.bundles_n = 1;
    struct tls_material *m = material_of(&d);
    d.bundles_n = 0;
    struct tls_material *without = material_of(&d);
    for (size_t i = 0; i < 3; i++) {
        struct tls_context *server = tls_context_of(true, true, m, error);
        struct tls_context *client = context(false, true, rows[i].caller, "ca.crt", NULL);
        struct pair p;
        pair_init(&p, client, server, NULL);
        run(&p);
        assert_int_equal(tls_is_open(p.server.tls), rows[i].taken);
        tls_context_renew(server, without, true);
        if (rows[i].taken) { /* only the federated one is not trusted any more */
            assert_true(tls_is_stale(p.server.tls));
            assert_int_equal(tls_recheck(p.server.tls), i == 0);
        }
        pair_fini(&p);
        tls_context_unref(client);
        tls_context_unref(server);
    }
    tls_material_unref(m);
    tls_material_unref(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_own_bundle_is_the_svids),
        cmocka_unit_test(test_each_domain_has_its_roots),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
