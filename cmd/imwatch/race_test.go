//go:build linux && race

package main

const racing = true // with memory of its own
