# The whole product as one static binary in an empty image.
#
#   docker build -t order-tracking .
#   docker run -p 127.0.0.1:8080:8080 -e BOOTSTRAP_ADMIN_KEY=... -v order-tracking:/data order-tracking
#
# BINARY says where the binary comes from: "source" builds it here, "prebuilt" takes
# the one that the release has just built.
ARG BINARY=source

FROM --platform=$BUILDPLATFORM golang:1.26 AS base
# What an empty image lacks: a user to be, authorities to trust, a place to keep data.
RUN mkdir -p /root-of-image/etc/ssl/certs /root-of-image/data /root-of-image/spool /root-of-image/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /root-of-image/etc/ssl/certs/ \
 && echo 'order-tracking:x:65532:65532::/data:/sbin/nologin' > /root-of-image/etc/passwd \
 && echo 'order-tracking:x:65532:' > /root-of-image/etc/group \
 && chown 65532:65532 /root-of-image/data /root-of-image/spool \
 && chmod 1777 /root-of-image/tmp

FROM base AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION COMMIT
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags timetzdata,grpcnotrace,nomsgpack \
    -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /out/order-tracking ./cmd

FROM scratch AS prebuilt
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/order-tracking /out/order-tracking

FROM ${BINARY} AS binary

FROM scratch
COPY --from=base /root-of-image/ /
COPY --from=binary /out/order-tracking /usr/local/bin/order-tracking
# By number, so that a cluster can see that it is not root.
USER 65532:65532
# The defaults keep data in ./data: here that is /data, the only place that is written to.
WORKDIR /
VOLUME /data
# Others can reach a container, so that it starts with an administrator's key only.
ENV PATH=/usr/local/bin HTTP_ADDR=:8080 GRPC_ADDR=:9090
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["order-tracking", "healthcheck"]
ENTRYPOINT ["order-tracking"]
