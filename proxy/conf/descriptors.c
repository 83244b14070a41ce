/* FileDescriptorSet -> methods, through protobuf-c with a bound on its memory. */
#include "conf/descriptors.h"

#include "conf/form.h"
#include "conf/memory.h"

#include "descriptors.pb-c.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Borrows: everything. */
struct reader {
    struct descriptors *d;
    struct arena *a;
    char *error;
};

static bool fail(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(char *error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(error, DESCRIPTORS_ERROR_MAX, format, list);
    va_end(list);
    return false;
}

/* What protobuf-c may still take; what it frees on the way is not given back. */
struct allowance {
    size_t left;
    bool exceeded;
};

static void *take(void *allowance, size_t n)
{
    struct allowance *a = allowance;
    if (n > a->left) {
        a->exceeded = true;
        return NULL;
    }
    a->left -= n;
    return malloc(n);
}

static void give_back(void *allowance, void *p)
{
    (void)allowance;
    free(p);
}

const char *idempotency_text(enum idempotency level)
{
    switch (level) {
    case IDEMPOTENCY_UNKNOWN:
        return NULL;
    case IDEMPOTENCY_NO_SIDE_EFFECTS:
        return "NO_SIDE_EFFECTS";
    case IDEMPOTENCY_IDEMPOTENT:
        return "IDEMPOTENT";
    }
    return NULL;
}

/* A level that is not one of those known is no promise. */
static enum idempotency level_of(const Descriptors__MethodDescriptorProto *m)
{
    if (!m->options || !m->options->has_idempotency_level)
        return IDEMPOTENCY_UNKNOWN;
    return m->options->idempotency_level == IDEMPOTENCY_NO_SIDE_EFFECTS ? IDEMPOTENCY_NO_SIDE_EFFECTS
           : m->options->idempotency_level == IDEMPOTENCY_IDEMPOTENT    ? IDEMPOTENCY_IDEMPOTENT
                                                                        : IDEMPOTENCY_UNKNOWN;
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

/* "pkg.Service", or NULL with an error. */
static const char *service_name(struct reader *r, const Descriptors__FileDescriptorProto *file,
                                const Descriptors__ServiceDescriptorProto *service)
{
    const char *package = text_of(file->package);
    const char *name = memory_format(r->a, "%s%s%s", package, *package ? "." : "", text_of(service->name));
    if (*text_of(service->name) && !form_method_section(slice_str(memory_format(r->a, "%s/Method", name))))
        return name;
    fail(r->error, "a service of %.100s is named \"%.100s\", expected pkg.Service", text_of(file->name), name);
    return NULL;
}

static bool add_method(struct reader *r, const char *service, const Descriptors__MethodDescriptorProto *m)
{
    const char *name = text_of(m->name);
    if (form_method_section(slice_str(memory_format(r->a, "%s/%s", service, name))) || strchr(name, '*'))
        return fail(r->error, "a method of %.100s is named \"%.100s\", expected a name", service, name);
    if (r->d->n == DESCRIPTORS_METHODS_MAX)
        return fail(r->error, "more than %d methods are described, expected fewer", DESCRIPTORS_METHODS_MAX);
    r->d->methods[r->d->n++] = (struct descriptors_method){.service = slice_str(service),
                                                           .method = memory_copy(r->a, slice_str(name)),
                                                           .streams = m->client_streaming || m->server_streaming,
                                                           .idempotency = level_of(m)};
    return true;
}

static bool add_file(struct reader *r, const Descriptors__FileDescriptorProto *file)
{
    for (size_t i = 0; i < file->n_service; i++) {
        const Descriptors__ServiceDescriptorProto *service = file->service[i];
        const char *name = service_name(r, file, service);
        for (size_t j = 0; name && j < service->n_method; j++)
            if (!add_method(r, name, service->method[j]))
                return false;
        if (!name)
            return false;
    }
    return true;
}

static int compare_text(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int by_bytes = n ? memcmp(a.p, b.p, n) : 0;
    return by_bytes ? by_bytes : (a.n > b.n) - (a.n < b.n);
}

static int compare(const void *left, const void *right)
{
    const struct descriptors_method *x = left, *y = right;
    int by_service = compare_text(x->service, y->service);
    return by_service ? by_service : compare_text(x->method, y->method);
}

/* Makes one of neighbours that have the same name, the more careful of both. */
static void unite(struct descriptors *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct descriptors_method *last = kept ? &d->methods[kept - 1] : NULL, *m = &d->methods[i];
        if (!last || compare(last, m) != 0) {
            d->methods[kept++] = *m;
            continue;
        }
        last->streams |= m->streams;
        if (m->idempotency == IDEMPOTENCY_UNKNOWN || last->idempotency == IDEMPOTENCY_UNKNOWN)
            last->idempotency = IDEMPOTENCY_UNKNOWN;
        else if (m->idempotency == IDEMPOTENCY_IDEMPOTENT)
            last->idempotency = IDEMPOTENCY_IDEMPOTENT;
    }
    d->n = kept;
}

static bool collect(struct reader *r, const Descriptors__FileDescriptorSet *set)
{
    size_t room = 0;
    if (set->n_file == 0)
        return fail(r->error, "describes no file, expected a FileDescriptorSet");
    for (size_t i = 0; i < set->n_file; i++)
        for (size_t j = 0; j < set->file[i]->n_service; j++)
            room += set->file[i]->service[j]->n_method;
    if (room > DESCRIPTORS_METHODS_MAX)
        room = DESCRIPTORS_METHODS_MAX;
    r->d->methods = memory_array(r->a, room, sizeof *r->d->methods);
    for (size_t i = 0; i < set->n_file; i++)
        if (!add_file(r, set->file[i]))
            return false;
    if (r->d->n > 1)
        qsort(r->d->methods, r->d->n, sizeof *r->d->methods, compare);
    unite(r->d);
    return true;
}

bool descriptors_parse(struct descriptors *d, struct arena *a, struct slice bytes, char error[DESCRIPTORS_ERROR_MAX])
{
    struct allowance allowance = {.left = DESCRIPTORS_MEMORY_MAX};
    ProtobufCAllocator allocator = {.alloc = take, .free = give_back, .allocator_data = &allowance};
    struct reader r = {d, a, error};
    *d = (struct descriptors){0};
    if (bytes.n > DESCRIPTORS_BYTES_MAX)
        return fail(error, "is larger than %d MiB, expected a smaller file", DESCRIPTORS_BYTES_MAX >> 20);
    Descriptors__FileDescriptorSet *set =
        descriptors__file_descriptor_set__unpack(&allocator, bytes.n, (const uint8_t *)bytes.p);
    if (!set && allowance.exceeded)
        return fail(error, "takes more than %d MiB of memory, expected fewer descriptors",
                    DESCRIPTORS_MEMORY_MAX >> 20);
    if (!set)
        return fail(error, "is no FileDescriptorSet, expected what protoc --descriptor_set_out writes");
    bool good = collect(&r, set);
    descriptors__file_descriptor_set__free_unpacked(set, &allocator);
    if (!good)
        *d = (struct descriptors){0};
    return good;
}

/* The first method that is not before the name. */
static const struct descriptors_method *lower_bound(const struct descriptors *d, struct slice service,
                                                    struct slice method)
{
    const struct descriptors_method key = {.service = service, .method = method};
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&d->methods[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < d->n ? &d->methods[low] : NULL;
}

const struct descriptors_method *descriptors_find(const struct descriptors *d, struct slice service,
                                                  struct slice method)
{
    const struct descriptors_method *m = lower_bound(d, service, method);
    return m && slice_eq(m->service, service) && slice_eq(m->method, method) ? m : NULL;
}

bool descriptors_have_service(const struct descriptors *d, struct slice service)
{
    const struct descriptors_method *m = lower_bound(d, service, SLICE(""));
    return m && slice_eq(m->service, service);
}
