/* Frames as words: builds and sends what a script line says, and compares what came with what a line expects. */
#ifndef TESTS_SCRIPT_SAY_H
#define TESTS_SCRIPT_SAY_H

#include "peer.h"
#include "words.h"

enum { SAY_WHY_MAX = 4096 };

/* An HTTP/2 error code by name or number. */
bool say_code(struct slice word, uint32_t *ret);

/* Sends the frame that the rest of the words describes. False with a text when the words make no sense. */
bool say_send(struct peer *p, struct words *w, char *why);

/* Payload of SETTINGS from NAME=VALUE words up to the end. False on an unknown name. */
bool say_settings(struct words *w, struct buf *out);

/* What an expectation found. */
enum say { SAY_YES, SAY_NOT_YET, SAY_NO };

/* Looks for the frame that the rest of the words describes at the head of the inbox (of its stream, when the words name
 * one), and takes it on SAY_YES. SAY_NO and SAY_NOT_YET: `why` tells what was there instead. The words are not used up.
 */
enum say say_expect(struct peer *p, const struct words *w, char *why);

/* True when such a frame is anywhere in the inbox. */
bool say_has(struct peer *p, const struct words *w, char *why);

/* The first frame that no expectation has taken, automatic ones apart; NULL when there is none. */
struct frame *say_pending(const struct peer *p);

#endif
