# The patio command with its transports, executors and demo tasks. `docker build -t patio .`
FROM debian:12-slim AS build
WORKDIR /patio
# Packages change less often than sources.
COPY scripts/setup scripts/setup
RUN scripts/setup
COPY . .
RUN cmake --preset release -B build/image -DPATIO_BUILD_TESTS=OFF \
    && cmake --build build/image \
    && cmake --install build/image --prefix /opt/patio --strip

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libhiredis0.14 libjson-c5 libprotobuf-c1 \
        librabbitmq4 libssl3 libuv1 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin patio
COPY --from=build /opt/patio /usr/local
USER patio
# A worker drains on SIGTERM.
STOPSIGNAL SIGTERM
ENTRYPOINT ["patio"]
CMD ["help"]
