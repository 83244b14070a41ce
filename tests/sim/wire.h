/* An nghttp2 session on a simulated connection: the peers of the simulation speak through it, so that both sides of a
 * mistake in our own session do not agree. */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "base/buf.h"
#include "base/list.h"
#include "net/conn.h"

#include <nghttp2/nghttp2.h>

struct wire;

/* Shared by all wires of a run. */
struct wires {
    struct loop *loop;
    struct conn_env *conns;
    struct list dirty;
};

/* First member of its owner, whom nghttp2 callbacks get. */
struct wire {
    struct wires *wires;
    struct conn *conn;        /* NULL: over */
    nghttp2_session *session; /* lives until wire_fini */
    struct buf out;
    bool open, feeding;
    struct list dirty;
    void (*lost)(struct wire *w); /* the connection is over: called once, conn is NULL */
};

void wires_init(struct wires *w);
void wires_fini(struct wires *w);

/* Sends what all marked wires owe. Runs at the end of every turn of the peers' loop; call it after acting in between.
 */
void wires_flush(struct wires *w);

/* A session of one role. `settings` are submitted at once. */
void wire_init(struct wire *w, struct wires *wires, const nghttp2_session_callbacks *callbacks, bool server,
               const nghttp2_settings_entry *settings, size_t settings_n, void (*lost)(struct wire *w));
void wire_fini(struct wire *w);

extern const struct conn_ops wire_ops; /* the context is the wire */

void wire_mark(struct wire *w);

/* Closes now and calls lost. */
void wire_close(struct wire *w);

#endif
