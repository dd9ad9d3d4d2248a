# Debian 14 has packages of the native libraries. docs/building.md says how to run the image.

# "make base-image" pins it to a digest.
ARG BASE=debian:forky-slim

FROM $BASE AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates gcc golang-go libc6-dev libespeak-ng-dev libfaad-dev libflac-dev libllama-dev libmp3lame-dev \
        libonnxruntime-dev libopencore-amrnb-dev libopencore-amrwb-dev libopusenc-dev libwhisper-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/root/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev
ARG REVISION=
RUN --mount=type=cache,target=/root/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    MG_NATIVE=system VERSION="$VERSION" REVISION="$REVISION" scripts/build.sh && rm bin/engine-fault

FROM $BASE
RUN apt-get update && apt-get upgrade -y && apt-get install -y --no-install-recommends \
        ca-certificates libespeak-ng1 libfaad2 libflac14 libllama0 libmp3lame0 libonnxruntime1.23 \
        libopencore-amrnb0 libopencore-amrwb0 libopusenc0 libwhisper1 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --uid 10001 --user-group --home-dir /var/lib/modelgateway --shell /usr/sbin/nologin modelgateway \
    && install -d -o modelgateway -g modelgateway /var/lib/modelgateway /models
COPY --from=build /src/bin/ /usr/lib/modelgateway/
COPY --from=build /src/LICENSE /src/NOTICE /usr/share/doc/modelgateway/
RUN ln -s ../lib/modelgateway/modelgateway /usr/bin/modelgateway
# In a container the server must listen on all interfaces, because its loopback address cannot be reached from
# outside. It refuses to do so without API keys: mount a file of keys and name it in MODELGATEWAY_KEYS_FILE, or set
# MODELGATEWAY_ALLOW_UNAUTHENTICATED=true if only a proxy that authenticates callers reaches the published ports.
# Requests of web pages are still checked; set MODELGATEWAY_ALLOWED_HOSTS if callers use another name than localhost.
ENV MODELGATEWAY_GRPC_LISTEN=0.0.0.0:50051 \
    MODELGATEWAY_HTTP_LISTEN=0.0.0.0:8001 \
    MODELGATEWAY_ENGINES_DIR=/usr/lib/modelgateway \
    MODELGATEWAY_MODELS_DIR=/models \
    MODELGATEWAY_STATE_DIR=/var/lib/modelgateway
USER modelgateway
WORKDIR /var/lib/modelgateway
VOLUME ["/models", "/var/lib/modelgateway"]
EXPOSE 50051 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
    CMD ["modelgateway", "--timeout", "4s", "health"]
# The first process of a container must reap the processes whose parents have ended.
ENTRYPOINT ["tini", "--", "modelgateway"]
CMD ["serve"]
