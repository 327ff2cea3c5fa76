package web

import (
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
)

// Status is what a daemon tells about itself; imwatch status -o json prints it
// as it is.
type Status struct {
	Running   bool                 `json:"running"`
	Version   string               `json:"version,omitempty"`
	Host      string               `json:"host,omitempty"`
	Started   time.Time            `json:"started,omitzero"`
	Now       time.Time            `json:"now"`
	StateDir  string               `json:"state_dir"`
	Sources   []string             `json:"sources,omitempty"`
	Files     []tailer.Status      `json:"files,omitempty"`
	Store     store.State          `json:"store"`
	Sinks     map[string]SinkState `json:"sinks,omitempty"`
	Undecided []report.Undecided   `json:"undecided,omitempty"`
	Losses    []finding.Loss       `json:"losses,omitempty"`
}

// SinkState is what is known about one sink.
type SinkState struct {
	sink.State
	Backlog uint64 `json:"backlog"`
}
