# The proxy alone: the binary, the libraries that it loads, their licences, a list of all that (SBOM) and the authorities of the
# system. No shell, no package manager, not root; works on a read-only root without any capability.
#   docker build -t outrigger:dev .
#   docker build --target sbom --output type=local,dest=. .        the SBOM beside the image
#   docker run --read-only --cap-drop ALL -v ./config:/etc/outrigger:ro outrigger:dev run -c /etc/outrigger/outrigger.yaml
# The same sources and packages give the same layers, whoever builds them; podman and buildah want --format docker for HEALTHCHECK.

FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates cmake gcc libc-ares-dev libc6-dev libevent-dev libjansson-dev libnftables1 libprotobuf-c-dev \
    libssl-dev libyaml-dev ninja-build pkg-config protobuf-c-compiler python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt LICENSE ./
COPY cmake cmake
COPY proxy proxy
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release && cmake --build /build --target outrigger

# /root-fs is what the last stage consists of. Each library brings the licence of its package along, and what that refers to.
FROM build AS collect
ARG VERSION=0.1.0
ARG SOURCE_DATE_EPOCH=0
# Opened by name while it runs: for `outrigger capture`, which goes without where this is empty (libnftables is GPL-2).
ARG OPENED="libnftables.so.1"
COPY packaging/sbom.py packaging/
RUN set -eu; umask 022; \
    install -D -s /build/outrigger /root-fs/usr/bin/outrigger; \
    [ "$(/build/outrigger version | head -n 1)" = "outrigger $VERSION" ]; \
    install -D -m 644 LICENSE /root-fs/usr/share/doc/outrigger/copyright; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ca-certificates.crt; \
    install -d /root-fs/usr/lib/ssl; \
    ln -s /etc/ssl/certs/ca-certificates.crt /root-fs/usr/lib/ssl/cert.pem; \
    cd "/usr/lib/$(gcc -print-multiarch)"; opened=${OPENED:+$(realpath -s $OPENED)}; cd /src; \
    for file in $(ldd /build/outrigger $opened | sed -n 's,^\t[^/]*\(/[^ ]*\) .*,\1,p' | sort -u) $opened; do \
      cp -L --parents "$file" /root-fs; \
      dpkg-query -S "$file" "/usr$file" 2>/dev/null | sed -n '/^diversion/!s/:.*//p' >>/packages; \
    done; \
    for package in ca-certificates $(sort -u /packages); do \
      cp -L --parents "/usr/share/doc/$package/copyright" /root-fs; \
    done; \
    for file in $(grep -rhoE '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' /root-fs/usr/share/doc | sort -u); do \
      cp -L --parents "$file" /root-fs; \
    done; \
    SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH python3 packaging/sbom.py /root-fs "$VERSION" >/sbom.spdx.json; \
    install -m 644 /sbom.spdx.json /root-fs/usr/share/doc/outrigger/sbom.spdx.json; \
    find /root-fs /sbom.spdx.json -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +; \
    chroot /root-fs /usr/bin/outrigger version

FROM scratch AS sbom
COPY --from=collect /sbom.spdx.json /

FROM scratch
ARG VERSION=0.1.0
ARG SOURCE=https://example.org/outrigger
LABEL org.opencontainers.image.title="Outrigger" \
      org.opencontainers.image.description="Resilience sidecar for gRPC" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE"
COPY --from=collect /root-fs /
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["/usr/bin/outrigger", "health"]
ENTRYPOINT ["/usr/bin/outrigger"]
CMD ["run", "-c", "/etc/outrigger/outrigger.yaml"]
