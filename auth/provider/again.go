// SPDX-License-Identifier: EUPL-1.2

package provider

import (
	"net/http"
	"sync"
	"time"
)

// Who presses twice sends her answer twice, and the browser drops what came of the
// first: the way back to the client, when the interaction has ended already. For a
// moment we remember that way, for the same browser. The code in it is still good
// once.

const (
	moment    = 10 * time.Second
	maxMoment = 1024 // of them; then all are forgotten
)

// A wayBack is where a browser was sent when its interaction ended.
type wayBack struct {
	browser, to string
	until       time.Time
}

// waysBack remembers them, in this process alone.
type waysBack struct {
	mu sync.Mutex
	of map[string]wayBack // by id of the interaction
}

func (w *waysBack) keep(id string, back wayBack) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil || len(w.of) >= maxMoment {
		w.of = map[string]wayBack{}
	}
	w.of[id] = back
}

// Again returns where the browser that sends r was sent a moment ago, when the
// interaction with the id ended; "" if it wasn't.
func (p *Provider) Again(r *http.Request, id string) string {
	p.back.mu.Lock()
	defer p.back.mu.Unlock()
	back, ok := p.back.of[id]
	if b := p.browser(r); !ok || b == "" || b != back.browser || !p.Now().Before(back.until) {
		return ""
	}
	return back.to
}
