/* Which page a path is. */
#include "admin/admin.h"

#include "admin/probe.h"
#include "app/ready.h"
#include "base/log.h"
#include "base/probe_path.h"
#include "net/http.h"
#include "net/sock.h"
#include "telemetry/prometheus.h"

#include <stdlib.h>

/* Owned by: process->admin. */
struct pages {
    struct process *process;
    struct http_server *server;
    struct probes *probes;
};

static void put(struct http_answer *a, int status, const char *text)
{
    a->status = status;
    a->content_type = "text/plain; charset=utf-8";
    if (buf_append(&a->body, text, strlen(text)) != ERR_NONE)
        a->status = 500;
}

static void handle(void *ctx, const char *path, const char *query, struct http_answer *answer)
{
    struct pages *pages = ctx;
    struct process *p = pages->process;
    if (strcmp(path, "/ready") == 0) {
        bool ready = ready_holds(p);
        put(answer, ready ? 200 : 503, ready ? "ready\n" : p->draining ? "draining\n" : "starting\n");
    } else if (strcmp(path, "/live") == 0) {
        put(answer, 200, "live\n");
    } else if (strcmp(path, "/metrics") == 0) {
        answer->status = 200;
        answer->content_type = PROMETHEUS_CONTENT_TYPE;
        metrics_page_render(p, &answer->body);
    } else if (strcmp(path, "/config") == 0) {
        answer->status = 200;
        answer->content_type = "application/json";
        config_page_render(p, &answer->body);
    } else if (strncmp(path, PROBE_PATH_PREFIX, strlen(PROBE_PATH_PREFIX)) == 0) {
        probes_handle(pages->probes, path, query, answer);
    } else if (strcmp(path, "/") == 0) {
        put(answer, 200, "outrigger\n/ready\n/live\n/config\n/metrics\n");
    } else {
        put(answer, 404, "no such page: /ready /live /config /metrics /probe/...\n");
    }
}

static void free_pages(struct pages *pages)
{
    probes_free(pages->probes);
    http_server_free(pages->server);
    free(pages);
}

void admin_serve(struct process *p, int fd)
{
    struct pages *pages = calloc(1, sizeof *pages);
    if (!pages) {
        sock_close(fd);
        log_line(LOG_ERROR, "admin_failed", LOG_TEXT("error", "no memory for the admin pages"));
        return;
    }
    pages->process = p;
    pages->probes = probes_new(p);
    pages->server = pages->probes ? http_server_new(p->loop, fd, handle, pages) : NULL;
    if (!pages->server) {
        free_pages(pages);
        pages = NULL;
        log_line(LOG_ERROR, "admin_failed", LOG_TEXT("error", "no memory for the admin pages"));
    }
    p->admin = pages;
}

void admin_stop(struct process *p)
{
    if (p->admin)
        free_pages(p->admin);
    p->admin = NULL;
}
