/* The forms that texts of the configuration may take. Each returns NULL when the text is fine, else what was expected.
 * Pure; what a name refers to is load.c's. */
#ifndef CONF_FORM_H
#define CONF_FORM_H

#include "base/slice.h"

/* A name of a service or policy: up to 128 letters, digits, '.', '_' and '-'. */
const char *form_name(struct slice s);

/* Any text of 1 to 1024 bytes without control characters. */
const char *form_text(struct slice s);

/* A path of 1 to 4095 bytes. */
const char *form_path(struct slice s);

/* Where to listen: IP:port or unix:PATH. */
const char *form_listen(struct slice s);

/* Where to forward: IP:port, host:port or unix:PATH. */
const char *form_forward(struct slice s);

/* The same, or the word original. */
const char *form_forward_or_original(struct slice s);

/* A static endpoint: IP:port or unix:PATH. */
const char *form_endpoint(struct slice s);

/* IP:port alone; https://HOST:PORT with the slash at its end or without. */
const char *form_ip_port(struct slice s);
const char *form_api(struct slice s);

/* host:port; and an SRV name such as _grpc._tcp.payment.shop. */
const char *form_host_port(struct slice s);
const char *form_srv(struct slice s);

/* "pkg.Service/Method", "pkg.Service/" with a star, or a lone star; without the lone star for form_method_section. */
const char *form_method(struct slice s);
const char *form_method_section(struct slice s);

/* An authority with a star at most at its end; and one without. */
const char *form_authority_pattern(struct slice s);
const char *form_authority(struct slice s);

/* A URI such as spiffe://trust.domain/path, which is held to the rules of base/spiffe.h; the same, a SPIFFE id with a
 * star in the place of whole segments. */
const char *form_identity(struct slice s);
const char *form_identity_pattern(struct slice s);

/* The socket of a SPIFFE Workload API: unix:PATH, or unix:///PATH as SPIFFE_ENDPOINT_SOCKET has it. */
const char *form_spiffe_socket(struct slice s);

/* A network such as 10.0.0.0/8, or an IP address. */
const char *form_network(struct slice s);

/* A network, a port, or both: see base/address_pattern.h. */
const char *form_address_pattern(struct slice s);

/* A DNS name; a metadata name. */
const char *form_dns(struct slice s);
const char *form_metadata_name(struct slice s);

/* A Kubernetes port: a name or a number. */
const char *form_port(struct slice s);

#endif
