// SPDX-License-Identifier: EUPL-1.2

package login_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"skrin/auth/login"
)

// From the published series of test numbers; the coordination number has the
// same day of birth, of which nobody is alive.
const (
	numberA = "189001019802"
	numberB = "189001029819"
	coordA  = "189001619806"
	pnr     = "se:personnummer"
	snr     = "se:samordningsnummer"
)

var day = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newVault(t *testing.T, m *memory, key byte, now *time.Time) *login.Vault {
	t.Helper()
	v, err := login.NewVault(login.VaultOptions{
		Records: m, Key: bytes.Repeat([]byte{key}, 32), Rand: rand.Reader,
		Now: func() time.Time { return *now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVault(t *testing.T) {
	ctx, now, m := t.Context(), day, newMemory()
	v := newVault(t, m, 1, &now)

	alva, err := v.Person(ctx, snr, coordA)
	if err != nil || !regexp.MustCompile(`^[a-z2-7]{26}$`).MatchString(alva) {
		t.Fatalf("Person = %q, %v; want 26 letters of base32", alva, err)
	}
	if again, err := v.Person(ctx, snr, coordA); again != alva || err != nil {
		t.Errorf("the same number names %q, %v; then %q", alva, err, again)
	}
	nils, err := v.Person(ctx, pnr, numberB)
	if err != nil || nils == alva {
		t.Errorf("another number names %q, %v", nils, err)
	}
	if other, _ := v.Person(ctx, "no:fodselsnummer", coordA); other == alva {
		t.Error("the same digits of another scheme name the same person")
	}

	t.Run("a new number leads to the same person", func(t *testing.T) {
		if err := v.Add(ctx, alva, login.Identity{Scheme: pnr, Number: numberA, From: now}); err != nil {
			t.Fatal(err)
		}
		if p, err := v.Person(ctx, pnr, numberA); p != alva || err != nil {
			t.Errorf("Person = %q, %v; want %q", p, err, alva)
		}
		if p, err := v.Person(ctx, snr, coordA); p != alva || err != nil {
			t.Errorf("the old number names %q, %v; want %q", p, err, alva)
		}
		for scheme, want := range map[string]string{pnr: numberA, snr: coordA} {
			if got, err := v.Number(ctx, alva, scheme); got != want || err != nil {
				t.Errorf("Number(%s) = %q, %v; want %q", scheme, got, err, want)
			}
		}
	})
	t.Run("an ended number signs nobody in and is told to nobody", func(t *testing.T) {
		if err := v.Add(ctx, alva, login.Identity{Scheme: snr, Number: coordA, Until: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
		if _, err := v.Person(ctx, snr, coordA); !errors.Is(err, login.ErrEnded) {
			t.Errorf("Person = %v; want ErrEnded", err)
		}
		if _, err := v.Number(ctx, alva, snr); !errors.Is(err, login.ErrNoIdentity) {
			t.Errorf("Number = %v; want ErrNoIdentity", err)
		}
		if p, err := v.Person(ctx, pnr, numberA); p != alva || err != nil {
			t.Errorf("the new number names %q, %v; want %q", p, err, alva)
		}
	})
	t.Run("of two numbers the newer is told", func(t *testing.T) {
		if err := v.Add(ctx, alva, login.Identity{Scheme: pnr, Number: "189001039800", From: now}); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Number(ctx, alva, pnr); got != "189001039800" || err != nil {
			t.Errorf("Number = %q, %v", got, err)
		}
	})
	t.Run("another's number is not given away", func(t *testing.T) {
		if err := v.Add(ctx, alva, login.Identity{Scheme: pnr, Number: numberB}); !errors.Is(err, login.ErrTaken) {
			t.Errorf("Add = %v; want ErrTaken", err)
		}
		if p, err := v.Person(ctx, pnr, numberB); p != nils || err != nil {
			t.Errorf("Person = %q, %v; want %q", p, err, nils)
		}
	})
	t.Run("nobody gets an identity who isn't there", func(t *testing.T) {
		if err := v.Add(ctx, strings.Repeat("a", 26), login.Identity{Scheme: pnr, Number: "189001049817"}); !errors.Is(err, login.ErrNoIdentity) {
			t.Errorf("Add = %v; want ErrNoIdentity", err)
		}
	})
	t.Run("no number is stored in clear", func(t *testing.T) {
		for _, n := range []string{numberA, numberB, coordA} {
			if m.holds(n) {
				t.Errorf("%s stands in the records", n)
			}
		}
	})
	t.Run("another key opens nothing and finds nobody", func(t *testing.T) {
		thief := newVault(t, m, 2, &now)
		if n, err := thief.Number(ctx, alva, pnr); err == nil {
			t.Errorf("Number = %q", n)
		} else if strings.Contains(err.Error(), alva) {
			t.Errorf("the error names the person: %v", err)
		}
	})
}

// A number that was sealed for one person doesn't open as another's, though
// somebody who can write to the records moves it.
func TestVaultBindsNumberToPerson(t *testing.T) {
	ctx, now, m := t.Context(), day, newMemory()
	v := newVault(t, m, 1, &now)
	alva, _ := v.Person(ctx, pnr, numberA)
	nils, _ := v.Person(ctx, pnr, numberB)
	m.recs["person\x00"+nils] = m.recs["person\x00"+alva]
	if n, err := v.Number(ctx, nils, pnr); err == nil {
		t.Errorf("Number = %q: another person's record was opened", n)
	}
}

// The look-up is written before the person's record: whoever is cut off between
// them is found, and whole, the next time.
func TestVaultMendsHalfDone(t *testing.T) {
	ctx, now, m := t.Context(), day, newMemory()
	v := newVault(t, m, 1, &now)
	alva, _ := v.Person(ctx, pnr, numberA)
	delete(m.recs, "person\x00"+alva)
	if p, err := v.Person(ctx, pnr, numberA); p != alva || err != nil {
		t.Fatalf("Person = %q, %v; want %q", p, err, alva)
	}
	if n, err := v.Number(ctx, alva, pnr); n != numberA || err != nil {
		t.Errorf("Number = %q, %v", n, err)
	}
}

func TestVaultRace(t *testing.T) {
	ctx, now, m := t.Context(), day, newMemory()
	v := newVault(t, m, 1, &now)
	var wg sync.WaitGroup
	got := make([]string, 20)
	for i := range got {
		wg.Go(func() {
			p, err := v.Person(ctx, pnr, numberA)
			if err != nil {
				t.Error(err)
			}
			got[i] = p
		})
	}
	wg.Wait()
	for _, p := range got {
		if p != got[0] {
			t.Fatalf("one number made two persons: %s and %s", got[0], p)
		}
	}
}

func TestVaultRefuses(t *testing.T) {
	ctx, now := t.Context(), day
	v := newVault(t, newMemory(), 1, &now)
	for what, id := range map[string]login.Identity{
		"no scheme":               {Number: numberA},
		"a scheme without colon":  {Scheme: "se", Number: numberA},
		"a scheme with NUL":       {Scheme: "se:\x00", Number: numberA},
		"no number":               {Scheme: pnr},
		"a number with a space":   {Scheme: pnr, Number: "18900101 9802"},
		"a number without an end": {Scheme: pnr, Number: strings.Repeat("1", 257)},
	} {
		if _, err := v.Person(ctx, id.Scheme, id.Number); !errors.Is(err, login.ErrMalformed) {
			t.Errorf("%s: Person = %v; want ErrMalformed", what, err)
		}
	}
	alva, _ := v.Person(ctx, pnr, numberA)
	backwards := login.Identity{Scheme: pnr, Number: numberA, From: day, Until: day.Add(-time.Hour)}
	if err := v.Add(ctx, alva, backwards); !errors.Is(err, login.ErrMalformed) {
		t.Errorf("an end before the beginning: Add = %v; want ErrMalformed", err)
	}
	if _, err := login.NewVault(login.VaultOptions{Records: newMemory(), Key: []byte("short"), Now: time.Now, Rand: rand.Reader}); err == nil {
		t.Error("NewVault takes a short key")
	}
}
