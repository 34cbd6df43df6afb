//go:build tools

// Names the program, so that `go mod tidy` pins everything that it needs.
package tools

import _ "go.etcd.io/etcd/server/v3"
