// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
	"skrin/acl"
	"skrin/pod/store"
)

func TestRecordsAndRulesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := &record{
			modified: rapid.Int64().Draw(t, "modified"), size: rapid.Int64Min(0).Draw(t, "size"),
			media: rapid.String().Draw(t, "media"), digest: rapid.String().Draw(t, "digest"), body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		copy(rec.tag[:], rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "tag"))
		again, err := decodeRecord(rec.encode())
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
		if got, err := decodeRules("/p/c/", encodeRules(rules)); err != nil || got == nil || len(got)+len(rules) > 0 && !reflect.DeepEqual(got, rules) {
			t.Fatalf("%+v became %+v, %v", rules, got, err)
		}
	})
}

// TestDamagedRulesAreAnError: an ACL that can't be read is not an absent one.
func TestDamagedRulesAreAnError(t *testing.T) {
	whole := encodeRules([]acl.Grant{{To: acl.Public, Modes: acl.Read, Clients: []string{"https://app.example"}}})
	for n := range whole {
		if rules, err := decodeRules("/p/", whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are %+v", n, len(whole), rules)
		}
	}
	if _, err := decodeRules("/p/", append([]byte{store.Layout + 1}, whole[1:]...)); err == nil {
		t.Error("a newer layout was read")
	}
	if rules, err := decodeRules("/p/", nil); rules != nil || err != nil {
		t.Errorf("no document: %v, %v", rules, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&record{media: "text/turtle", body: []byte("x")}).encode())
	f.Add(encodeRules([]acl.Grant{{To: acl.Public, Clients: []string{"a"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeRecord(b)
		_, _ = decodeMember("/p/x", b)
		_, _ = decodeHome(b)
		_, _ = decodeRules("/p/", b)
	})
}
