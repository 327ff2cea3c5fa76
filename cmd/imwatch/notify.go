//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/imwatch/imwatch/internal/redact"
)

// manager tells systemd how the daemon is: READY, RELOADING, STOPPING, what it
// does, and that it moves. Where no service manager asks, it does nothing.
type manager struct {
	notice   func(level, text string)
	watchdog time.Duration // 0: nobody watches

	mu      sync.Mutex
	phase   string // starting, running, reloading, stopping
	refused bool   // the last new configuration
	stuck   string // what did not move when last asked
}

// health answers what the daemon does, and what has not moved for so long.
type health func(limit time.Duration) (does, stuck string)

const (
	// statusEvery is between two reports where no watchdog asks for more.
	statusEvery = 15 * time.Second
	// extension is asked for again and again while the daemon starts or drains,
	// for as long as patience at most: then the manager decides.
	extension = 15 * time.Second
	patience  = 10 * time.Minute
)

func newManager(notice func(level, text string)) *manager {
	m := &manager{notice: notice, phase: "starting"}
	var err error
	if m.watchdog, err = systemd.SdWatchdogEnabled(false); err != nil {
		notice("warn", fmt.Sprintf("the watchdog is not fed: %v\nhint: WatchdogSec= of the unit", err))
	}
	return m
}

func (m *manager) tell(lines ...string) {
	if _, err := systemd.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		m.notice("warn", fmt.Sprintf("tell the service manager: %v\nhint: NotifyAccess=main, and AF_UNIX in RestrictAddressFamilies=", err))
	}
}

func (m *manager) enter(phase string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phase != "stopping" {
		m.phase = phase
	}
}

// refuse notes whether the last new configuration was refused.
func (m *manager) refuse(yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = yes
}

// ready is called when the sources were swept once, at the start and after a
// reload.
func (m *manager) ready() {
	m.enter("running")
	m.refuse(false)
	m.tell(systemd.SdNotifyReady, "STATUS=every source was swept once")
}

// reloading is called before a new configuration is looked at.
func (m *manager) reloading() {
	m.enter("reloading")
	m.tell(systemd.SdNotifyReloading, strings.TrimSpace(systemd.SdNotifyMonotonicUsec()), "STATUS=reading the new configuration")
}

// keeps is called when a new configuration is refused.
func (m *manager) keeps() {
	m.enter("running")
	m.refuse(true)
	m.tell(systemd.SdNotifyReady, "STATUS=the new configuration is not used, the old one goes on")
}

// run reports until done is closed, which is after ctx has ended and everything
// was drained.
func (m *manager) run(ctx context.Context, done <-chan struct{}, h health) {
	if sent, err := systemd.SdNotify(false, "STATUS=opening the store"); !sent && err == nil {
		return
	}
	every := statusEvery
	if m.watchdog > 0 {
		every = min(every, m.watchdog/2)
	}
	began := time.Now()
	ending := ctx.Done()
	tick := time.NewTicker(min(every, extension/3))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-ending:
			ending, began = nil, time.Now()
			m.enter("stopping")
			m.tell(systemd.SdNotifyStopping, extend, "STATUS=delivering what is read")
		case <-tick.C:
			m.report(h, time.Since(began) < patience)
		}
	}
}

var extend = fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", extension.Microseconds())

// report is one beat: it feeds the watchdog when everything moves.
func (m *manager) report(h health, patient bool) {
	m.mu.Lock()
	phase, refused := m.phase, m.refused
	m.mu.Unlock()
	limit := statusEvery
	if m.watchdog > 0 {
		limit = m.watchdog / 2
	}
	does, stuck := h(limit)
	m.mu.Lock()
	news := stuck != m.stuck && stuck != ""
	m.stuck = stuck
	m.mu.Unlock()
	if news {
		m.notice("error", stuck+"; the watchdog is not fed")
	}
	say := []string{"STATUS=" + redact.Terminal(does)}
	switch {
	case stuck != "":
		say = []string{"STATUS=" + redact.Terminal(stuck)}
	case phase == "starting" || phase == "stopping":
		if patient {
			say = append(say, extend)
		}
		fallthrough
	default:
		say = append(say, systemd.SdNotifyWatchdog)
	}
	if refused {
		say[0] += "; the last new configuration was refused"
	}
	m.tell(say...)
}

// does says in one line what the daemon does, for systemctl status.
func (d *daemon) does(limit time.Duration) (does, stuck string) {
	r := d.running.Load()
	if r == nil {
		return "opening the store", ""
	}
	files, stuck := r.Moves(context.Background(), limit)
	var lag int64
	unreadable, stalled := 0, 0
	for _, f := range files {
		lag += f.Lag
		if f.Mode == "unreadable" {
			unreadable++
		}
		if f.Mode == "stalled" {
			stalled++
		}
	}
	st := r.Store()
	parts := []string{count(len(files)-unreadable-stalled, "file", "files"), bytesOf(lag) + " to read", count(int(st.Kept), "event", "events") + " kept"}
	if unreadable > 0 {
		parts = append(parts, fmt.Sprintf("%d unreadable", unreadable))
	}
	if stalled > 0 {
		parts = append(parts, fmt.Sprintf("%d on a mount that does not answer", stalled))
	}
	if st.Error != "" {
		parts = append(parts, "the store cannot be written: "+st.Error)
	}
	for _, x := range r.Sinks() {
		if failed := x.State().Error; failed != "" {
			parts = append(parts, fmt.Sprintf("sink %s fails, %d waiting: %s", x.Name, st.Backlog[x.Name], failed))
		}
	}
	return strings.Join(parts, ", "), stuck
}
