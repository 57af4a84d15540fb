// Package gen holds what gen.sh makes out of the proto files.
package gen

import _ "embed"

// Descriptors is the encoded FileDescriptorSet of stock.proto with its imports and its comments:
// what a registry stores, and what its digest is taken of.
//
//go:embed stock.binpb
var Descriptors []byte
