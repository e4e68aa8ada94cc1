// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTheStatusListsOfTheSpecification are the examples of
// draft-ietf-oauth-status-list, sections 4.1 and 4.2.
func TestTheStatusListsOfTheSpecification(t *testing.T) {
	for _, row := range []struct {
		bits int
		text string
		want []StatusValue
	}{
		{1, "eNrbuRgAAhcBXQ", []StatusValue{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}},
		{2, "eNo76fITAAPfAgc", []StatusValue{1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3}},
	} {
		list, err := unpack(row.text)
		if err != nil {
			t.Fatal(err)
		}
		l := StatusList{bits: row.bits, list: list}
		if l.Len() != len(row.want) {
			t.Errorf("%d bits: room for %d", row.bits, l.Len())
		}
		for i, want := range row.want {
			if got := l.At(i); got != want {
				t.Errorf("%d bits: %d at %d, want %d", row.bits, got, i, want)
			}
		}
		if l.At(-1) != Invalid || l.At(l.Len()) != Invalid {
			t.Error("what isn't in the list is valid")
		}
	}
}

const listURI = "https://af.example.se/status/1"

func signList(t testing.TB, edit func(*StatusList)) (string, Keys) {
	t.Helper()
	key := newKey(t, "af-1")
	l := NewStatusList(listURI, 0)
	l.Issued, l.TTL = noon, time.Hour
	if edit != nil {
		edit(l)
	}
	token, err := l.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return token, only("https://af.example.se", key)
}

func TestAStatusListGoesFromIssuerToReader(t *testing.T) {
	want := map[int]StatusValue{}
	token, keys := signList(t, func(l *StatusList) {
		for range 1000 {
			i, v := rand.IntN(l.Len()), StatusValue(1+rand.IntN(2))
			l.Set(i, 3)
			l.Set(i, v)
			want[i] = v
		}
	})
	l, err := ReadStatusList(token, listURI, "https://af.example.se", keys, noon)
	if err != nil {
		t.Fatal(err)
	}
	if l.Len() != MinStatusList || l.TTL != time.Hour || !l.Issued.Equal(noon) || !l.Expires.IsZero() {
		t.Errorf("read %d places, %s, %s, %s", l.Len(), l.TTL, l.Issued, l.Expires)
	}
	for i := range l.Len() {
		if l.At(i) != want[i] {
			t.Fatalf("%d at %d, want %d", l.At(i), i, want[i])
		}
	}
}

func TestStatusListsThatAreRefused(t *testing.T) {
	good, keys := signList(t, nil)
	_, others := signList(t, nil)
	short, shortKeys := signList(t, func(l *StatusList) { l.list = l.list[:100] })
	expired, expiredKeys := signList(t, func(l *StatusList) { l.Expires = noon })
	future, futureKeys := signList(t, func(l *StatusList) { l.Issued = noon.Add(time.Hour) })
	large, largeKeys := signList(t, func(l *StatusList) { l.list = make([]byte, maxStatusList+1) })
	key := newKey(t, "k")
	token := func(typ string, claims any) string {
		text, err := sign(key, "statuslist+jwt", claims)
		if typ != "statuslist+jwt" {
			text, err = sign(key, credentialType, claims)
		}
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	claims := func(bits int, lst string) map[string]any {
		return map[string]any{"sub": listURI, "iat": noon.Unix(), "status_list": map[string]any{"bits": bits, "lst": lst}}
	}
	mine := only("https://af.example.se", key)
	for _, row := range []struct {
		is, token string
		keys      Keys
		says      string
	}{
		{"signed by another", good, others, "signature"},
		{"too short", short, shortKeys, "131072"},
		{"expired", expired, expiredKeys, "expired"},
		{"from the future", future, futureKeys, "future"},
		{"larger than the limit when unpacked", large, largeKeys, "2 MB"},
		{"no token", "x", keys, "not a JWT"},
		{"larger than the limit", strings.Repeat("x", maxStatusToken+1), keys, "3 MB"},
		{"of another type", token("other", claims(1, "eNrbuRgAAhcBXQ")), mine, "typ"},
		{"of three bits", token("statuslist+jwt", claims(3, "eNrbuRgAAhcBXQ")), mine, "bits"},
		{"not base64url", token("statuslist+jwt", claims(1, "%")), mine, "base64url"},
		{"not zlib", token("statuslist+jwt", claims(1, "AAAA")), mine, "zlib"},
		{"cut off", token("statuslist+jwt", claims(1, "eNrbuRg")), mine, "whole"},
		{"without a list", token("statuslist+jwt", map[string]any{"sub": listURI, "iat": noon.Unix()}), mine, "bits"},
	} {
		_, err := ReadStatusList(row.token, listURI, "https://af.example.se", row.keys, noon)
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want it to say %q", row.is, err, row.says)
		}
	}
	if _, err := ReadStatusList(good, listURI+"2", "https://af.example.se", keys, noon); err == nil {
		t.Error("the list of another address is taken")
	}
}

func FuzzReadStatusList(f *testing.F) {
	f.Add(1, "eNrbuRgAAhcBXQ", int64(0), 0.0)
	f.Add(2, "eNo76fITAAPfAgc", noon.Unix()+1, 3600.0)
	f.Fuzz(func(t *testing.T, bits int, lst string, expires int64, ttl float64) {
		c := statusClaims{Subject: listURI, Issued: noon.Unix(), Expires: expires, TTL: ttl}
		c.List.Bits, c.List.List = bits, lst
		l, err := c.read(listURI, noon)
		if err != nil {
			return
		}
		if l.Len() < MinStatusList || l.TTL < 0 || len(l.list) > maxStatusList {
			t.Errorf("read %d places, ttl %s", l.Len(), l.TTL)
		}
		for _, i := range []int{-1, 0, l.Len() - 1, l.Len()} {
			if v := l.At(i); int(v) >= 1<<bits {
				t.Errorf("%d at %d", v, i)
			}
		}
	})
}

// TestChanged: what a list says anew is found at each place, and nothing else.
func TestChanged(t *testing.T) {
	list := func(bits int, bytes ...byte) *StatusList { return &StatusList{bits: bits, list: bytes} }
	for _, row := range []struct {
		is          string
		now, before *StatusList
		want        []int
	}{
		{"the first, of two bits", list(2, 0, 0b01_00_10_00, 0), nil, []int{5, 7}},
		{"the same", list(1, 0, 7, 0), list(1, 0, 7, 0), nil},
		{"one more, one less", list(1, 0b1, 0b110), list(1, 0b1, 0b011), []int{8, 10}},
		{"of other places", list(2, 0b01_00_00_01), list(1, 0b1000_1000), []int{0, 4, 5, 6}},
		{"it has grown", list(1, 1, 0b10), list(1, 1), []int{8, 10, 11, 12, 13, 14, 15}},
		{"it has shrunk", list(1, 1), list(1, 1, 0b10), []int{8, 10, 11, 12, 13, 14, 15}},
	} {
		if got := row.now.Changed(row.before); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.is, got, row.want)
		}
	}
}
