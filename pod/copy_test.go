// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"skrin/pod/consent"
	"skrin/pod/evidence"
	"skrin/pod/space"
	"skrin/pod/store"
)

// TestCopy fills all fields of what is remembered decoded: a copy says the same, as
// JSON does, and shares nothing that could be changed in it.
func TestCopy(t *testing.T) {
	for _, of := range []store.Copier{new(space.Space), new(consent.Grant), new(evidence.Evidence)} {
		t.Run(reflect.TypeOf(of).Elem().Name(), func(t *testing.T) {
			fillValue(t, reflect.ValueOf(of).Elem())
			c := of.Copy()
			text, err := json.Marshal(of)
			if err != nil {
				t.Fatal(err)
			}
			read := reflect.New(reflect.TypeOf(of).Elem())
			if err := json.Unmarshal(text, read.Interface()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(c, of) || !reflect.DeepEqual(read.Interface(), of) {
				t.Errorf("the copy is %+v, from JSON it is %+v, and it was %+v", c, read.Interface(), of)
			}
			if path := shared(reflect.ValueOf(of).Elem(), reflect.ValueOf(c).Elem()); path != "" {
				t.Errorf("%s is shared", path)
			}
		})
	}
}

// fillValue makes everything in v something else than nothing.
func fillValue(t *testing.T, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000, 0).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fillValue(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(t, key)
		fillValue(t, value)
		v.SetMapIndex(key, value)
	default:
		t.Fatalf("this test can't fill a %s", v.Kind())
	}
}

// shared returns where two values that are equal have the same memory.
func shared(a, b reflect.Value) string {
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return ""
		}
		for i := range a.NumField() {
			if path := shared(a.Field(i), b.Field(i)); path != "" {
				return a.Type().Field(i).Name + "." + path
			}
		}
	case reflect.Slice:
		if a.Pointer() == b.Pointer() {
			return "[]"
		}
		for i := range a.Len() {
			if path := shared(a.Index(i), b.Index(i)); path != "" {
				return path
			}
		}
	case reflect.Map:
		if a.Pointer() == b.Pointer() {
			return "map"
		}
		for _, key := range a.MapKeys() {
			if path := shared(a.MapIndex(key), b.MapIndex(key)); path != "" {
				return path
			}
		}
	}
	return ""
}
