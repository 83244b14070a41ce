/* Line by line; what is not known is passed over. */
#include "net/resolv_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

static void add_domain(struct resolv_conf *c, const char *domain)
{
    size_t n = strlen(domain);
    if (n > 1 && domain[n - 1] == '.')
        n--;
    if (c->domains_n == RESOLV_CONF_DOMAINS_MAX || n >= RESOLV_CONF_DOMAIN_BYTES)
        return;
    memcpy(c->domains[c->domains_n], domain, n);
    c->domains[c->domains_n++][n] = '\0';
}

static void read_option(struct resolv_conf *c, const char *option)
{
    if (strncmp(option, "ndots:", 6) != 0)
        return;
    long n = strtol(option + 6, NULL, 10);
    c->ndots = n < 0 ? 0 : n > RESOLV_CONF_NDOTS_MAX ? RESOLV_CONF_NDOTS_MAX : (int)n;
}

/* Of several lines `search` and `domain` the last one holds. */
static void read_line(struct resolv_conf *c, char *line)
{
    char *save = NULL, *key = strtok_r(line, BLANKS, &save), *word = key ? strtok_r(NULL, BLANKS, &save) : NULL;
    if (!word)
        return;
    if (strcmp(key, "nameserver") == 0) {
        c->servers++;
    } else if (strcmp(key, "domain") == 0) {
        c->domains_n = 0;
        add_domain(c, word);
    } else if (strcmp(key, "search") == 0) {
        c->domains_n = 0;
        for (; word; word = strtok_r(NULL, BLANKS, &save))
            add_domain(c, word);
    } else if (strcmp(key, "options") == 0) {
        for (; word; word = strtok_r(NULL, BLANKS, &save))
            read_option(c, word);
    }
}

void resolv_conf_read(struct resolv_conf *ret, const char *path, const char *host)
{
    char *line = NULL;
    size_t size = 0;
    const char *dot = host ? strchr(host, '.') : NULL;
    FILE *f = fopen(path, "re");
    *ret = (struct resolv_conf){.ndots = 1};
    while (f && getline(&line, &size, f) >= 0)
        read_line(ret, line);
    free(line);
    if (f)
        fclose(f);
    if (ret->domains_n == 0 && dot && dot[1] != '\0')
        add_domain(ret, dot + 1);
}
