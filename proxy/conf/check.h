/* Rules across the whole configuration: addresses, identity, peers, names that nothing uses, routes that nothing
 * reaches. Runs on the snapshot and the tree it came from. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

struct loader;

/* Adds every problem to the loader's list. Wrong parts of the tree, already reported, are passed over. */
void check_all(struct loader *l);

/* The part of it that is about policies. */
void check_policies(struct loader *l);

#endif
