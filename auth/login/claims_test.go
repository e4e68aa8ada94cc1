// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzClaims: whatever the claims of an eID's ID token are, who is read out of them
// has a number of the form that its scheme has at this eID, a level that is enough
// and a sign-in that is fresh; or it is ErrNotIdentified, which repeats none of it.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"acr":"http://id.elegnamnden.se/loa/1.0/loa3","auth_time":1000,"https://id.oidc.se/claim/personalIdentityNumber":"199001012385"}`,
		`{"acr":"http://id.elegnamnden.se/loa/1.0/loa3","https://id.oidc.se/claim/coordinationNumber":"199001612385"}`,
		`{"acr":"http://id.elegnamnden.se/loa/1.0/loa4","https://id.oidc.se/claim/personalIdentityNumber":"199001012385","https://id.oidc.se/claim/previousCoordinationNumber":"199001612385"}`,
		`{"acr":"idporten-loa-high","pid":"57912075186"}`, `{"acr":["idporten-loa-high"],"pid":["57912075186"]}`,
		`{"acr":"high","sub":"somebody","auth_time":1e400}`, `{"acr":"high","sub":"some\u0000body","auth_time":-1e300}`, `{"sub":"` + strings.Repeat("x", 300) + `"}`, `null`,
	} {
		f.Add([]byte(seed), int64(1000))
	}
	profiles := []Profile{SwedishProfile(), NorwegianProfile(), GenericProfile("oidc:example", "low", "high")}
	f.Fuzz(func(t *testing.T, text []byte, begun int64) {
		var claims map[string]any
		if json.Unmarshal(text, &claims) != nil {
			return
		}
		for _, p := range profiles {
			enough := p.Levels[1:]
			id, err := p.read(claims, enough, begun)
			if err != nil {
				if !errors.Is(err, ErrNotIdentified) || strings.ContainsAny(err.Error(), "0123456789") {
					t.Errorf("%q: %v", text, err)
				}
				continue
			}
			if !slices.Contains(enough, id.level) || claims["acr"] != id.level {
				t.Errorf("%q: the level is %q", text, id.level)
			}
			if at, ok := claims["auth_time"].(float64); ok && at < float64(begun)-30 {
				t.Errorf("%q: an old sign-in is fresh", text)
			}
			of := func(id Identity, former bool) bool {
				return id.check() == nil && slices.ContainsFunc(p.Claims, func(c Claim) bool {
					return c.Former == former && c.Scheme == id.Scheme && claims[c.Name] == id.Number && (c.Form == nil || c.Form.MatchString(id.Number))
				})
			}
			if !of(id.now, false) || id.former != nil && (!of(*id.former, true) || *id.former == id.now) {
				t.Errorf("%q: somebody is read out of it", text)
			}
		}
	})
}
