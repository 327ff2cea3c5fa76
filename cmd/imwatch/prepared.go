//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
)

// prepared is a configuration made ready to run: its sinks are open.
type prepared struct {
	set   *ruleSet
	run   pipeline.RunOptions
	block map[string]bool // by sink: when_full is block
}

// begin puts a configuration in use: its catalogue, the cursors of its sinks.
func (d *daemon) begin(st *store.Store, p *prepared) error {
	d.site.Use(p.set.codes, p.set.redactor)
	d.metrics.Use(p.set.codes, names(p.run.Sources), p.set.rules)
	for name, block := range p.block {
		if err := st.Register(name, block); err != nil {
			return err
		}
	}
	return st.Forget(p.block)
}

func (p *prepared) close() (err error) {
	for _, x := range p.run.Sinks {
		err = errors.Join(err, x.Close())
	}
	return err
}

// files are those of its sinks that can be opened again.
func (p *prepared) files() (list []*sink.File) {
	for _, x := range p.run.Sinks {
		if f, ok := x.Sink.(*sink.File); ok {
			list = append(list, f)
		}
	}
	return list
}

// until runs the pipeline until ctx ends, or until a signal brings a new
// configuration that can be used; it returns that.
func (d *daemon) until(ctx context.Context, st *store.Store, now *prepared, hup, usr1 <-chan os.Signal) (next *prepared, err error) {
	part, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- pipeline.Run(part, st, now.run) }()
	for {
		select {
		case err := <-ended:
			return next, err
		case <-usr1:
			for _, f := range now.files() {
				if err := f.Reopen(); err != nil {
					d.notice("error", fmt.Sprintf("open the output file again: %v", err))
				}
			}
		case <-hup:
			if next != nil {
				continue // one is on its way
			}
			d.manager.reloading()
			if next, err = d.reload(st, now.set); err != nil {
				d.manager.keeps()
				d.metrics.Refused()
				d.log.answer("error", "the new configuration is not used, the old one goes on:\n"+err.Error())
				continue
			}
			stop()
		}
	}
}

// reload reads the configuration again and prepares it whole, or changes
// nothing.
func (d *daemon) reload(st *store.Store, old *ruleSet) (*prepared, error) {
	set, err := d.load()
	if err != nil {
		return nil, err
	}
	p, err := d.prepare(st, set)
	if err != nil {
		return nil, err
	}
	if c, o := set.config, old.config; c.StateDir != o.StateDir || c.Store != o.Store || c.Storm != o.Storm || c.Listen != o.Listen {
		d.notice("warn", "state_dir, listen, store or storm has changed: these need a restart; the rest is in use now")
	}
	return p, nil
}

// prepare makes of a configuration what the pipeline needs, and opens its sinks.
func (d *daemon) prepare(st *store.Store, set *ruleSet) (*prepared, error) {
	c := set.config
	var scan pipeline.ScanOptions
	if err := set.apply(&scan, nil); err != nil {
		return nil, err
	}
	p := &prepared{set: set, block: map[string]bool{}}
	p.run = pipeline.RunOptions{Scanner: set.scanner, Resolver: scan.Resolver, Metrics: d.metrics, Notice: d.notice, Drain: drainTime, Started: d.running.Store,
		Muted: func(f *finding.Finding) bool { return set.muted(f, time.Now()) }}
	for i, s := range c.Sources {
		p.run.Files = append(p.run.Files, tailer.Source{Name: s.Name, Paths: s.Paths, Exclude: s.Exclude, StartAt: s.StartAt, MaxLine: s.MaxLineBytes, RotateWait: time.Duration(s.RotateWait), Links: s.FollowSymlinks.All, Roots: s.FollowSymlinks.Roots, UTF16: s.Encoding == "utf-16"})
		p.run.Sources = append(p.run.Sources, scan.Sources[i].Source)
	}
	if err := tailer.Check(p.run.Files); err != nil {
		return nil, exit{exitConfig, err}
	}
	for i := range c.Sinks {
		x, err := d.delivery(&c.Sinks[i], set)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		x.Queue = st
		p.block[x.Name] = c.Sinks[i].WhenFull == "block"
		p.run.Sinks = append(p.run.Sinks, x)
	}
	p.run.Refuse = refuse(c, p.files())
	return p, nil
}

// refuse tells which files are our own and must not be read: the store, what a
// sink writes, and what our output is redirected to.
func refuse(c *config.Config, files []*sink.File) func(os.FileInfo) bool {
	var own []os.FileInfo
	add := func(info os.FileInfo, err error) {
		if err == nil && info.Mode().IsRegular() {
			own = append(own, info)
		}
	}
	if entries, err := os.ReadDir(c.StateDir); err == nil {
		for _, e := range entries {
			add(os.Stat(filepath.Join(c.StateDir, e.Name())))
		}
	}
	add(os.Stdout.Stat())
	add(os.Stderr.Stat())
	return func(info os.FileInfo) bool {
		if slices.ContainsFunc(own, func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
			return true
		}
		return slices.ContainsFunc(files, func(f *sink.File) bool {
			o, err := f.Info()
			return err == nil && os.SameFile(o, info)
		})
	}
}
