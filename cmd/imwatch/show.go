//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"

	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/web"
)

// show answers on the socket in the state directory, and where the configuration
// says. The function it returns ends that. What cannot be opened is told: a
// daemon that reads and delivers is worth more than its page.
func (d *daemon) show(ctx context.Context, st *store.Store, set *ruleSet) (end func()) {
	d.site = &web.Site{Store: st, Metrics: d.metrics, Version: version(), Host: host(), Pprof: d.pprof,
		Status: func(ctx context.Context) (*web.Status, error) { return d.status(ctx, st) }}
	d.site.Use(set.codes, set.redactor)
	d.store.Store(st)
	asked, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	serve := func(l net.Listener, token string) {
		wg.Go(func() {
			if err := d.site.Serve(asked, l, token); err != nil {
				d.notice("error", err.Error())
			}
		})
	}
	if l, err := web.Listen(set.config.StateDir); err != nil {
		d.notice("warn", fmt.Sprintf("%v: imwatch status and events cannot ask this daemon", err))
	} else {
		serve(l, "")
	}
	if l, token, err := d.listen(set.config.Listen, set.config.StateDir); err != nil {
		d.notice("error", err.Error())
	} else if l != nil {
		serve(l, token)
	}
	return func() {
		stop()
		wg.Wait()
	}
}

// listen opens the status page's address and says where it is; without one, nil.
func (d *daemon) listen(where, stateDir string) (net.Listener, string, error) {
	if where == "" {
		return nil, "", nil
	}
	l, err := web.ListenAt(where)
	if errors.Is(err, syscall.EADDRINUSE) && len(d.args) > 0 {
		l, err = web.ListenAt("127.0.0.1:0") // a second run over other paths
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, "", fmt.Errorf("%w: there are no metrics and no status page, everything else goes on\nhint: another listen: in the configuration", err)
	case err != nil:
		return nil, "", fmt.Errorf("%w: there are no metrics and no status page, everything else goes on", err)
	}
	if strings.HasPrefix(where, "/") {
		return l, "", nil
	}
	token, err := web.Token(stateDir)
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	if !web.Loopback(l) {
		d.notice("warn", fmt.Sprintf("metrics and status page on %s can be reached from other machines, and are not encrypted\nhint: listen: 127.0.0.1:9610 keeps them here", l.Addr()))
	}
	url := "http://" + l.Addr().String() + "/"
	if d.log.person {
		d.log.answer("info", "status page: "+url+"?token="+token)
	} else {
		d.log.log.Info().Str("url", url).Str("token_file", stateDir+"/"+web.TokenName).Msg("metrics and status page")
	}
	return l, token, nil
}

// pulled is what metrics ask for when they are read.
func (d *daemon) pulled(ctx context.Context) (p web.Pulled) {
	if st := d.store.Load(); st != nil {
		p.Store = st.State()
	}
	if r := d.running.Load(); r != nil {
		p.Files, p.Sinks = r.Files(ctx), states(r.Sinks())
	}
	return p
}

func states(list []*sink.Delivery) map[string]sink.State {
	states := map[string]sink.State{}
	for _, x := range list {
		states[x.Name] = x.State()
	}
	return states
}

func names(sources []resolver.Source) (list []string) {
	for _, s := range sources {
		list = append(list, s.Name)
	}
	return list
}
