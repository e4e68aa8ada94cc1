// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// A secret is masked wherever it is printed.
type secret string

// String implements fmt.Stringer.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "********"
}

// A size is a number of bytes, written like 64KiB, 8MiB, 5GiB or 1000.
type size int64

var sizeUnits = []struct {
	name  string
	bytes size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > 1<<60/int64(u.bytes) {
			break
		}
		*s = size(n) * u.bytes
		return nil
	}
	return errors.New("not a size: want a number with KiB, MiB or GiB, like 512MiB")
}

// String implements fmt.Stringer.
func (s size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0"
}

// MarshalText implements encoding.TextMarshaler.
func (s size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A rate is so many at once, and as many again each Per. The zero rate is no bound.
type rate struct {
	N   int
	Per time.Duration
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *rate) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*r = rate{}
		return nil
	}
	number, per, ok := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(number)
	d, err2 := time.ParseDuration(per)
	if !ok || err != nil || err2 != nil || n < 1 || n > 1e9 || d < time.Second || d > 24*time.Hour {
		return errors.New("not a rate: want a number and a time from 1s to 24h, like 600/1m, or none")
	}
	*r = rate{n, d}
	return nil
}

// String implements fmt.Stringer.
func (r rate) String() string {
	if r.N == 0 {
		return "none"
	}
	per := strings.TrimSuffix(strings.TrimSuffix(r.Per.String(), "0s"), "0m")
	return fmt.Sprintf("%d/%s", r.N, cmp.Or(per, r.Per.String()))
}

// MarshalText implements encoding.TextMarshaler.
func (r rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// An option is one field of the settings.
type option struct {
	name     string // "limit-body": the flag's
	path     string // "limit.body": in the file
	standard string
	flag     bool // it may be given on the command line
	file     bool // it names a file or a folder
	value    reflect.Value
}

// env returns the name of the environment variable.
func (o option) env() string {
	return "SKRIN_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// secret says whether the value must not be shown.
func (o option) secret() bool { return o.value.Type() == reflect.TypeFor[secret]() }

// options returns the fields of s, in their order.
func (s *settings) options() []option {
	return optionsOf(reflect.ValueOf(s).Elem(), "", "")
}

func optionsOf(v reflect.Value, prefix, path string) (all []option) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if more, ok := f.Tag.Lookup("prefix"); ok {
			all = append(all, optionsOf(v.Field(i), prefix+more, path+strings.TrimSuffix(more, "-")+".")...)
			continue
		}
		name := cmp.Or(f.Tag.Get("name"), kebab(f.Name))
		all = append(all, option{
			name: prefix + name, path: path + name, standard: f.Tag.Get("standard"),
			flag: f.Tag.Get("kong") != "-", file: f.Tag.Get("type") == "path", value: v.Field(i),
		})
	}
	return all
}

// kebab writes KeyFile as key-file.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// set reads the value from text.
func (o option) set(text string) error {
	if u, ok := o.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch o.value.Interface().(type) {
	case string, secret:
		o.value.SetString(text)
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("not true or false")
		}
		o.value.SetBool(b)
	case int:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1e9 {
			return errors.New("not a number from 1 to 1000000000")
		}
		o.value.SetInt(int64(n))
	case float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return errors.New("not a number from 0 to 1")
		}
		o.value.SetFloat(f)
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return errors.New("not a time: want a number with a unit, like 90s, 5m or 1h")
		}
		o.value.SetInt(int64(d))
	case []string:
		return o.setList(strings.Split(text, ","))
	default:
		return fmt.Errorf("%s is of a type that can't be read", o.name)
	}
	return nil
}

func (o option) setList(items []string) error {
	list := []string{}
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	o.value.Set(reflect.ValueOf(list))
	return nil
}

// text writes the value as it may be written in the file.
func (o option) text() string {
	switch v := o.value.Interface().(type) {
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// A fault is what is wrong with a setting, and where that was set.
type fault struct {
	At   string `json:"at,omitempty"`   // "skrin.yaml:3", "SKRIN_LIMIT_BODY", "--limit-body", or "" if it is set nowhere
	Name string `json:"name,omitempty"` // of the setting, as in the file
	Says string `json:"says"`
}

// Error implements error.
func (f fault) Error() string {
	at := f.At
	if at != "" {
		at += ": "
	}
	if f.Name != "" {
		at += f.Name + ": "
	}
	return at + f.Says
}

// The settled settings are in force: each with where it comes from.
type settled struct {
	settings
	from   map[string]string // by the option's name; "" for the standard
	faults []fault
}

// settle reads the file (none if ""), the environment and the flags that were
// given, each of which overrules what came before.
func settle(file string, environ []string, flags *settings, given map[string]bool) *settled {
	s := &settled{from: map[string]string{}}
	for _, o := range s.options() {
		if o.standard != "" {
			if err := o.set(o.standard); err != nil {
				s.faults = append(s.faults, fault{"", o.path, err.Error()}) // a test sees that there is none
			}
		}
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			s.faults = append(s.faults, fault{file, "", err.Error()})
		}
		s.readFile(file, text)
	}
	s.readEnviron(environ)
	read := s.options()
	for i, o := range flags.options() {
		if given[o.name] {
			read[i].value.Set(o.value)
			s.from[o.name] = "--" + o.name
		}
	}
	return s
}

func (s *settled) readEnviron(environ []string) {
	all := s.options()
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		i := slices.IndexFunc(all, func(o option) bool { return o.env() == name })
		switch {
		case value == "": // as good as not there
		case i >= 0:
			s.set(all[i], value, name)
		case strings.HasPrefix(name, "SKRIN_") && !strings.HasPrefix(name, "SKRIN_TEST") && name != configEnv:
			s.faults = append(s.faults, fault{name, "", "there is no such setting" + like(name, all, option.env)})
		}
	}
}

func (s *settled) set(o option, text, from string) {
	s.from[o.name] = from
	if err := o.set(text); err != nil {
		s.faults = append(s.faults, fault{from, o.path, err.Error()})
	}
}

// maxFile bounds a file of settings, in bytes.
const maxFile = 1 << 20

// readFile reads a file of settings (YAML).
func (s *settled) readFile(name string, text []byte) {
	var doc yaml.Node
	if len(text) > maxFile {
		s.faults = append(s.faults, fault{name, "", "it is larger than 1 MiB"})
		return
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		s.faults = append(s.faults, fault{name, "", "not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")})
		return
	}
	if len(doc.Content) == 1 {
		s.readMap(name, "", doc.Content[0], s.options())
	}
}

// readMap reads one level of the file: path is "" or like "limit.".
func (s *settled) readMap(file, path string, n *yaml.Node, all []option) {
	at := func(n *yaml.Node) string { return file + ":" + strconv.Itoa(n.Line) }
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			s.faults = append(s.faults, fault{at(n), strings.TrimSuffix(path, "."), "want names with values, one to a line"})
		}
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := path + key.Value
		line, twice := seen[name]
		seen[name] = key.Line
		is := slices.IndexFunc(all, func(o option) bool { return o.path == name })
		switch {
		case twice:
			s.faults = append(s.faults, fault{at(key), name, fmt.Sprintf("it is set on line %d already", line)})
		case is >= 0:
			s.readValue(file, at(value), value, all[is])
		case path == "" && slices.ContainsFunc(all, func(o option) bool { return strings.HasPrefix(o.path, name+".") }):
			s.readMap(file, name+".", value, all)
		default:
			s.faults = append(s.faults, fault{at(key), name, "there is no such setting" + like(name, all, func(o option) string { return o.path })})
		}
	}
}

func (s *settled) readValue(file, at string, n *yaml.Node, o option) {
	var items []string
	for _, item := range n.Content {
		items = append(items, item.Value)
	}
	list := o.value.Kind() == reflect.Slice
	switch {
	case o.secret():
		s.faults = append(s.faults, fault{at, o.path, "a secret doesn't belong here: set " + o.env() + ", or name a file"})
		return
	case list && n.Kind == yaml.SequenceNode && !slices.ContainsFunc(n.Content, func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode }):
		s.from[o.name] = at
		_ = o.setList(items) // can't fail
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		s.faults = append(s.faults, fault{at, o.path, "it has no value: give one, or leave the line out"})
		return
	case n.Kind == yaml.ScalarNode:
		s.set(o, n.Value, at)
	default:
		s.faults = append(s.faults, fault{at, o.path, "want one value, or for what takes several a list of them"})
		return
	}
	if o.file {
		o.resolve(filepath.Dir(file))
	}
}

// resolve makes the paths of a file relative to where that file is.
func (o option) resolve(dir string) {
	in := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}
	switch v := o.value.Interface().(type) {
	case string:
		o.value.SetString(in(v))
	case []string:
		for i := range v {
			v[i] = in(v[i])
		}
	}
}

// like says which setting may be meant, or nothing.
func like(name string, all []option, spelt func(option) string) string {
	plain := func(s string) string {
		return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(s))
	}
	for _, o := range all {
		if a, b := plain(name), plain(spelt(o)); a == b || len(a) > 3 && (strings.HasSuffix(b, a) || strings.HasPrefix(b, a)) {
			return "; did you mean " + spelt(o) + "?"
		}
	}
	return ""
}

// manual returns the comment of each setting, by the option's name, read from
// this program's own source.
func manual() map[string]string {
	told := map[string]string{}
	group, comment := "", []string(nil)
	for line := range strings.Lines(settingsSource) {
		line = strings.TrimSpace(line)
		text, ok := strings.CutPrefix(line, "//")
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case ok:
			comment = append(comment, strings.TrimSpace(text))
			continue
		case word == "type" && strings.Contains(rest, "struct"):
			group = ""
			if name, ok := strings.CutSuffix(strings.Fields(rest)[0], "Settings"); ok {
				group = name + "-"
			}
			told[group] = strings.Join(comment, " ")
		case word != "" && word != "}" && len(comment) > 0:
			name := kebab(word)
			if _, tag, ok := strings.Cut(line, `name:"`); ok {
				name, _, _ = strings.Cut(tag, `"`)
			}
			told[group+name] = strings.Join(comment, " ")
		}
		comment = nil
	}
	return told
}
