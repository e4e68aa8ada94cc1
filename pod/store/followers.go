// SPDX-License-Identifier: EUPL-1.2

package store

import "sync"

// Followers are who follow a [Feed] in this process: the half of a Feed that is
// the same in every engine. The zero Followers are none.
type Followers struct {
	mu  sync.Mutex
	all map[*func(...string)]bool
}

// Add has told called by Tell, until leave is.
func (f *Followers) Add(told func(ids ...string)) (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[*func(...string)]bool{}
	}
	f.all[&told] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.all, &told)
	}
}

// Tell tells all of them of pods.
func (f *Followers) Tell(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for told := range f.all {
		(*told)(ids...)
	}
}
