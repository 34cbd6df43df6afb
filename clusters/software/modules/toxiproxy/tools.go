//go:build tools

// Names the program, so that `go mod tidy` pins everything that it needs.
package tools

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
