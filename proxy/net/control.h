/* How a command reaches a supervisor on this machine: an abstract unix socket named after its process id and the name
 * space of that. It leaves no file behind, and only root and the same user are heard. */
#ifndef NET_CONTROL_H
#define NET_CONTROL_H

#include "base/clock.h"
#include "base/err.h"

#include <sys/types.h>

enum { CONTROL_TEXT_MAX = 4096 };

/* The listening socket of this process, the caller's; -1 when it cannot be had. */
int control_listen(void);

/* Takes one request: its text and the connection for the answer, the caller's. ERR_AGAIN: nobody, or nobody with the
 * right to ask. Waits at most 1 s for the text of who has connected. */
MUST_CHECK enum err control_accept(int fd, char *ret_text /* CONTROL_TEXT_MAX */, int *ret_connection);

/* Answers and closes. */
void control_answer(int connection, const char *text);

/* The supervisor that listens in this process id name space: its pid; 0 when there is none, -1 when there are several.
 */
pid_t control_find(void);

/* Sends `text` to the supervisor `pid` and waits for its answer. ERR_NOT_FOUND: it does not listen; ERR_IO: no answer
 * within `wait`, or it ended. */
MUST_CHECK enum err control_ask(pid_t pid, const char *text, ns_t wait, char *ret_answer /* CONTROL_TEXT_MAX */);

#endif
