# For linux/amd64, linux/arm64 and linux/arm/v7, without emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH TARGETVARIANT VERSION REVISION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/prometheus/common/version.Version=${VERSION:-$(cat VERSION)} -X github.com/prometheus/common/version.Revision=$REVISION" \
    -o /tapo_exporter . && mkdir /state

FROM gcr.io/distroless/static-debian13:nonroot
LABEL org.opencontainers.image.title="tapo_exporter" \
      org.opencontainers.image.description="Prometheus exporter for TP-Link Tapo plugs" \
      org.opencontainers.image.source="https://github.com/tapo-exporter/tapo_exporter" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /tapo_exporter /bin/tapo_exporter
COPY --from=build --chown=65532:65532 /state /var/lib/tapo_exporter
COPY LICENSE /LICENSE
ENV STATE_DIRECTORY=/var/lib/tapo_exporter
VOLUME /var/lib/tapo_exporter
USER 65532:65532
WORKDIR /etc/tapo_exporter
EXPOSE 9782
ENTRYPOINT ["/bin/tapo_exporter"]
