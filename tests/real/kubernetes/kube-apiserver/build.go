//go:build tools

// Package build names the programs that this module is there to build, so that `go mod tidy` keeps what they need.
package build

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
