// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"cmp"
	"io"
	"mime"
	"net/http"
)

// download answers with a file, of which write writes the content. What fails
// before the first byte is answered as on any page; what fails later ends the
// connection, so that the browser sees that the file isn't whole.
func (v *visit) download(kind, name string, write func(io.Writer) error) error {
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", cmp.Or(mime.FormatMediaType("attachment", map[string]string{"filename": plain(name)}), "attachment"))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'") // should a browser show it after all
	if v.r.Method == http.MethodHead {
		return nil
	}
	w := &begun{Writer: v.w}
	err := write(w)
	if err != nil && w.begun {
		v.Log.ErrorContext(v.r.Context(), "a download broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// A begun Writer knows whether something was written.
type begun struct {
	io.Writer
	begun bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.begun = true
	return b.Writer.Write(p)
}
