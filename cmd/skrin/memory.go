// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"net"
	"net/http"
	"runtime/debug"
	runtimes "runtime/metrics"
	"sync/atomic"
	"time"
)

// leastMemory is the least that a process may be bound to.
const leastMemory size = 256 << 20

// A memory says whether the process has nearly as much memory as it may.
type memory struct {
	most   uint64       // bytes; 0 for no bound
	header uint64       // that the header of a request may have
	open   atomic.Int64 // connections

	next atomic.Int64 // when to look again
	used atomic.Uint64
}

// full says that no request can be begun: what is under way may need the rest.
func (m *memory) full() bool { return m.most > 0 && m.look() > m.most/4*3 }

// crowded says that no connection can be taken: each that is open may still send a
// header, of which more than its size is kept while it is read.
func (m *memory) crowded() bool {
	return m.most > 0 && m.look()+uint64(max(m.open.Load(), 0))*m.header/2*3 > m.most
}

// look returns how much the process has, without the ballast, which is nowhere. It looks at most every 5 ms.
func (m *memory) look() uint64 {
	const every = 5 * time.Millisecond
	now, next := time.Now().UnixNano(), m.next.Load()
	if now >= next && m.next.CompareAndSwap(next, now+int64(every)) {
		of := []runtimes.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		runtimes.Read(of)
		m.used.Store(of[0].Value.Uint64() - of[1].Value.Uint64() - uint64(len(ballast)))
	}
	return m.used.Load()
}

// connState counts connections, for http.Server.
func (m *memory) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		m.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		m.open.Add(-1)
	}
}

// bound has what is dead swept before the process comes near what it may have, 0
// for no bound.
func bound(memory size) {
	if memory > 0 {
		debug.SetMemoryLimit(int64(memory)/8*5 + int64(len(ballast)))
	}
}

// A closing listener closes what connects while there are too many.
type closing struct {
	net.Listener
	full func() bool
}

// Accept implements net.Listener.
func (l closing) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || !l.full() {
			return c, err
		}
		_ = c.Close() // it has been told nothing
	}
}
