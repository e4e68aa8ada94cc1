// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/piprate/json-gold/ld"
)

// goldDir returns the folder of json-gold's package ld, where the W3C's data for
// JSON-LD is.
func goldDir(t *testing.T) string {
	t.Helper()
	f := runtime.FuncForPC(reflect.ValueOf(ld.NewJsonLdOptions).Pointer())
	file, _ := f.FileLine(f.Entry())
	return filepath.Dir(file)
}
