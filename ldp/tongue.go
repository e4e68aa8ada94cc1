// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

//go:embed page.html page.css messages
var pageFiles embed.FS

// A tongue is a language that the pages about resources and failures are written in.
type tongue struct {
	lang          string
	view, problem *template.Template
}

// languages maps what browsers call a language to the tag of one that pages are in.
var languages = map[string]string{"sv": "sv", "nb": "nb", "no": "nb", "da": "nb", "nn": "nn", "en": "en"}

// PageLanguage returns the language tag, of "sv", "nb", "nn" and "en", that an
// Accept-Language header prefers (RFC 9110, section 12.5.4); "" if it accepts none of
// them. said is false where it says nothing: it is empty, or longer than 1,000 bytes.
func PageLanguage(header string) (lang string, said bool) {
	if header == "" || len(header) > 1000 {
		return "", false
	}
	tags, _, _ := language.ParseAcceptLanguage(header)
	for _, tag := range tags {
		base, _ := tag.Base()
		if l := languages[base.String()]; l != "" {
			return l, true
		}
	}
	return "", true
}

// tongueOf returns the language that a browser prefers, else English: who asks
// without a wish is a program's author.
func tongueOf(r *http.Request) *tongue {
	lang, _ := PageLanguage(r.Header.Get("Accept-Language"))
	return tongues()[cmp.Or(lang, "en")]
}

// tongues are read when the first page is shown. The files are in the program, and a
// test reads them, so that they can't be wrong here.
var tongues = sync.OnceValue(func() map[string]*tongue {
	all := map[string]*tongue{}
	for _, lang := range languages {
		if all[lang] != nil {
			continue
		}
		b, err := pageFiles.ReadFile("messages/" + lang + ".json")
		if err != nil {
			panic(err)
		}
		var words map[string]string
		if err := json.Unmarshal(b, &words); err != nil {
			panic(fmt.Errorf("messages/%s.json: %w", lang, err))
		}
		pages := template.Must(template.New("").Funcs(template.FuncMap{
			"exact": exact,
			"style": func() template.CSS { return template.CSS(pageStyle) },
			"lang":  func() string { return lang },
			"t": func(key string) (string, error) {
				if words[key] == "" {
					return "", fmt.Errorf("no message %q in %s", key, lang)
				}
				return words[key], nil
			},
			"tmodes": func(modes string) string {
				named := strings.Fields(modes)
				for i, m := range named {
					named[i] = words["may."+m]
				}
				return strings.ReplaceAll(words["may"], "{modes}", strings.Join(named, ", "))
			},
		}).ParseFS(pageFiles, "page.html"))
		all[lang] = &tongue{lang: lang, view: pages.Lookup("view"), problem: pages.Lookup("problem")}
	}
	return all
})
