#!/usr/bin/env bash
# Generates gen/ from proto/ under the folder given (`.` for the project itself): Go, the REST gateway
# and OpenAPI (buf.gen.yaml), then Python and TypeScript (buf.gen.clients.yaml, buf.gen.details.yaml).
set -euo pipefail
out=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$(scripts/tools.sh buf protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway protoc-gen-openapiv2 python node)
export PATH=$tools:$PATH
rm -rf build/protodeps
CGO_ENABLED=0 go run -C scripts/protodeps . "$PWD/build/protodeps"
buf generate --output "$out"
buf generate --output "$out" --template buf.gen.clients.yaml
buf generate --output "$out" --template buf.gen.details.yaml
