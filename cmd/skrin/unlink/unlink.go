// SPDX-License-Identifier: EUPL-1.2

// Package unlink is an adversary: two parties that pool all they received, and
// try to find out which of their customers are the same person.
//
// The adversary is stronger than one in life. It is told the truth about half of
// the people and learns from them what to look at, and it is tried on the other
// half. Facts that a person released on purpose to both link the person, and no
// server can help that; so it is measured among people who released the same.
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
	Strategy   string
	AUC, Error float64 // how often the true match scored above a false one; half the 95 % confidence interval
	Top1       float64 // how often the true match came first of all that were compared
	Top1Error  float64
	Chance     float64 // of that
	Trials     int
	Feature    string // what was looked at, where it is one thing
}

// others is to how many false matches a true one is compared, at most.
const others = 30

// Match lets the adversary try all its strategies on two parties' dossiers, the
// i-th of which are of the same person. random chooses the false matches.
func Match(a, b []Dossier, random *rand.Rand) []Result {
	p := prepare(a, b)
	trials := p.trials(random)
	half := map[bool][]trial{}
	for _, t := range trials {
		half[t.who%2 == 0] = append(half[t.who%2 == 0], t)
	}
	exact, fuzzy, learned := tally{name: "exact"}, tally{name: "fuzzy"}, tally{name: "statistical"}
	for _, even := range []bool{true, false} {
		train, test := half[even], half[!even]
		best := p.bestSingle(train)
		weights := p.learn(train)
		for _, t := range test {
			exact.add(t, func(x []float64) float64 { return x[0] })
			fuzzy.add(t, func(x []float64) float64 { return x[best] })
			learned.add(t, weights.score)
		}
		fuzzy.feature = p.names[best]
	}
	return []Result{exact.result(), fuzzy.result(), learned.result()}
}

// A trial is one person of a, with the features of the true match, and of false
// ones.
type trial struct {
	who   int
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
	for f, tokens := range a.tokens {
		for token, w := range tokens {
			if _, ok := b.tokens[f][token]; ok {
				x[f] += w
			}
		}
	}
	for f, v := range a.numbers {
		if u, ok := b.numbers[f]; ok {
			x[f] = -math.Log1p(math.Abs(u - v))
		} else {
			x[f] = -50
		}
	}
	for f := range b.numbers {
		if _, ok := a.numbers[f]; !ok {
			x[f] = -50
		}
	}
	return x
}

func (p *pool) trials(random *rand.Rand) []trial {
	var all []trial
	for i := range p.a {
		class := p.class[p.a[i].released]
		t := trial{who: i, truth: p.features(p.a[i], p.b[i])}
		for _, k := range random.Perm(len(class)) {
			if j := class[k]; j != i && len(t.false) < others {
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
	best, auc := 0, 0.0
	for f := range p.names {
		var t tally
		for _, x := range trials {
			t.add(x, func(x []float64) float64 { return x[f] })
		}
		if r := t.result(); r.AUC > auc {
			best, auc = f, r.AUC
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

// A tally counts how a strategy does.
type tally struct {
	name, feature             string
	n                         int
	auc, squares, top, chance float64
}

func (y *tally) add(t trial, score func([]float64) float64) {
	mine := score(t.truth)
	below, equal := 0, 0
	for _, x := range t.false {
		switch cmp.Compare(score(x), mine) {
		case -1:
			below++
		case 0:
			equal++
		}
	}
	auc := (float64(below) + float64(equal)/2) / float64(len(t.false))
	y.n++
	y.auc += auc
	y.squares += auc * auc
	if below+equal == len(t.false) {
		y.top += 1 / float64(equal+1)
	}
	y.chance += 1 / float64(len(t.false)+1)
}

func (y *tally) result() Result {
	n := float64(max(y.n, 1))
	r := Result{Strategy: y.name, Feature: y.feature, Trials: y.n, AUC: y.auc / n, Top1: y.top / n, Chance: y.chance / n}
	r.Error = 1.96 * math.Sqrt(max(0, y.squares/n-r.AUC*r.AUC)/n)
	r.Top1Error = 1.96 * math.Sqrt(max(r.Top1*(1-r.Top1), r.Chance*(1-r.Chance))/n)
	return r
}

// Join joins the results of several pairs of parties: for each strategy the
// mean over the pairs. Its confidence is that of all trials, taken as
// independent.
func Join(pairs [][]Result) []Result {
	out := slices.Clone(pairs[0])
	for _, results := range pairs[1:] {
		for i, r := range results {
			total := float64(out[i].Trials + r.Trials)
			join := func(x *float64, y float64) {
				*x = (*x*float64(out[i].Trials) + y*float64(r.Trials)) / total
			}
			join(&out[i].AUC, r.AUC)
			join(&out[i].Top1, r.Top1)
			join(&out[i].Chance, r.Chance)
			out[i].Error = math.Sqrt(sq(out[i].Error*float64(out[i].Trials))+sq(r.Error*float64(r.Trials))) / total
			out[i].Top1Error = math.Sqrt(sq(out[i].Top1Error*float64(out[i].Trials))+sq(r.Top1Error*float64(r.Trials))) / total
			out[i].Trials += r.Trials
		}
	}
	return out
}

func sq(x float64) float64 { return x * x }
