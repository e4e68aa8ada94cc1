// SPDX-License-Identifier: EUPL-1.2

package login

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"skrin/auth"
)

// What a [Vault] answers when it can't do what was asked. None of them, nor any
// error that wraps them, holds a number.
var (
	ErrNoIdentity = errors.New("no such identity")
	ErrTaken      = errors.New("the identity is another person's")
	ErrEnded      = errors.New("the identity is no longer valid")
	ErrMalformed  = errors.New("the identity is malformed")
)

// The kinds of record that a Vault keeps.
const (
	kindPerson = "person"   // by person: the identities, numbers encrypted
	kindLookup = "identity" // by HMAC of scheme and number: the person
)

// Limits of a Vault.
const (
	maxIdentities = 32 // per person
	maxTries      = 8  // of an update that others disturb
)

// An Identity is what an outside authority calls a person, for a time.
type Identity struct {
	Scheme string    // who numbers, and how: "se:personnummer", "no:fodselsnummer"
	Number string    // the canonical form of the scheme, without separators
	From   time.Time // valid from; zero for always
	Until  time.Time // valid until; zero for no end
}

func (id Identity) validAt(t time.Time) bool {
	return !t.Before(id.From) && (id.Until.IsZero() || t.Before(id.Until))
}

// VaultOptions is what a Vault needs. All fields are required.
type VaultOptions struct {
	Records auth.Records
	Key     []byte // secret, 32 bytes; whoever loses it loses every number, and cannot find anybody any more
	Now     func() time.Time
	Rand    io.Reader // crypto/rand.Reader
}

// A Vault maps external identities to persons, and keeps them apart from
// everything else that is known of a person. A person is a random id; the
// identities can grow and change, and a change never loses the person. Numbers
// are encrypted with AES-256-GCM (person and scheme are the additional data),
// and found by an HMAC-SHA-256, both under keys derived from one (RFC 5869). A
// number leaves only through [Vault.Number]. It is safe for concurrent use.
type Vault struct {
	records auth.Records
	seal    cipher.AEAD
	lookup  []byte
	now     func() time.Time
	rand    io.Reader
}

// NewVault makes a Vault.
func NewVault(o VaultOptions) (*Vault, error) {
	if o.Records == nil || o.Now == nil || o.Rand == nil || len(o.Key) != 32 {
		return nil, errors.New("identity vault: Records, Now, Rand and a Key of 32 bytes are all needed")
	}
	sealing, err := hkdf.Key(sha256.New, o.Key, nil, "skrin identity vault: numbers, AES-256-GCM, 1", 32)
	if err != nil {
		return nil, fmt.Errorf("identity vault: %w", err)
	}
	lookup, err := hkdf.Key(sha256.New, o.Key, nil, "skrin identity vault: look-up, HMAC-SHA-256, 1", 32)
	if err != nil {
		return nil, fmt.Errorf("identity vault: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, fmt.Errorf("identity vault: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("identity vault: %w", err)
	}
	return &Vault{records: o.Records, seal: seal, lookup: lookup, now: o.Now, rand: o.Rand}, nil
}

// A sealed identity is how one is stored.
type sealed struct {
	Scheme string    `json:"scheme"`
	Find   string    `json:"find"`   // the key of its look-up record
	Number []byte    `json:"number"` // nonce and ciphertext
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
}

// Person returns the person whom the identity names, and makes one the first
// time that it is seen. Of several concurrent first times all get one and the
// same person. ErrEnded if the identity was the person's, and is not any more.
func (v *Vault) Person(ctx context.Context, scheme, number string) (string, error) {
	id := Identity{Scheme: scheme, Number: number}
	if err := id.check(); err != nil {
		return "", err
	}
	person, err := v.claim(ctx, id, "")
	if err != nil {
		return "", fmt.Errorf("find a person: %w", err)
	}
	known, err := v.note(ctx, person, id, false)
	if err != nil {
		return "", fmt.Errorf("find a person: %w", err)
	}
	if !known.validAt(v.now()) {
		return "", ErrEnded
	}
	return person, nil
}

// Add gives the person one more identity, or changes the validity of one that
// the person has: to replace a number, add the new one and then add the old one
// with its end. ErrTaken if it is another person's; then nothing has changed.
func (v *Vault) Add(ctx context.Context, person string, id Identity) error {
	if err := id.check(); err != nil {
		return err
	}
	if _, err := v.load(ctx, person); err != nil {
		return fmt.Errorf("add an identity: %w", err)
	}
	owner, err := v.claim(ctx, id, person)
	if err != nil {
		return fmt.Errorf("add an identity: %w", err)
	}
	if owner != person {
		return ErrTaken
	}
	if _, err := v.note(ctx, person, id, true); err != nil {
		return fmt.Errorf("add an identity: %w", err)
	}
	return nil
}

// Replace notes that who had the number former has the number now instead, as an
// eID says of one who got a personal number after a coordination number: the
// same person is found by the new one from now on. It returns who that is; "" if
// nothing changes, since nobody here has former any more, or somebody else has now.
func (v *Vault) Replace(ctx context.Context, former, now Identity) (person string, err error) {
	if err := errors.Join(former.check(), now.check()); err != nil {
		return "", ErrMalformed
	}
	found, err := v.records.Load(ctx, kindLookup, v.find(former.Scheme, former.Number))
	if errors.Is(err, auth.ErrNoRecord) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("replace a number: %w", err)
	}
	person = string(found.Value)
	known, err := v.note(ctx, person, former, false)
	if err != nil || !known.validAt(v.now()) {
		return "", err
	}
	if err := v.Add(ctx, person, now); errors.Is(err, ErrTaken) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	former.From, former.Until = known.From, v.now()
	if _, err := v.note(ctx, person, former, true); err != nil {
		return "", fmt.Errorf("replace a number: %w", err)
	}
	return person, nil
}

// Number returns the person's number in the scheme: the one that is valid now
// and, of several, began last. ErrNoIdentity if there is none.
func (v *Vault) Number(ctx context.Context, person, scheme string) (string, error) {
	rec, err := v.load(ctx, person)
	if err != nil {
		return "", fmt.Errorf("number of a person: %w", err)
	}
	var best *sealed
	for _, s := range rec.list {
		if s.Scheme == scheme && s.identity().validAt(v.now()) && (best == nil || s.From.After(best.From)) {
			best = &s
		}
	}
	if best == nil {
		return "", ErrNoIdentity
	}
	return v.open(person, *best)
}

// claim makes sure that the look-up record of the identity exists, and returns
// the person that it names: person, or a new one if that is "", unless somebody
// had it before. The look-up comes first and the person's own record second, so
// that a crash between them leaves nobody who can't be found; note mends it.
func (v *Vault) claim(ctx context.Context, id Identity, person string) (string, error) {
	key := v.find(id.Scheme, id.Number)
	for range maxTries {
		rec, err := v.records.Load(ctx, kindLookup, key)
		if err == nil {
			return string(rec.Value), nil
		}
		if !errors.Is(err, auth.ErrNoRecord) {
			return "", err
		}
		if person == "" {
			if person, err = v.newPerson(); err != nil {
				return "", err
			}
		}
		err = v.records.Save(ctx, kindLookup, key, auth.Record{Value: []byte(person)})
		if err == nil {
			return person, nil
		}
		if !errors.Is(err, auth.ErrChanged) {
			return "", err
		}
	}
	return "", auth.ErrChanged
}

// note makes sure that the person's record holds the identity, and returns it
// as it stands there. The validity of one that is there is changed if change is
// set.
func (v *Vault) note(ctx context.Context, person string, id Identity, change bool) (Identity, error) {
	for range maxTries {
		rec, err := v.load(ctx, person)
		if err != nil && !errors.Is(err, ErrNoIdentity) {
			return Identity{}, err
		}
		find := v.find(id.Scheme, id.Number)
		i := slices.IndexFunc(rec.list, func(s sealed) bool { return s.Find == find })
		switch {
		case i >= 0 && !change:
			return rec.list[i].identity(), nil
		case i >= 0:
			rec.list[i].From, rec.list[i].Until = id.From, id.Until
		case len(rec.list) >= maxIdentities:
			return Identity{}, errors.New("the person has too many identities")
		default:
			number, err := v.close(person, id)
			if err != nil {
				return Identity{}, err
			}
			rec.list = append(rec.list, sealed{Scheme: id.Scheme, Find: find, Number: number, From: id.From, Until: id.Until})
		}
		if err := v.save(ctx, person, rec); !errors.Is(err, auth.ErrChanged) {
			return id, err
		}
	}
	return Identity{}, auth.ErrChanged
}

// A personRecord is what the vault has on one person.
type personRecord struct {
	list    []sealed
	version uint64
}

// load returns ErrNoIdentity for a person who has none.
func (v *Vault) load(ctx context.Context, person string) (personRecord, error) {
	rec, err := v.records.Load(ctx, kindPerson, person)
	if errors.Is(err, auth.ErrNoRecord) {
		return personRecord{}, ErrNoIdentity
	}
	if err != nil {
		return personRecord{}, err
	}
	out := personRecord{version: rec.Version}
	if err := json.Unmarshal(rec.Value, &out.list); err != nil {
		return personRecord{}, errors.New("the record of a person is unreadable")
	}
	return out, nil
}

func (v *Vault) save(ctx context.Context, person string, rec personRecord) error {
	value, err := json.Marshal(rec.list)
	if err != nil {
		return err
	}
	return v.records.Save(ctx, kindPerson, person, auth.Record{Value: value, Version: rec.version})
}

// find returns the key of the identity's look-up record.
func (v *Vault) find(scheme, number string) string {
	m := hmac.New(sha256.New, v.lookup)
	io.WriteString(m, scheme+"\x00"+number) // a scheme has no NUL, see check
	return hex.EncodeToString(m.Sum(nil))
}

func (v *Vault) close(person string, id Identity) ([]byte, error) {
	nonce := make([]byte, v.seal.NonceSize())
	if _, err := io.ReadFull(v.rand, nonce); err != nil {
		return nil, fmt.Errorf("randomness: %w", err)
	}
	return v.seal.Seal(nonce, nonce, []byte(id.Number), additional(person, id.Scheme)), nil
}

func (v *Vault) open(person string, s sealed) (string, error) {
	n := v.seal.NonceSize()
	if len(s.Number) < n {
		return "", errors.New("a sealed number is too short")
	}
	plain, err := v.seal.Open(nil, s.Number[:n], s.Number[n:], additional(person, s.Scheme))
	if err != nil {
		return "", errors.New("a sealed number can't be opened: wrong key, or not this person's")
	}
	return string(plain), nil
}

func additional(person, scheme string) []byte { return []byte(person + "\x00" + scheme) }

func (s sealed) identity() Identity { return Identity{Scheme: s.Scheme, From: s.From, Until: s.Until} }

// newPerson returns a new id: 128 random bits, base32, lower-case.
func (v *Vault) newPerson() (string, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(v.rand, b); err != nil {
		return "", fmt.Errorf("randomness: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)), nil
}

var (
	schemeForm = regexp.MustCompile(`^[a-z0-9]+(:[a-z0-9-]+)+$`)
	numberForm = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,256}$`)
)

func (id Identity) check() error {
	if len(id.Scheme) > 64 || !schemeForm.MatchString(id.Scheme) || !numberForm.MatchString(id.Number) {
		return ErrMalformed
	}
	if !id.Until.IsZero() && !id.From.Before(id.Until) {
		return ErrMalformed
	}
	return nil
}
