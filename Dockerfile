# The image of both programs: the worker, and the CLI beside it (--entrypoint /lifeboat).
#
#   docker build --build-arg VERSION=v1.0.0 -t ghcr.io/lifeboat-backup/lifeboat:v1.0.0 .
#
# The binaries are the same for the same source, version and Go: they hold no path, time or
# build id. What is copied carries one time stamp, so that the layers are the same too. The digest
# of an image also covers the time of its creation: BuildKit takes that from SOURCE_DATE_EPOCH, buildah
# from --timestamp.
#
# Beside each program lies its bill of materials, in CycloneDX's JSON.
FROM golang:1.27.3-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/ ./worker ./starter \
    && mkdir /out/image && mv /out/worker /out/image/lifeboat-worker && mv /out/starter /out/image/lifeboat \
    && for program in lifeboat lifeboat-worker; do go run tools/sbom/main.go /out/image/$program ${VERSION} >/out/image/$program.cdx.json || exit 1; done \
    && cp LICENSE /out/image/LICENSE && find /out/image -exec touch -h -d @0 {} + \
    && go clean -cache # gigabytes that the layer would hold

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.source="https://github.com/lifeboat-backup/lifeboat" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/image/ /
USER 65532:65532
ENTRYPOINT ["/lifeboat-worker"]
CMD ["--config", "/etc/lifeboat/lifeboat.yaml"]
