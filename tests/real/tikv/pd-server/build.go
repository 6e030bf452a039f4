//go:build tools

// Package build names the program that this module is there to build, so that `go mod tidy` keeps what it needs.
package build

import _ "github.com/tikv/pd/cmd/pd-server"
