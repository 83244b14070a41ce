/* Where a script plays: a simulated world with one real proxy process in it, scripted peers around it, and the record
 * of what was said. */
#ifndef TESTS_SCRIPT_STAGE_H
#define TESTS_SCRIPT_STAGE_H

#include "peer.h"

#include "app/process.h"

#include <stdio.h>

/* A listening socket of a scripted endpoint. */
struct endpoint_peer {
    struct list node;
    struct stage *stage;
    char name[PEER_NAME_MAX];
    struct address address;
    struct listener *listener;
    struct tls_context *tls; /* NULL: clear text */
    struct buf settings;
    bool silent;
};

/* Owned by: main. */
struct stage {
    struct process process;
    struct process_options options;
    bool running;
    char folder[64], config[96]; /* temporary folder of certificates and the configuration */
    struct loop *loop;           /* of the peers */
    struct conn_env *conns;
    struct list peers, endpoints;
    FILE *record; /* transcript */
    char *record_text;
    size_t record_n;
};

/* Opens the world and makes certificates: order, payment (also DNS payment.shop), stranger (of another
 * authority), brief (valid for a minute), host (DNS a.shop and b.shop alone). */
void stage_init(struct stage *s);

/* Closes peers, drains the proxy, checks that nothing is left in it, ends everything. False with a text when something
 * was left.
 */
bool stage_fini(struct stage *s, char *why, size_t size);

/* Writes the configuration and starts the proxy. False with the problems as text. */
bool stage_start(struct stage *s, const char *config, char *why, size_t size);

/* Writes another configuration and reloads it as SIGHUP does; true when it was taken. */
bool stage_reload(struct stage *s, const char *config);

struct endpoint_peer *stage_listen(struct stage *s, const char *name, const struct address *a, const char *certificate,
                                   bool silent, const struct buf *settings);

/* Closes the listening socket: connects are refused from now on. */
void stage_unlisten(struct endpoint_peer *e);

/* Connects to the proxy; the peer is open or ended afterwards, unless the other side says nothing. */
struct peer *stage_connect(struct stage *s, const char *name, const struct address *a, const char *certificate,
                           bool tls, bool silent, const struct buf *settings);

struct peer *stage_find_peer(const struct stage *s, struct slice name);
struct endpoint_peer *stage_find_endpoint(const struct stage *s, struct slice name);

/* The oldest connection that this endpoint accepted and no script line has taken yet; NULL when there is none. */
struct peer *stage_accepted(const struct stage *s, const struct endpoint_peer *e);

/* The value of a metric line "name{label=value}", written without quotes; false when the page has none. */
bool stage_metric(struct stage *s, struct slice name, char *ret, size_t size);

#endif
