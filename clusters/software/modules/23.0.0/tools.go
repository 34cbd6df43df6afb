//go:build tools

// Names the programs of a release, so that `go mod tidy` pins everything that they need.
package tools

import (
	_ "vitess.io/vitess/go/cmd/mysqlctl"
	_ "vitess.io/vitess/go/cmd/vtctld"
	_ "vitess.io/vitess/go/cmd/vtctldclient"
	_ "vitess.io/vitess/go/cmd/vtgate"
	_ "vitess.io/vitess/go/cmd/vtorc"
	_ "vitess.io/vitess/go/cmd/vttablet"
)
