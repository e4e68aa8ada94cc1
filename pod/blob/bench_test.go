// SPDX-License-Identifier: EUPL-1.2

package blob_test

import (
	"bytes"
	"io"
	"testing"

	"skrin/pod/podtest"
	"skrin/pod/store"
)

// BenchmarkLarge is a blob of 1 GiB, up and then down.
func BenchmarkLarge(b *testing.B) {
	d := open(b, b.TempDir())
	defer func() { must(b, d.Close()) }()
	block := make([]byte, 1<<20)
	for name, blobs := range map[string]store.Blobs{"directory": d, "S3": openBucket(b, podtest.NewS3(b).Options(b))} {
		var digest string
		b.Run(name+" up", func(b *testing.B) {
			b.SetBytes(1 << 30)
			b.ReportAllocs()
			for b.Loop() {
				var parts []io.Reader
				for range 1 << 10 {
					parts = append(parts, bytes.NewReader(block))
				}
				var err error
				digest, _, err = blobs.Put(b.Context(), "a", io.MultiReader(parts...), 1<<30)
				must(b, err)
			}
		})
		b.Run(name+" down", func(b *testing.B) {
			b.SetBytes(1 << 30)
			b.ReportAllocs()
			for b.Loop() {
				r, err := blobs.Open(b.Context(), "a", digest)
				must(b, err)
				_, err = io.Copy(io.Discard, r)
				must(b, err)
				must(b, r.Close())
			}
		})
	}
}
