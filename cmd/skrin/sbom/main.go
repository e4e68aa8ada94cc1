// SPDX-License-Identifier: EUPL-1.2

// Command sbom prints what a Go binary is made of, as CycloneDX 1.6 in JSON: each
// module with its version and hash, as the linker wrote them into the binary. The
// same binary gives the same text: there is no time and no random number in it.
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
)

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

// A hash is Go's own of a module's files (golang.org/x/mod/sumdb/dirhash), which is
// a SHA-256.
type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type bom struct {
	Format   string `json:"bomFormat"`
	Spec     string `json:"specVersion"`
	Version  int    `json:"version"`
	Metadata struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want one binary, got %d arguments", len(args))
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return err
	}
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1}
	b.Metadata.Component = component{Type: "application", Ref: info.Path, Name: info.Main.Path, Version: info.Main.Version}
	b.Components = []component{{Type: "library", Ref: "std", Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"), PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}}
	for _, m := range info.Deps {
		c, err := componentOf(m)
		if err != nil {
			return err
		}
		b.Components = append(b.Components, c)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(b)
}

func componentOf(m *debug.Module) (component, error) {
	if m.Replace != nil {
		m = m.Replace
	}
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil || len(sum) != 32 {
		return component{}, fmt.Errorf("%s: no hash of the module in the binary", m.Path)
	}
	return component{
		Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl,
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum)}},
	}, nil
}
