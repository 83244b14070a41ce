/* The one error enum of the project. A function that can fail returns it; 0 is success and must be checked. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

#define ERR_LIST(X)                                                                                                    \
    X(ERR_NONE, "no error")                                                                                            \
    X(ERR_NOMEM, "out of memory")                                                                                      \
    X(ERR_AGAIN, "not now, try again")                                                                                 \
    X(ERR_CLOSED, "closed by the peer")                                                                                \
    X(ERR_LIMIT, "over a limit")                                                                                       \
    X(ERR_INVALID, "invalid input")                                                                                    \
    X(ERR_PROTOCOL, "protocol violation")                                                                              \
    X(ERR_COMPRESSION, "header compression violation")                                                                 \
    X(ERR_IO, "input or output failed")                                                                                \
    X(ERR_TIMEOUT, "time is over")                                                                                     \
    X(ERR_NOT_FOUND, "not found")                                                                                      \
    X(ERR_REFUSED, "refused")                                                                                          \
    X(ERR_TLS, "TLS failed")                                                                                           \
    X(ERR_UNSUPPORTED, "not supported yet")

enum err {
#define X(name, text) name,
    ERR_LIST(X)
#undef X
};

/* A short text for `e`, static storage, never NULL. */
const char *err_text(enum err e);

#endif
