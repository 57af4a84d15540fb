#!/bin/sh
# Rebuilds gen/ from proto/ and from Turnout's options: the Go code, and stock.binpb, the descriptor
# set that the service registers. Run it after a change to stock.proto and commit the result.
#
# Needs Go, Python 3 and the network. Every tool is pinned, and lives in a directory that goes away.
set -eu
cd "$(dirname "$0")"

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/python"
"$tools/python/bin/pip" --quiet install grpcio-tools==1.85.1 # carries protoc 35.1
GOBIN="$tools/bin" go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN="$tools/bin" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

# options.proto names a Go package that nobody publishes; its code is generated here too.
module=turnout.dev/services/go
options="Mturnout/graphql/v1/options.proto=$module/gen/turnout/graphql/v1;graphqlv1"
PATH="$tools/bin:$PATH" "$tools/python/bin/python" -m grpc_tools.protoc \
  --proto_path=proto --proto_path=../../proto \
  --go_out=. --go_opt="module=$module,$options" \
  --go-grpc_out=. --go-grpc_opt="module=$module,$options" \
  --descriptor_set_out=gen/stock.binpb --include_imports --include_source_info \
  shop/stock/v1/stock.proto turnout/graphql/v1/options.proto
