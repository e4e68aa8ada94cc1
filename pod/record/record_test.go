// SPDX-License-Identifier: EUPL-1.2

package record

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
	"skrin/acl"
	"skrin/pod/store"
)

func TestRecordsAndRulesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := &State{
			Modified: rapid.Int64().Draw(t, "modified"), Size: rapid.Int64Min(0).Draw(t, "size"),
			Media: rapid.String().Draw(t, "media"), Digest: rapid.String().Draw(t, "digest"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		copy(rec.Tag[:], rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "tag"))
		again, err := DecodeState(rec.Encode())
		if err != nil || !reflect.DeepEqual(again, rec) {
			t.Fatalf("%+v became %+v, %v", rec, again, err)
		}
		lists := rapid.SampledFrom([][]string{nil, {}, {""}, {"a", "b"}})
		rules := rapid.SliceOf(rapid.Custom(func(t *rapid.T) acl.Grant {
			return acl.Grant{
				To: acl.WebID(rapid.String().Draw(t, "to")), Group: rapid.String().Draw(t, "group"), On: "/p/c/", Because: "/p/c/.acl",
				Inherit: rapid.Bool().Draw(t, "inherit"), Modes: acl.Mode(rapid.Byte().Draw(t, "modes")),
				Clients: lists.Draw(t, "clients"), Issuers: lists.Draw(t, "issuers"), Origins: lists.Draw(t, "origins"),
			}
		})).Draw(t, "rules")
		if got, err := DecodeRules("/p/c/", EncodeRules(rules)); err != nil || got == nil || len(got)+len(rules) > 0 && !reflect.DeepEqual(got, rules) {
			t.Fatalf("%+v became %+v, %v", rules, got, err)
		}
	})
}

// TestDamagedRulesAreAnError: an ACL that can't be read is not an absent one.
func TestDamagedRulesAreAnError(t *testing.T) {
	whole := EncodeRules([]acl.Grant{{To: acl.Public, Modes: acl.Read, Clients: []string{"https://app.example"}}})
	for n := range whole {
		if rules, err := DecodeRules("/p/", whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are %+v", n, len(whole), rules)
		}
	}
	if _, err := DecodeRules("/p/", append([]byte{store.Layout + 1}, whole[1:]...)); err == nil {
		t.Error("a newer layout was read")
	}
	if rules, err := DecodeRules("/p/", nil); rules != nil || err != nil {
		t.Errorf("no document: %v, %v", rules, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&State{Media: "text/turtle", Body: []byte("x")}).Encode())
	f.Add(EncodeRules([]acl.Grant{{To: acl.Public, Clients: []string{"a"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = DecodeState(b)
		_, _ = DecodeMember("/p/x", b)
		_, _ = DecodeHome(b)
		_, _ = DecodeRules("/p/", b)
	})
}
