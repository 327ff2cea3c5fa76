package main

import (
	"os/exec"
	"testing"
)

// TestImportsElsewhere: what follows files needs Linux; what reads them once
// builds everywhere. A file that needs package tailer, package store or type
// daemon says //go:build linux.
func TestImportsElsewhere(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "vet", ".")
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("on Windows: %v\n%s\nhint: does a file lack //go:build linux?", err, out)
	}
}
