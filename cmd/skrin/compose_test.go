// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// A composed is a compose file, as far as it matters here.
type composed struct {
	Services map[string]service
	Volumes  map[string]any
	Networks map[string]struct{ Internal bool }
	Secrets  map[string]struct{ File string }
	Configs  map[string]struct{ Content string }
}

type service struct {
	Build       string
	Image       string
	Command     []string
	Environment map[string]string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	Volumes     []string
	Secrets     []string
	Networks    []string
	Ports       []string
	Configs     []struct{ Source string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct{ Test []string }
	Restart     string
}

func readCompose(t *testing.T) composed {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file composed
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCompose: the compose file is two nodes behind a proxy on one database and one
// bucket; whatever it names is there; images are pinned; the nodes start with flags
// that there are, and are as closed as they can be.
func TestCompose(t *testing.T) {
	file := readCompose(t)
	pinned := regexp.MustCompile(`^[a-z/]+:(RELEASE\.)?[0-9].*`)
	for name, s := range file.Services {
		if s.Build == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %q has no version", name, s.Image)
		}
		if s.Healthcheck.Test == nil && s.Restart != "no" {
			t.Errorf("%s: nobody looks whether it is well", name)
		}
		for other, on := range s.DependsOn {
			needed, ok := file.Services[other]
			if !ok || on.Condition == "service_healthy" && needed.Healthcheck.Test == nil || on.Condition == "service_completed_successfully" && needed.Restart != "no" {
				t.Errorf("%s waits for %s: %s, which never comes", name, other, on.Condition)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, ok := file.Volumes[from]; !ok && !strings.HasPrefix(from, "./") {
				t.Errorf("%s: there is no volume %s", name, from)
			}
		}
		for _, n := range s.Networks {
			if _, ok := file.Networks[n]; !ok {
				t.Errorf("%s: there is no network %s", name, n)
			}
		}
		for _, secret := range s.Secrets {
			if file.Secrets[secret].File == "" {
				t.Errorf("%s: the secret %s has no file", name, secret)
			}
		}
		for _, c := range s.Configs {
			if file.Configs[c.Source].Content == "" {
				t.Errorf("%s: the config %s is empty", name, c.Source)
			}
		}
		if inner := slices.Contains(s.Networks, "inner"); name != "proxy" && (!inner || len(s.Ports) > 0) {
			t.Errorf("%s can be reached from outside", name)
		}
	}
	if !file.Networks["inner"].Internal {
		t.Error("the database's network leads outside")
	}
	for _, node := range []string{"skrin1", "skrin2"} {
		s, ok := file.Services[node]
		if !ok || s.Build != "." || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Fatalf("%s: %+v", node, s)
		}
		proxy := file.Configs["proxy"].Content
		if !strings.Contains(proxy, node+":8080") || !strings.Contains(proxy, "health_uri /readyz") {
			t.Errorf("the proxy doesn't know %s: %s", node, proxy)
		}
		parses(t, s.Command)
		parses(t, s.Healthcheck.Test[2:])
	}
}

// parses fails unless the program takes the command.
func parses(t *testing.T, command []string) {
	t.Helper()
	var c commands
	k, err := kong.New(&c, kong.Name("skrin"), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, arg := range command {
		args = append(args, regexp.MustCompile(`\$\{[A-Z_]+:-(.*)\}`).ReplaceAllString(arg, "$1"))
	}
	if _, err := k.Parse(args); err != nil {
		t.Errorf("%v: %v", args, err)
	}
}

// TestDockerfile: what is made is a static binary alone, not run by root.
func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(string(b), "\nFROM scratch\n")
	if !ok || strings.Contains(last, "\nFROM ") || strings.Contains(last, "\nRUN ") {
		t.Error("what is made holds more than the program")
	}
	if !regexp.MustCompile(`(?m)^USER [1-9][0-9]*:[1-9][0-9]*$`).MatchString(last) {
		t.Error("it is run by root, or by somebody whose number is not known")
	}
	recipes, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, build, _ := strings.Cut(string(recipes), "\nbuild:\n")
	build, _, _ = strings.Cut(build, "\n\n")
	if !strings.Contains(last, `ENTRYPOINT ["/skrin"]`) || !strings.Contains(string(b), "\nRUN make build BIN=/ ") || !strings.Contains(build, "CGO_ENABLED=0") {
		t.Error("it is not the static binary that starts")
	}
}
