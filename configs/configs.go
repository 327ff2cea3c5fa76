// Package configs holds the reference configuration.
package configs

import _ "embed"

// Reference is imwatch.yaml: every key with its default and one line why.
//
//go:embed imwatch.yaml
var Reference string
