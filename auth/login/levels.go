// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"net/url"
	"slices"
)

// Levels are the levels of assurance that are known, in ladders: each names those
// of one way to sign in, the lowest first. Levels of different ladders can't be
// compared: who asks for one of them lists, for each ladder, the least that is
// enough.
type Levels [][]string

// OwnLevels is the ladder of passkeys, and of the codes for who has lost hers.
func OwnLevels() []string { return []string{RecoveryLevel, PasskeyLevel} }

// Known reports whether a level is one of them.
func (l Levels) Known(level string) bool {
	return slices.ContainsFunc(l, func(ladder []string) bool { return slices.Contains(ladder, level) })
}

// Reach reports whether a level is one that is enough, or is above one on its
// ladder.
func (l Levels) Reach(level string, enough []string) bool {
	return slices.ContainsFunc(l, func(ladder []string) bool {
		at := slices.Index(ladder, level)
		return at >= 0 && slices.ContainsFunc(ladder[:at+1], func(below string) bool { return slices.Contains(enough, below) })
	})
}

// Again returns the address at which a person signs in again and comes back to
// next: at one of the levels that are enough; or anew, at any if none is named,
// though she has signed in. Until she has, the sign-in before is good: a link must
// not be able to end it.
func Again(next string, enough []string, anew bool) string {
	to := url.Values{"next": {next}, "level": enough}
	if anew {
		to.Set("anew", "1")
	}
	return Path + "?" + to.Encode()
}

// Reaches reports whether one can sign in by this eID at one of the levels.
func (e *EID) Reaches(levels []string) bool {
	return slices.ContainsFunc(levels, func(level string) bool { return slices.Contains(e.o.Profile.Levels, level) })
}

// Reaches reports whether a passkey is enough for one of the levels.
func (p *Passkeys) Reaches(levels []string) bool {
	return Levels{OwnLevels()}.Reach(PasskeyLevel, levels)
}

// Reaches reports whether the demo's eID is enough for one of the levels.
func (d *Demo) Reaches(levels []string) bool { return slices.Contains(levels, DemoLevel) }
