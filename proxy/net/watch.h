/* Watches files by their folders (inotify), so that atomic renames and Kubernetes `..data` swaps are seen. Tells that
 * something may have changed; reading is the caller's. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "net/loop.h"

struct watch;

/* `changed` runs in the loop, at most once a turn, after any event in the folder of a watched file. */
struct watch *watch_new(struct loop *l, void (*changed)(void *ctx), void *ctx);

/* Adds the folder of `path` and, when path is a symlink, the folders its chain of links leads through. Paths may be
 * absent. */
MUST_CHECK enum err watch_add(struct watch *w, const char *path);

/* Forgets all paths. */
void watch_clear(struct watch *w);
void watch_free(struct watch *w);

#endif
