/* One family after the other over all identities. */
#include "telemetry/identities.h"

#include "app/identity.h"

static const struct identity *identity_of(const struct list *n)
{
    return CONTAINER_OF(n, const struct identity, node);
}

static bool has(const struct identity *id, enum tls_part part)
{
    switch (part) {
    case TLS_PAIR:
        return id->files.certificate;
    case TLS_TRUST:
        return id->files.trust || id->workload;
    case TLS_REVOKED:
        return id->files.revoked || (id->workload && tls_material_end(id->material, TLS_REVOKED) > 0);
    case TLS_PART_COUNT:
        break;
    }
    return false;
}

enum value { ROTATIONS, FAILURES, END };

static void render(struct prometheus *p, const struct identity *id, enum tls_part part, enum value which)
{
    struct prometheus_label labels[] = {
        {"identity", slice_str(id->name)}, {"part", slice_str(tls_part_text(part))}, {NULL, {NULL, 0}}};
    ns_t end = tls_material_end(id->material, part);
    switch (which) {
    case ROTATIONS:
        prometheus_sample(p, labels, id->rotations[part]);
        break;
    case FAILURES:
        prometheus_sample(p, labels, id->failures[part]);
        break;
    case END:
        if (end > 0 && end != NS_NEVER)
            prometheus_sample_time(p, labels, end);
        break;
    }
}

void identities_render(struct prometheus *p, const struct list *identities)
{
    static const struct {
        const char *name, *help;
        enum prometheus_type type;
    } families[] = {
        [ROTATIONS] = {"outrigger_identity_rotations_total", "Parts of an identity put into force after the start.",
                       PROMETHEUS_COUNTER},
        [FAILURES] = {"outrigger_identity_rotation_failures_total",
                      "Changed files that were bad, so that the old ones stayed in force.", PROMETHEUS_COUNTER},
        [END] = {"outrigger_identity_end_timestamp_seconds",
                 "When it ends: our certificate, the first of the trusted roots, the first of the revocation lists.",
                 PROMETHEUS_GAUGE},
    };
    if (list_is_empty(identities))
        return;
    for (int which = ROTATIONS; which <= END; which++) {
        prometheus_family(p, families[which].name, families[which].type, families[which].help);
        LIST_FOR(n, identities)
            for (int part = 0; part < TLS_PART_COUNT; part++)
                if (has(identity_of(n), (enum tls_part)part))
                    render(p, identity_of(n), (enum tls_part)part, (enum value)which);
    }
}
