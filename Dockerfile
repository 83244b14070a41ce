# The proxy alone: the binary and the libraries that it loads, no shell, no package manager, not root.
#   docker build -t outrigger:dev .
#   docker run --read-only -v ./config:/etc/outrigger:ro outrigger:dev run -c /etc/outrigger/outrigger.yaml

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates cmake gcc libc-ares-dev libc6-dev libevent-dev libjansson-dev libnghttp2-dev libprotobuf-c-dev \
    libssl-dev libyaml-dev ninja-build pkg-config protobuf-c-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt LICENSE ./
COPY cmake cmake
COPY proxy proxy
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release && cmake --build /build --target outrigger

# /root-fs is what the last stage consists of. Each library brings the licence of its package along.
FROM build AS collect
RUN set -eu; \
    install -D -s /build/outrigger /root-fs/usr/bin/outrigger; \
    install -D -m 644 LICENSE /root-fs/usr/share/doc/outrigger/copyright; \
    for file in $(ldd /build/outrigger | grep -o '/[^ ]*'); do \
      cp -L --parents "$file" /root-fs; \
      package=$(dpkg-query -S "$(realpath "$file")" 2>/dev/null || dpkg-query -S "$(readlink -f "$file" | sed 's,^/usr,,')"); \
      cp -L --parents "/usr/share/doc/${package%%:*}/copyright" /root-fs; \
    done; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ca-certificates.crt; \
    install -d /root-fs/usr/lib/ssl; \
    ln -s /etc/ssl/certs/ca-certificates.crt /root-fs/usr/lib/ssl/cert.pem; \
    chroot /root-fs /usr/bin/outrigger version

FROM scratch
COPY --from=collect /root-fs /
USER 65532:65532
ENTRYPOINT ["/usr/bin/outrigger"]
CMD ["run", "-c", "/etc/outrigger/outrigger.yaml"]
