// SPDX-License-Identifier: EUPL-1.2

package credential

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A StatusValue is what a status list says of one credential
// (draft-ietf-oauth-status-list, section 7.1).
type StatusValue byte

// The status values that we know. Any other is to be taken for Invalid.
const (
	Valid     StatusValue = 0
	Invalid   StatusValue = 1 // revoked, for good
	Suspended StatusValue = 2 // for a while
)

// TypeStatusList is the media type of a status list token.
const TypeStatusList = "application/statuslist+jwt"

// MinStatusList is how many credentials a list must have room for. In a shorter
// one a place would tell too much of who it is.
const MinStatusList = 1 << 17

const (
	statusListType = "statuslist+jwt"
	maxStatusList  = 2 << 20 // bytes of a list: 16 million credentials of one bit
	maxStatusToken = 3 << 20 // bytes of its token
)

// A StatusList tells of many credentials which are revoked. It is fetched whole,
// so that nobody learns which one was looked up.
type StatusList struct {
	URI     string        // sub: its own address, which credentials refer to
	Issued  time.Time     // iat
	Expires time.Time     // exp; zero if it does not say
	TTL     time.Duration // how long to wait before fetching it again; zero if it does not say

	bits int // of one credential: 1, 2, 4 or 8
	list []byte
}

// NewStatusList returns a list of two bits for each of size credentials, a multiple
// of four of at least MinStatusList, all valid. Credentials are to be given random
// places in it.
func NewStatusList(uri string, size int) *StatusList {
	return &StatusList{URI: uri, bits: 2, list: make([]byte, max(size, MinStatusList)/4)}
}

// Len returns for how many credentials the list has room.
func (l *StatusList) Len() int { return len(l.list) * 8 / l.bits }

// At returns the status at an index; Invalid for one that is not in the list.
func (l *StatusList) At(index int) StatusValue {
	if index < 0 || index >= l.Len() {
		return Invalid
	}
	per := 8 / l.bits
	return StatusValue(l.list[index/per] >> (index % per * l.bits) & (1<<l.bits - 1))
}

// Set changes the status at an index, which must be in the list, to a value of at
// most two bits.
func (l *StatusList) Set(index int, v StatusValue) {
	per := 8 / l.bits
	shift := index % per * l.bits
	mask := byte(1<<l.bits-1) << shift
	l.list[index/per] = l.list[index/per]&^mask | byte(v)<<shift&mask
}

// Equal reports whether two lists say the same.
func (l *StatusList) Equal(m *StatusList) bool {
	return l.bits == m.bits && bytes.Equal(l.list, m.list)
}

// Changed returns the indexes at which a list says something else than the one before
// it, in order; nil for a list in which all was valid.
func (l *StatusList) Changed(before *StatusList) (all []int) {
	if before == nil {
		before = &StatusList{bits: l.bits, list: make([]byte, len(l.list))}
	}
	alike := l.bits == before.bits
	per := 8 / l.bits
	for i, end := 0, max(l.Len(), before.Len()); i < end; i++ {
		if at := i / per; alike && i%per == 0 && at < min(len(l.list), len(before.list)) && l.list[at] == before.list[at] {
			i += per - 1 // of most lists most bytes are as they were
			continue
		}
		if l.At(i) != before.At(i) {
			all = append(all, i)
		}
	}
	return all
}

type statusClaims struct {
	Subject string  `json:"sub"`
	Issued  int64   `json:"iat"`
	Expires int64   `json:"exp,omitempty"`
	TTL     float64 `json:"ttl,omitempty"`
	List    struct {
		Bits int    `json:"bits"`
		List string `json:"lst"`
	} `json:"status_list"`
}

// Sign returns the list as a token, signed with the issuer's private key (as for
// Issue).
func (l *StatusList) Sign(key jose.JSONWebKey) (string, error) {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(l.list); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	c := statusClaims{Subject: l.URI, Issued: l.Issued.Unix(), TTL: l.TTL.Seconds()}
	if !l.Expires.IsZero() {
		c.Expires = l.Expires.Unix()
	}
	c.List.Bits, c.List.List = l.bits, base64.RawURLEncoding.EncodeToString(packed.Bytes())
	token, err := sign(key, statusListType, c)
	if err != nil {
		return "", fmt.Errorf("sign a status list: %w", err)
	}
	return token, nil
}

// ReadStatusList verifies a status list token that came from uri: its signature by
// the issuer, that it is the list of that address and in force now, and its form
// and limits (3 MB, and 2 MB unpacked). Errors about the token are an Error.
func ReadStatusList(token, uri, issuer string, keys Keys, now time.Time) (*StatusList, error) {
	if len(token) > maxStatusToken {
		return nil, Error("the status list is larger than 3 MB")
	}
	signed, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, Error("the status list is not a JWT signed with ES256, ES384 or EdDSA")
	}
	if err := checkHeader(signed, statusListType); err != nil {
		return nil, err
	}
	key, err := keys(issuer, signed.Signatures[0].Protected.KeyID)
	if err != nil {
		return nil, fmt.Errorf("the issuer's key: %w", err)
	}
	if err := verify(signed, key); err != nil {
		return nil, Error("the signature of the status list is not the issuer's")
	}
	var c statusClaims
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &c) != nil {
		return nil, Error("the claims of the status list are not of the right form")
	}
	return c.read(uri, now)
}

func (c *statusClaims) read(uri string, now time.Time) (*StatusList, error) {
	const most = 1 << 40
	l := &StatusList{URI: c.Subject, Issued: time.Unix(c.Issued, 0).UTC(), bits: c.List.Bits}
	if c.Expires != 0 {
		l.Expires = time.Unix(min(c.Expires, most), 0).UTC()
	}
	l.TTL = time.Duration(min(max(c.TTL, 0), 1<<30)) * time.Second
	switch {
	case c.Subject != uri || uri == "":
		return nil, Error("sub of the status list is not its address")
	case c.Issued < 1 || c.Issued > most || l.Issued.After(now.Add(Skew)):
		return nil, Error("the status list is from the future, or does not say when it was issued")
	case c.Expires != 0 && !now.Before(l.Expires):
		return nil, Error("the status list has expired")
	case l.bits != 1 && l.bits != 2 && l.bits != 4 && l.bits != 8:
		return nil, Error("bits of the status list is not 1, 2, 4 or 8")
	}
	var err error
	if l.list, err = unpack(c.List.List); err != nil {
		return nil, err
	}
	if l.Len() < MinStatusList {
		return nil, Error("the status list has room for fewer than 131072 credentials, so that a place in it tells too much")
	}
	return l, nil
}

// unpack inflates a list, up to a limit.
func unpack(text string) ([]byte, error) {
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, Error("lst of the status list is not base64url")
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, Error("lst of the status list is not compressed with zlib")
	}
	list, err := io.ReadAll(io.LimitReader(z, maxStatusList+1))
	if len(list) > maxStatusList {
		return nil, Error("the status list is larger than 2 MB")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, Error("lst of the status list is not whole")
	}
	return list, nil
}
