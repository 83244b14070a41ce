/* `outrigger webhook`: injects as a mutating admission webhook, for clusters whose API server has no admission
 * policies. */
#include "cli/cli.h"
#include "cli/inject.h"
#include "cli/option.h"
#include "inject/review.h"
#include "net/https.h"
#include "net/sock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LISTEN, CERTIFICATE, PRIVATE_KEY, CONFIG, IMAGE, SET };

static const struct option table[] = {
    [LISTEN] = {'l', "listen", "IP:PORT", "where the API server calls (default 0.0.0.0:9443)"},
    [CERTIFICATE] = {0, "certificate", "FILE", "PEM; read again when it changes"},
    [PRIVATE_KEY] = {0, "private-key", "FILE", "PEM"},
    [CONFIG] = {'c', "config", "FILE", "the sidecar's configuration: its ports and admin page are taken from it"},
    [IMAGE] = {'i', "image", "IMAGE", "the sidecar's image, as --set image=IMAGE"},
    [SET] = {'s', "set", "KEY=VALUE", "what an annotation outrigger.dev/KEY would set"},
    {0, NULL, NULL, NULL}};

/* Owned by: cli_webhook. */
struct webhook {
    const char *listen, *certificate, *private_key;
    struct sidecar sidecar;
    struct loop *loop;
};

static void handle(void *ctx, const char *path, struct slice body, struct http_answer *answer)
{
    struct webhook *w = ctx;
    char error[SIDECAR_ERROR_MAX] = "out of memory";
    if (strcmp(path, "/ready") == 0) {
        answer->status = 200;
    } else if (strcmp(path, "/mutate") != 0) {
        answer->status = 404;
    } else if (review_answer(body, &w->sidecar, &answer->body, error)) {
        answer->status = 200;
        answer->content_type = "application/json";
    } else {
        answer->status = 400;
        if (buf_append(&answer->body, error, strlen(error)) != ERR_NONE)
            answer->status = 500;
    }
}

static void on_signal(void *ctx, int number)
{
    struct webhook *w = ctx;
    (void)number;
    loop_stop(w->loop);
}

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "outrigger webhook: %s: %s\n", what, why);
    return CLI_FAILED;
}

static int serve(struct webhook *w)
{
    struct address address;
    char error[512];
    int fd, number;
    if (address_parse(slice_str(w->listen), NULL, &address) != ERR_NONE)
        return complain(w->listen, "expected IP:PORT");
    if (sock_listen(&address, true, &fd, &number) != ERR_NONE)
        return complain(w->listen, strerror(number));
    w->loop = loop_new();
    struct https_server *server =
        w->loop ? https_server_new(w->loop, fd, w->certificate, w->private_key, handle, w, error, sizeof error) : NULL;
    if (!server) {
        loop_free(w->loop);
        return complain("cannot serve", error);
    }
    struct loop_signal *term = loop_signal_new(w->loop, SIGTERM, on_signal, w);
    struct loop_signal *interrupt = loop_signal_new(w->loop, SIGINT, on_signal, w);
    fprintf(stderr, "outrigger: webhook on %s\n", w->listen);
    loop_run(w->loop);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    https_server_free(server);
    loop_free(w->loop);
    return CLI_DONE;
}

int cli_webhook(int argc, char **argv)
{
    struct options o = {
        .command = "webhook",
        .usage = "--certificate FILE --private-key FILE [--listen IP:PORT] [-c FILE] [--set KEY=VALUE]...",
        .about = "Serves AdmissionReview v1 on https://HOST:PORT/mutate and puts the sidecar into each pod\n"
                 "that the API server sends, as inject does. /ready answers probes. Which pods come here is\n"
                 "for the MutatingWebhookConfiguration to say: k8s/injection has one.",
        .table = table,
        .argc = argc,
        .argv = argv,
        .at = 1};
    struct webhook w = {.listen = "0.0.0.0:9443"};
    const char *value;
    int got;
    sidecar_init(&w.sidecar);
    while ((got = option_next(&o, &value)) >= 0) {
        if (got == LISTEN)
            w.listen = value;
        if (got == CERTIFICATE)
            w.certificate = value;
        if (got == PRIVATE_KEY)
            w.private_key = value;
        int wrong = got == CONFIG  ? inject_take_config(&w.sidecar, value)
                    : got == IMAGE ? inject_take_image(&o, &w.sidecar, value)
                    : got == SET   ? inject_take_setting(&o, &w.sidecar, value)
                                   : CLI_DONE;
        if (wrong != CLI_DONE)
            return wrong;
    }
    if (got != OPTION_END)
        return option_exit(got);
    if (!w.certificate || !w.private_key)
        return option_complain(&o, "%s FILE is missing", w.certificate ? "--private-key" : "--certificate");
    return serve(&w);
}
