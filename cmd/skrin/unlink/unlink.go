// SPDX-License-Identifier: EUPL-1.2

// Package unlink is an adversary: two parties that pool all they received, and
// try to find out which of their customers are the same person.
//
// The adversary is stronger than one in life. It is told the truth about a quarter
// of the people and learns from them what to look at, and it is tried on the others,
// so that of all that it could look at, what fits by chance is worth nothing. Facts
// that a person released on purpose to both link the person, and no server can help
// that; so it is measured among people who released the same.
//
// What chance does is known exactly: if nothing links, any order of the people of
// one party who released the same is as good as the true one. So the errors are
// those of all these orders, whatever was looked at.
//
// It can't see what takes longer than a run (that what two parties read changes on
// the same day, because the authority sent something new), nor what people do with
// both parties in one hour.
package unlink

import (
	"cmp"
	"encoding/base32"
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A Dossier is all that one party received about one person.
type Dossier struct {
	Person   int                 // the truth
	Released string              // what the person released on purpose; only people with the same are compared
	Got      map[string][]string // by channel: "GET text/turtle header Etag"
}

// A Result is how well a strategy matched people.
type Result struct {
	Strategy  string  `json:"strategy"`
	AUC       float64 `json:"auc"`       // how often the true match scored above a false one
	Error     float64 `json:"auc_error"` // its standard error, by chance
	Top1      float64 `json:"top1"`      // how often the true match came first in a line-up
	Top1Error float64 `json:"top1_error"`
	Chance    float64 `json:"chance"` // of that
	People    int     `json:"people"` // that were matched
	Pairs     int     `json:"pairs"`  // of parties
	Feature   string  `json:"looked_at_last,omitempty"`
}

const (
	folds  = 4  // each learns from one part of the people, and is tried on the others
	lineup = 10 // people of whom one is the true match; fewer where fewer released the same
	wrong  = 30 // false matches from which it learns, of each person
)

// Match lets the adversary try all its strategies on two parties' dossiers, the
// i-th of which are of the same person. random chooses from whom it learns. Results
// makes results of it.
func Match(a, b []Dossier, random *rand.Rand) []Tally {
	p := prepare(a, b)
	fold := make([]int, len(p.a))
	for i, who := range random.Perm(len(p.a)) {
		fold[who] = i % folds
	}
	all := []Tally{{name: "exact"}, {name: "fuzzy"}, {name: "statistical"}}
	var scores [folds][]func([]float64) float64
	for k := range folds {
		trials := p.trials(fold, k, random)
		best := p.bestSingle(trials)
		all[1].feature = p.names[best]
		scores[k] = []func([]float64) float64{
			func(x []float64) float64 { return x[0] },
			func(x []float64) float64 { return x[best] },
			p.learn(trials).score,
		}
	}
	for _, class := range p.class {
		for k, tables := range p.compare(class, fold, scores) {
			for i, t := range tables {
				all[i].add(k, t)
			}
		}
	}
	return all
}

// compare scores everybody of a class against everybody: for each fold, and each of
// its scores, those whom it didn't learn from.
func (p *pool) compare(class, fold []int, scores [folds][]func([]float64) float64) [folds][]table {
	var all [folds][]table
	for k := range folds {
		all[k] = make([]table, len(scores[k]))
	}
	for _, i := range class {
		var rows [folds][][]float64
		for _, j := range class {
			x := p.features(p.a[i], p.b[j])
			for k, by := range scores {
				if fold[i] == k || fold[j] == k {
					continue
				}
				if rows[k] == nil {
					rows[k] = make([][]float64, len(by))
				}
				for s, score := range by {
					rows[k][s] = append(rows[k][s], score(x))
				}
			}
		}
		for k := range rows {
			for s, row := range rows[k] {
				all[k][s] = append(all[k][s], row)
			}
		}
	}
	return all
}

// A trial is one person of a, with the features of the true match, and of false
// ones.
type trial struct {
	truth []float64
	false [][]float64
}

// A pool is what was made of both parties' dossiers.
type pool struct {
	a, b    []card
	names   []string // of the features
	numbers map[string]int
	tokens  map[string]int
	ranks   map[string]int
	class   map[string][]int
}

// A card is a dossier as numbers and rare tokens, by feature.
type card struct {
	released string
	tokens   map[int]map[string]float64 // weight by token, by feature
	numbers  map[int]float64
	all      []float64 // numbers, by feature; NaN for none
}

// prepare makes features of all that both could compare: for each channel the
// tokens in common, the rarer the more, and how near each number is.
func prepare(a, b []Dossier) *pool {
	p := &pool{names: []string{"any token, anywhere"}, tokens: map[string]int{}, numbers: map[string]int{}, ranks: map[string]int{}, class: map[string][]int{}}
	seenA, seenB := counts(a), counts(b)
	weigh := func(token string) float64 {
		if seenA[token] == 0 || seenB[token] == 0 {
			return 0 // no match is possible
		}
		return max(0, math.Log(float64(len(a))/float64(max(seenA[token], seenB[token]))))
	}
	for i := range a {
		p.a, p.b = append(p.a, p.card(a[i], weigh)), append(p.b, p.card(b[i], weigh))
		p.class[b[i].Released] = append(p.class[b[i].Released], i)
	}
	p.order(p.a, a)
	p.order(p.b, b)
	for _, cards := range [][]card{p.a, p.b} {
		for i := range cards {
			cards[i].all = slices.Repeat([]float64{math.NaN()}, len(p.names))
			for f, v := range cards[i].numbers {
				cards[i].all[f] = v
			}
		}
	}
	return p
}

// order adds where each person stands in the order of a party's people, by every
// number and by every text: what grows with time or with an account's age does so
// for both parties, whatever is added to it or however it is written.
func (p *pool) order(cards []card, all []Dossier) {
	numbers, texts := map[string][]int{}, map[string][]int{}
	name := make([]string, len(p.names))
	for n, f := range p.numbers {
		name[f] = n
	}
	for i, c := range cards {
		for f := range c.numbers {
			numbers[name[f]] = append(numbers[name[f]], i)
		}
		for channel := range all[i].Got {
			texts[channel] = append(texts[channel], i)
		}
	}
	rank := func(feature string, who []int, compare func(i, j int) int) {
		if slices.SortFunc(who, compare); compare(who[0], who[len(who)-1]) == 0 {
			return // all are alike
		}
		f := p.feature(p.ranks, feature)
		for at, i := range who {
			if at > 0 && compare(who[at-1], i) == 0 {
				cards[i].numbers[f] = cards[who[at-1]].numbers[f]
			} else {
				cards[i].numbers[f] = float64(at)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		f := p.numbers[n]
		rank("order by "+n, numbers[n], func(i, j int) int { return cmp.Compare(cards[i].numbers[f], cards[j].numbers[f]) })
	}
	for _, channel := range slices.Sorted(maps.Keys(texts)) {
		rank("order by the text of "+channel, texts[channel], func(i, j int) int {
			return slices.Compare(all[i].Got[channel], all[j].Got[channel])
		})
	}
}

func counts(all []Dossier) map[string]int {
	n := map[string]int{}
	for _, d := range all {
		seen := map[string]bool{}
		for _, values := range d.Got {
			for _, v := range values {
				for _, token := range tokensOf(v) {
					seen[token] = true
				}
			}
		}
		for token := range seen {
			n[token]++
		}
	}
	return n
}

func (p *pool) card(d Dossier, weigh func(string) float64) card {
	c := card{released: d.Released, tokens: map[int]map[string]float64{}, numbers: map[int]float64{}}
	put := func(feature int, token string, w float64) {
		if c.tokens[feature] == nil {
			c.tokens[feature] = map[string]float64{}
		}
		c.tokens[feature][token] = w
	}
	for channel, values := range d.Got {
		text := strings.Join(values, "\n")
		for _, token := range tokensOf(text) {
			if w := weigh(token); w > 0 {
				put(0, token, w)
				put(p.feature(p.tokens, channel+": token"), token, w)
			}
		}
		for name, number := range numbersOf(text) {
			c.numbers[p.feature(p.numbers, channel+": "+name)] = number
		}
		c.numbers[p.feature(p.numbers, channel+": how often")] = float64(len(values))
		c.numbers[p.feature(p.numbers, channel+": there")] = 1
	}
	c.numbers[p.feature(p.numbers, "how many channels")] = float64(len(d.Got))
	return c
}

func (p *pool) feature(of map[string]int, name string) int {
	i, ok := of[name]
	if !ok {
		i = len(p.names)
		of[name] = i
		p.names = append(p.names, name)
	}
	return i
}

// tokensOf cuts text into what could be an id, a tag, a time, a number; and it
// whole, if it is short.
func tokensOf(text string) []string {
	tokens := strings.FieldsFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	tokens = slices.DeleteFunc(tokens, func(s string) bool { return len(s) < 3 })
	if len(text) < 200 {
		tokens = append(tokens, text)
	}
	return tokens
}

var ids = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// maxNumbers is how many numbers of a channel are compared.
const maxNumbers = 8

// numbersOf makes numbers of text: its length, the numbers in it, dates, and ids
// as the numbers that they encode.
func numbersOf(text string) map[string]float64 {
	n := map[string]float64{"length": float64(len(text))}
	if t, err := http.ParseTime(text); err == nil {
		n["time"] = float64(t.Unix())
	}
	for _, token := range tokensOf(text) {
		if len(n) > maxNumbers {
			break
		}
		if f, err := strconv.ParseFloat(token, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			n["number "+strconv.Itoa(len(n))] = f
		} else if b, err := ids.DecodeString(token); err == nil && len(b) == 16 {
			n["id "+strconv.Itoa(len(n))] = float64(binary.BigEndian.Uint64(b))
		}
	}
	return n
}

// features compares two cards.
func (p *pool) features(a, b card) []float64 {
	x := make([]float64, len(p.names))
	for f, v := range a.all {
		switch u := b.all[f]; {
		case v == v && u == u:
			x[f] = -math.Log1p(math.Abs(u - v))
		case v == v || u == u:
			x[f] = -50 // one of them has none
		}
	}
	for f, tokens := range a.tokens {
		for token, w := range tokens {
			if _, ok := b.tokens[f][token]; ok {
				x[f] += w
			}
		}
	}
	return x
}

// trials are those from which the fold is learned.
func (p *pool) trials(fold []int, k int, random *rand.Rand) []trial {
	var all []trial
	for i := range p.a {
		if fold[i] != k {
			continue
		}
		class := p.class[p.a[i].released]
		t := trial{truth: p.features(p.a[i], p.b[i])}
		for _, c := range random.Perm(len(class)) {
			if j := class[c]; j != i && len(t.false) < wrong {
				t.false = append(t.false, p.features(p.a[i], p.b[j]))
			}
		}
		if len(t.false) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// bestSingle returns the feature that matches best in the trials.
func (p *pool) bestSingle(trials []trial) int {
	best, most := 0, 0.0
	for f := range p.names {
		var auc float64
		for _, t := range trials {
			for _, x := range t.false {
				auc += float64(1+cmp.Compare(t.truth[f], x[f])) / float64(len(t.false))
			}
		}
		if auc > most {
			best, most = f, auc
		}
	}
	return best
}

// A model scores a pair by its features: logistic regression.
type model struct{ weight, mean, scale []float64 }

func (m *model) score(x []float64) (s float64) {
	for f, w := range m.weight {
		if w != 0 {
			s += w * (x[f] - m.mean[f]) / m.scale[f]
		}
	}
	return s
}

// learn fits a model to the trials.
func (p *pool) learn(trials []trial) *model {
	m := p.standard(trials)
	const rounds, rate, decay = 60, 0.5, 1e-3
	for range rounds {
		slope := make([]float64, len(m.weight))
		n := 0.0
		step := func(x []float64, yes, weight float64) {
			off := weight * (yes - 1/(1+math.Exp(-m.score(x))))
			for f := range slope {
				if m.scale[f] > 0 {
					slope[f] += off * (x[f] - m.mean[f]) / m.scale[f]
				}
			}
			n += weight
		}
		for _, t := range trials {
			step(t.truth, 1, 1)
			few := t.false[:min(5, len(t.false))]
			for _, x := range few {
				step(x, 0, 1/float64(len(few)))
			}
		}
		for f := range slope {
			m.weight[f] += rate * (slope[f]/n - decay*m.weight[f])
		}
	}
	return m
}

// standard returns a model without weights that knows each feature's mean and
// spread; a spread of zero for one that never varies.
func (p *pool) standard(trials []trial) *model {
	size := len(p.names)
	m := &model{make([]float64, size), make([]float64, size), make([]float64, size)}
	n := 0.0
	each := func(do func(f int, v float64)) {
		for _, t := range trials {
			for _, x := range append([][]float64{t.truth}, t.false[:min(5, len(t.false))]...) {
				for f, v := range x {
					do(f, v)
				}
			}
		}
	}
	each(func(f int, v float64) {
		m.mean[f] += v
		if f == 0 {
			n++
		}
	})
	for f := range m.mean {
		m.mean[f] /= n
	}
	each(func(f int, v float64) { m.scale[f] += (v - m.mean[f]) * (v - m.mean[f]) })
	for f := range m.scale {
		m.scale[f] = math.Sqrt(m.scale[f] / n)
	}
	return m
}

// A table is how high each person of one party, in a row, scored against each of
// the other's, in a column: the truth is on the diagonal.
type table [][]float64

// places makes of scores how many of a row each beats, of one, those on a level
// counted half; and how likely it comes first in a line-up from the row, those on a
// level drawn by lot.
func (t table) places() (auc, first table) {
	for _, row := range t {
		sorted := slices.Sorted(slices.Values(row))
		others := len(row) - 1
		line := min(lineup, len(row)) - 1
		x, y := make([]float64, len(row)), make([]float64, len(row))
		for j, score := range row {
			below, _ := slices.BinarySearch(sorted, score)
			above := len(row) - sort.Search(len(row), func(i int) bool { return sorted[i] > score })
			level := others - below - above
			x[j] = (float64(below) + float64(level)/2) / float64(others)
			// The mean of chosen(m, line) for m from below to below+level, of all.
			y[j] = (chosen(below+level+1, line+1) - chosen(below, line+1)) / float64((line+1)*(level+1)) / chosen(others, line)
		}
		auc, first = append(auc, x), append(first, y)
	}
	return auc, first
}

// chosen is in how many ways k of n can be chosen, times k!.
func chosen(n, k int) float64 {
	ways := 1.0
	for i := range k {
		ways *= float64(max(0, n-i))
	}
	return ways
}

// A Tally adds up how a strategy does.
type Tally struct {
	name, feature string
	people        int // in all folds: each but those that it learned from
	auc, first    [folds]sum
}

// A sum is of the places of the true matches, with what chance alone would do.
type sum struct{ n, places, chance, variance float64 }

func (y *Tally) add(fold int, t table) {
	if len(t) < 2 {
		return
	}
	auc, first := t.places()
	y.auc[fold].add(auc)
	y.first[fold].add(first)
	y.people += len(t)
}

// add adds the diagonal of a table. If any order of the columns is as good as any
// other, it is on average, and varies, as Hoeffding's combinatorial central limit
// theorem has it.
func (s *sum) add(t table) {
	n := float64(len(t))
	rows, columns, mean := make([]float64, len(t)), make([]float64, len(t)), 0.0
	for i := range t {
		for j, v := range t[i] {
			rows[i] += v / n
			columns[j] += v / n
			mean += v / n / n
		}
	}
	for i := range t {
		s.places += t[i][i]
		for j, v := range t[i] {
			s.variance += sq(v-rows[i]-columns[j]+mean) / (n - 1)
		}
	}
	s.n += n
	s.chance += n * mean
}

func (s *sum) join(other sum) {
	s.n, s.places, s.chance, s.variance = s.n+other.n, s.places+other.places, s.chance+other.chance, s.variance+other.variance
}

// Results joins the tallies of several pairs of parties, and reckons how well each
// strategy did. What chance does to one pair has nothing to do with what it does to
// another.
func Results(pairs ...[]Tally) []Result {
	all := make([]Result, len(pairs[0]))
	for i := range all {
		y := pairs[0][i]
		for _, pair := range pairs[1:] {
			for k := range folds {
				y.auc[k].join(pair[i].auc[k])
				y.first[k].join(pair[i].first[k])
			}
		}
		all[i] = y.result()
		all[i].Pairs = len(pairs)
	}
	return all
}

// result gives the means of the folds. What they are off by, by chance, is at most
// the mean of what each is.
func (y *Tally) result() Result {
	r := Result{Strategy: y.name, Feature: y.feature, People: y.people / (folds - 1)}
	for k := range folds {
		if n := y.auc[k].n * folds; n > 0 {
			r.AUC += y.auc[k].places / n
			r.Error += math.Sqrt(y.auc[k].variance) / n
			r.Top1 += y.first[k].places / n
			r.Top1Error += math.Sqrt(y.first[k].variance) / n
			r.Chance += y.first[k].chance / n
		}
	}
	return r
}

func sq(x float64) float64 { return x * x }
