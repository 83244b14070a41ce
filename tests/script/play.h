/* What script lines mean: each verb acts on the stage. */
#ifndef TESTS_SCRIPT_PLAY_H
#define TESTS_SCRIPT_PLAY_H

#include "say.h"
#include "stage.h"

/* Plays one line that is no block. False with a text. */
bool play_line(struct stage *s, const char *line, char *why /* SAY_WHY_MAX */);

/* Plays a block: "config", "reload" or "reload is refused", and the text in it. */
bool play_block(struct stage *s, const char *head, const char *text, char *why /* SAY_WHY_MAX */);

/* Connections with frames that no line has expected. */
bool play_nothing_left(struct stage *s, char *why /* SAY_WHY_MAX */);

#endif
