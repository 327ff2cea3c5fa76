//go:build linux && !race

package main

const racing = false
