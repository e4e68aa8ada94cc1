// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A match is one workload at one number of connections: rounds in which the limit
// and the sites take turns.
type match struct {
	w       *workload
	conns   int
	rounds  int
	lasting time.Duration
	scratch string
	limit   bool
	profile string // folder, or ""

	rival  func(w *workload) (*site, error) // a limit of another kind; it may return none, and may be nil
	beside []helper                         // what the sites can't do without
	watch  *watcher                         // looks at what the database does meanwhile; nil for nobody
}

// A helper is a server behind those that are measured.
type helper struct {
	name string
	pid  int // of its first process
}

// A row is what one site came to in a match.
type row struct {
	Workload  string             `json:"workload"`
	Grows     string             `json:"grows,omitempty"` // workload.grows
	Site      string             `json:"site"`            // "limit" for a limit
	Limit     string             `json:"limit,omitempty"` // which
	Conns     int                `json:"connections"`
	Rate      float64            `json:"per_second"`
	Spread    float64            `json:"spread"` // (highest − lowest) / median of the rounds
	P50       float64            `json:"p50_ms"`
	P99       float64            `json:"p99_ms"`
	P999      float64            `json:"p99_9_ms"`
	Sent      int                `json:"sent"`
	Failed    int                `json:"failed"`
	Why       string             `json:"why,omitempty"`
	Back      int                `json:"read_back,omitempty"`   // how many of what was answered with success were read back
	Lost      int                `json:"lost,omitempty"`        // and how many of them weren't there
	Server    float64            `json:"server_us"`             // CPU a request; 0 if it runs elsewhere
	Generator float64            `json:"generator_us"`          // the same of this program
	Beside    map[string]float64 `json:"beside_us,omitempty"`   // the same of what is behind the server
	Sessions  map[string]float64 `json:"sessions,omitempty"`    // the database's that were at work, on average, by what they waited for
	Commits   float64            `json:"commits,omitempty"`     // the database's a request, of transactions that wrote
	Others    float64            `json:"others"`                // how many processors others than these had, on average: they should have none
	Wait99    float64            `json:"generator_wait_p99_ms"` // how long 99 of 100 of its goroutines that could run waited for a processor, at most
	Memory    int64              `json:"memory"`                // bytes, after it
	More      int64              `json:"more_memory"`           // bytes that it held at most on top of what it had held before a volley
	MBs       float64            `json:"mb_per_second"`
	OfLimit   float64            `json:"of_limit,omitempty"` // median of the rounds' ratios

	OfOther map[string]float64 `json:"of_other,omitempty"` // the same, of each other server
	OfLeast float64            `json:"of_least,omitempty"` // P50 in that of the first of its name in workload.grows

	rates []float64
}

// most is how many shots a volley may have: their proofs are good for a minute.
const most = 60_000

// run runs it. What a site that is not the first can't do is told in not, and the
// others go on without it.
func (m *match) run(ctx context.Context, sites []*site) (rows []row, not []string, err error) {
	var benches []*bench
	var counts []int
	for i, s := range sites {
		if m.w.ours && s.stage == nil || m.w.alone && i > 0 {
			continue
		}
		b, n, err := m.ready(ctx, s)
		switch {
		case err != nil && i == 0:
			return nil, nil, fmt.Errorf("%s: %w", s.name, err)
		case err != nil:
			not = append(not, fmt.Sprintf("%s on %s: %v", m.w.name, s.name, err))
		default:
			benches, counts = append(benches, b), append(counts, n)
		}
	}
	if len(benches) == 0 {
		return nil, not, nil
	}
	floor, err := m.floor(ctx, benches[0])
	if err != nil {
		return nil, not, err
	}
	if floor != nil {
		defer floor.close()
	}
	rows = make([]row, len(benches))
	var limit row
	for range m.rounds {
		if floor != nil {
			if err := m.volley(ctx, benches[0], floor, counts[0], &limit); err != nil {
				return nil, not, err
			}
		}
		for i, b := range benches {
			if err := m.volley(ctx, b, b.site, counts[i], &rows[i]); err != nil {
				return nil, not, fmt.Errorf("%s: %w", b.name, err)
			}
		}
	}
	if floor != nil {
		limit.Limit = floor.name
	}
	return m.finish(benches, rows, floor != nil, limit), not, nil
}

// ready prepares a site, and finds how many shots a volley has there.
func (m *match) ready(ctx context.Context, s *site) (*bench, int, error) {
	if why := m.w.not[s.kind]; why != "" {
		return nil, 0, errors.New(why)
	}
	b := &bench{site: s}
	if m.w.prepare != nil {
		if err := errors.Join(s.mend(), m.w.prepare(ctx, b)); err != nil {
			return nil, 0, fmt.Errorf("prepare: %w", err)
		}
	}
	n, err := m.calibrate(ctx, b)
	return b, n, err
}

// calibrate finds how many shots a volley has.
func (m *match) calibrate(ctx context.Context, b *bench) (int, error) {
	n := min(2*m.conns, 32)
	if m.w.large > 0 {
		return m.w.most, nil
	}
	upper := most
	if m.w.most > 0 {
		upper = m.w.most
	}
	for {
		var r row
		if err := m.volley(ctx, b, b.site, n, &r); err != nil {
			return 0, err
		}
		if r.Failed == n {
			return 0, fmt.Errorf("all %d failed: %s", n, r.Why)
		}
		rate := r.rates[0]
		if took := float64(n) / rate; took > m.lasting.Seconds()/8 || n == upper {
			return max(m.conns, min(int(rate*m.lasting.Seconds()), upper)), nil
		}
		n = min(4*n, upper)
	}
}

// floor starts the limit of a workload that has one.
func (m *match) floor(ctx context.Context, b *bench) (*site, error) {
	if !m.limit || m.w.shot == nil || m.w.grows != "" {
		return nil, nil
	}
	if m.rival != nil {
		if s, err := m.rival(m.w); s != nil || err != nil {
			return s, err
		}
	}
	var body []byte
	media := "text/plain"
	if m.w.large == 0 {
		var err error
		if body, media, err = b.answer(ctx, m.w); err != nil {
			return nil, err
		}
	}
	return bare(ctx, m.w, body, media, m.scratch)
}

// answer is what the site answers one shot, and its media type.
func (b *bench) answer(ctx context.Context, w *workload) (body []byte, media string, err error) {
	if w.ready != nil {
		if err := w.ready(ctx, b, 1); err != nil {
			return nil, "", err
		}
	}
	s, err := b.telling(w)
	if err != nil {
		return nil, "", err
	}
	head := strings.Split(strings.TrimSpace(string(s.head)), "\r\n")
	line := strings.Fields(head[0])
	req, err := http.NewRequestWithContext(ctx, line[0], b.base+line[1], strings.NewReader(string(s.body)))
	if err != nil {
		return nil, "", err
	}
	for _, h := range head[2:] {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return body, resp.Header.Get("Content-Type"), err
}

// telling is the next shot; of a mix the next whose answer has a media type: the limit
// answers all alike.
func (b *bench) telling(w *workload) (shot, error) {
	first, next := shot{}, *b.next
	for i := range 20 {
		s, err := w.shot(b, next+i)
		switch {
		case err != nil:
			return shot{}, err
		case s.media != "":
			*b.next = next + i + 1
			return s, nil
		case i == 0:
			first = s
		}
	}
	*b.next = next + 1
	return first, nil
}

// volley prepares n shots of b, fires them at a site, and adds what they came to.
func (m *match) volley(ctx context.Context, b *bench, at *site, n int, r *row) error {
	floor := at != b.site
	if err := at.mend(); err != nil {
		return err
	}
	if m.w.ready != nil && !floor {
		if err := m.w.ready(ctx, b, n); err != nil {
			return err
		}
	}
	defer calm()()
	var shots []shot
	var err error
	first := *b.next
	if m.w.act == nil {
		if shots, err = premake(n, func(i int) (shot, error) { return m.w.shot(b, first+i) }); err != nil {
			return err
		}
	}
	if !floor {
		*b.next += n
	}
	if m.profile != "" && !floor && b.stage != nil && n > 2*m.conns {
		defer m.record(ctx, b)()
	}
	pids := at.pids()
	before := unpeak(pids)
	do := at.do
	if do == nil && m.w.act != nil {
		do = m.w.act(ctx, b)
	}
	defer at.alone()()
	end := m.watch.begin(ctx)
	spent, waits := m.spent(pids), scheduled()
	var v *volley
	if do != nil {
		v, err = each(ctx, n, m.conns, func() (func(int) (int64, error), func(), error) {
			return func(i int) (int64, error) { return 0, do(first + i) }, func() {}, nil
		})
	} else {
		v, err = at.fire(ctx, shots, m.conns)
	}
	seen := end()
	if err != nil {
		return err
	}
	r.add(v, m.spent(pids).since(spent), scheduled().since(waits).quantile(0.99), seen)
	if pids != nil {
		r.Memory = memory(pids)
		r.More = max(r.More, peak(pids)-before)
	}
	if m.w.back != nil && !floor {
		return m.readBack(ctx, b, v, first, r)
	}
	return nil
}

// A spending is how long processors have worked.
type spending struct {
	server, own time.Duration
	beside      map[string]time.Duration
	busy        time.Duration // all of them, for whomever
}

func (m *match) spent(pids []int) spending {
	s := spending{server: cpu(pids), own: self(), beside: map[string]time.Duration{}, busy: busy()}
	for _, h := range m.beside {
		s.beside[h.name] = cpu(tree(h.pid))
	}
	return s
}

func (s spending) since(earlier spending) spending {
	s.server, s.own, s.busy = s.server-earlier.server, s.own-earlier.own, s.busy-earlier.busy
	for name := range s.beside {
		s.beside[name] -= earlier.beside[name]
	}
	return s
}

// others is how long others than those that are measured have had the processors.
func (s spending) others() time.Duration {
	all := s.busy - s.server - s.own
	for _, d := range s.beside {
		all -= d
	}
	return max(all, 0)
}

// sample is of how many shots it is looked, after a volley, whether what was answered
// with success is there.
const sample = 256

// readBack looks.
func (m *match) readBack(ctx context.Context, b *bench, v *volley, first int, r *row) error {
	var good []int
	for i, bad := range v.bad {
		if !bad {
			good = append(good, first+i)
		}
	}
	n := min(len(good), sample)
	if n == 0 {
		return nil
	}
	shots, err := premake(n, func(k int) (shot, error) { return m.w.back(b, good[k*len(good)/n]) })
	if err != nil {
		return err
	}
	read, err := b.fire(ctx, shots, 8)
	if err != nil {
		return err
	}
	r.Back, r.Lost = r.Back+n, r.Lost+read.failed
	return nil
}

// record takes a CPU profile of the first site while a volley lasts, about; the
// function that it returns waits for it.
func (m *match) record(ctx context.Context, b *bench) (wait func()) {
	done := make(chan error, 1)
	go func() {
		seconds := max(1, int(m.lasting.Seconds()))
		req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", b.stage.Profiles, seconds), nil)
		if err != nil {
			done <- err
			return
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			done <- err
			return
		}
		defer resp.Body.Close()
		name := m.w.name
		if len(b.nodes) > 0 {
			name += strings.ReplaceAll("-"+b.name, " ", "-")
		}
		f, err := os.Create(filepath.Join(m.profile, name+".pprof"))
		if err == nil {
			_, err = io.Copy(f, resp.Body)
			err = errors.Join(err, f.Close())
		}
		done <- err
	}()
	return func() {
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, "profile:", err)
		}
	}
}

// self is how long this program has run.
func self() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails never
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (r *row) add(v *volley, spent spending, wait time.Duration, seen watched) {
	ms := func(q float64) float64 { return float64(v.quantile(q)) / float64(time.Millisecond) }
	k := float64(len(r.rates))
	mean := func(old, now float64) float64 { return (old*k + now) / (k + 1) }
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(v.sent) }
	r.P50, r.P99, r.P999 = mean(r.P50, ms(0.5)), mean(r.P99, ms(0.99)), mean(r.P999, ms(0.999))
	r.Server, r.Generator = mean(r.Server, each(spent.server)), mean(r.Generator, each(spent.own))
	for name, d := range spent.beside {
		if r.Beside == nil {
			r.Beside = map[string]float64{}
		}
		r.Beside[name] = mean(r.Beside[name], each(d))
	}
	for name, n := range seen.sessions {
		if r.Sessions == nil {
			r.Sessions = map[string]float64{}
		}
		r.Sessions[name] += n
	}
	r.Commits = mean(r.Commits, float64(seen.commits)/float64(v.sent))
	r.Others = mean(r.Others, spent.others().Seconds()/v.took.Seconds())
	r.Wait99 = mean(r.Wait99, float64(wait)/float64(time.Millisecond))
	r.MBs = mean(r.MBs, float64(v.bytes)/1e6/v.took.Seconds())
	r.Sent, r.Failed = r.Sent+v.sent, r.Failed+v.failed
	if r.Why == "" {
		r.Why = v.why
	}
	r.rates = append(r.rates, v.rate())
}

// finish sums the rounds up.
func (m *match) finish(benches []*bench, rows []row, limited bool, limit row) []row {
	for i := range rows {
		if limited {
			rows[i].OfLimit = ratio(rows[i].rates, limit.rates)
		}
		if i > 0 {
			if rows[0].OfOther == nil {
				rows[0].OfOther = map[string]float64{}
			}
			rows[0].OfOther[benches[i].name] = ratio(rows[0].rates, rows[i].rates)
		}
		rows[i].Site = benches[i].name
	}
	if limited {
		limit.Site = "limit"
		rows = append([]row{limit}, rows...)
	}
	for i := range rows {
		r := &rows[i]
		for name := range r.Sessions {
			r.Sessions[name] /= float64(m.rounds)
		}
		r.Workload, r.Grows, r.Conns, r.Rate = m.w.name, m.w.grows, m.conns, median(r.rates)
		if r.Rate > 0 {
			r.Spread = (slices.Max(r.rates) - slices.Min(r.rates)) / r.Rate
		}
		if m.w.large > 0 && r.MBs < 1 { // it was sent, not received
			r.MBs = r.Rate * float64(m.w.large) / 1e6
		}
	}
	return rows
}

func median(all []float64) float64 {
	s := slices.Sorted(slices.Values(all))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio is the median of the ratios round by round; 0 where the other did nothing.
func ratio(a, b []float64) float64 {
	var all []float64
	for i := range a {
		if b[i] == 0 {
			return 0
		}
		all = append(all, a[i]/b[i])
	}
	return median(all)
}
