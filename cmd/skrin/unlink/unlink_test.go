// SPDX-License-Identifier: EUPL-1.2

package unlink_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"skrin/cmd/skrin/unlink"
)

// TestMatch: the adversary finds what is there, in whatever form, and nothing
// where there is nothing.
func TestMatch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	noise := func() string { return fmt.Sprintf("tag-%016x size %d", random.Uint64(), random.IntN(100000)) }
	for _, row := range []struct {
		is       string
		channels func(i int) (string, string) // of one person, at both
		linked   bool
	}{
		{"nothing in common", func(int) (string, string) { return noise(), noise() }, false},
		{"the same for everybody", func(int) (string, string) { return "text/turtle", "text/turtle" }, false},
		{"one tag for both", func(i int) (string, string) { return fmt.Sprintf("tag-%d", i), fmt.Sprintf("tag-%d", i) }, true},
		{"a tag within other text", func(i int) (string, string) {
			return noise() + fmt.Sprintf(`; "x%dx"`, i), fmt.Sprintf("<x%dx> ", i) + noise()
		}, true},
		{"numbers near one another", func(i int) (string, string) { return fmt.Sprint(i * 1000), fmt.Sprint(i*1000 + 7) }, true},
		{"dates near one another", func(i int) (string, string) {
			at := func(s int) string {
				return fmt.Sprintf("Sat, 21 Nov 2026 %02d:%02d:%02d GMT", s/3600, s/60%60, s%60)
			}
			return at(i*300 + 1), at(i*300 + 2)
		}, true},
		{"ids of each party's own, which grow in one order", func(i int) (string, string) {
			return fmt.Sprintf("k%06xq%s", i*7, noise()), fmt.Sprintf("zz%07d/%s", i*i+99, noise())
		}, true},
		{"how often something is said", func(i int) (string, string) {
			return noise() + strings.Repeat("|"+noise(), i%40), noise() + strings.Repeat("|"+noise(), i%40)
		}, true},
	} {
		var a, b []unlink.Dossier
		for i := range 200 {
			x, y := row.channels(i)
			a = append(a, unlink.Dossier{Person: i, Got: map[string][]string{"c": strings.Split(x, "|")}})
			b = append(b, unlink.Dossier{Person: i, Got: map[string][]string{"c": strings.Split(y, "|")}})
		}
		best := 0.0
		for _, r := range unlink.Results(unlink.Match(a, b, random)) {
			best = max(best, r.AUC)
		}
		if row.linked != (best >= 0.9) || !row.linked && best > 0.6 {
			t.Errorf("%s: AUC %.3f", row.is, best)
		}
	}
	alike := []unlink.Dossier{{Person: 0, Released: "a", Got: map[string][]string{"c": {"1"}}}, {Person: 1, Released: "b", Got: map[string][]string{"c": {"2"}}}}
	if r := unlink.Results(unlink.Match(alike, alike, random)); r[0].People != 0 {
		t.Errorf("people who released different facts were compared: %+v", r)
	}
}

// TestChanceIsKnown: where nothing links, the results are off by what chance does,
// and by no more than the errors say, however few the people; and where a tenth are
// linked, that is seen.
func TestChanceIsKnown(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	run := func(people, linked int) (surest float64, results []unlink.Result) {
		var both [2][]unlink.Dossier
		for i := range people {
			released := fmt.Sprint(random.IntN(4), random.IntN(4) > 0, random.IntN(2))
			for k := range both {
				got := map[string][]string{}
				for c := range 12 {
					got[fmt.Sprint("c", c)] = []string{fmt.Sprintf("%x %d", random.Uint64(), random.IntN(1000))}
				}
				if i < linked {
					got["c0"] = append(got["c0"], fmt.Sprintf("person-%d", i))
				}
				both[k] = append(both[k], unlink.Dossier{Person: i, Released: released, Got: got})
			}
		}
		results = unlink.Results(unlink.Match(both[0], both[1], random))
		for _, r := range results {
			if r.Error > 0 {
				surest = max(surest, (r.AUC-0.5)/r.Error, (r.Top1-r.Chance)/r.Top1Error)
			}
		}
		return surest, results
	}
	var sum float64
	const runs = 40
	for range runs {
		surest, results := run(60, 0)
		if surest > 4.5 {
			t.Errorf("nothing links, and yet %.1f errors above chance: %+v", surest, results)
		}
		sum += results[1].AUC
	}
	if mean := sum / runs; mean < 0.48 || mean > 0.52 {
		t.Errorf("where nothing links, the mean AUC is %.3f", mean)
	}
	if surest, results := run(400, 40); surest < 4.5 {
		t.Errorf("one in ten is linked, and that is only %.1f errors above chance: %+v", surest, results)
	}
}
