// SPDX-License-Identifier: EUPL-1.2

package auth

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "193.10.0.1": true, "2001:4860:4860::8888": true, "2a00::1": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "255.255.255.255": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "100.64.0.1": false,
		"169.254.169.254": false, "192.0.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "203.0.113.9": false,
		"::": false, "::1": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "fec0::1": false, "ff02::1": false,
		"::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, "172.32.0.1": true, "100.128.0.1": true,
	} {
		if got := public(netip.MustParseAddr(address).Unmap()); got != want {
			t.Errorf("%s: public is %v", address, got)
		}
	}
}

func TestWhatIsDialled(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1:443": true, "1.1.1.1:80": true, "1.1.1.1:8443": true, "[2a00::1]:443": true,
		"1.1.1.1:22": false, "1.1.1.1:25": false, "10.0.0.1:443": false, "[::ffff:10.0.0.1]:443": false, "[fe80::1%eth0]:443": false,
		"name:443": false, "": false,
	} {
		if err := new(guard).control("tcp", address, nil); (err == nil) != want || err != nil && !errors.Is(err, ErrGuarded) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAGuardedClientRefuses(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	for _, address := range []string{
		server.URL, "https://localhost" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port, "https://0.0.0.0" + port,
		"https://2130706433" + port, "https://0x7f.1" + port, "https://127.1" + port, "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data",
		"http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://user@1.1.1.1/", "https:///", "https://1.1.1.1:22/",
	} {
		begun := time.Now()
		resp, err := Guarded(false).Get(address)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s was fetched", address)
		}
		if time.Since(begun) > 5*time.Second {
			t.Errorf("%s: it took %v to refuse", address, time.Since(begun))
		}
	}
}

func TestAGuardedClientsLimits(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/small", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, guardBody)) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, guardBody+1)) })
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 8*guardBody))
	_ = z.Close()
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	loops := 0
	mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 2*guardHeader)) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		loops++
		http.Redirect(w, r, "/loop", http.StatusFound)
	})
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://10.0.0.1/", http.StatusFound)
	})
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.com/", http.StatusFound)
	})
	client := Guarded(true)
	for _, row := range []struct {
		path  string
		bytes int // -1 if it is refused
	}{
		{"/small", guardBody}, {"/large", -1}, {"/header", -1}, {"/loop", -1}, {"/private", -1}, {"/plain", -1},
	} {
		resp, err := client.Get(server.URL + row.path)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if refused := err != nil; refused != (row.bytes < 0) || !refused && len(body) != row.bytes {
			t.Errorf("%s: %d bytes, %v", row.path, len(body), err)
		}
		if err != nil && row.path != "/header" && !errors.Is(err, ErrGuarded) {
			t.Errorf("%s: %v", row.path, err)
		}
	}
	if loops != 1+guardRedirects {
		t.Errorf("a loop was followed for %d requests", loops)
	}
	resp, err := client.Get(server.URL + "/bomb")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(body, bomb.Bytes()) {
		t.Errorf("a compressed body was expanded: %d bytes, %v", len(body), err)
	}
}

func TestAGuardedClientGivesItsPlacesBack(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client := Guarded(true)
	for range 3 * guardRequests {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		resp.Body.Close()
		_, _ = client.Get("http://10.0.0.1/")
	}
	if n := len(client.Transport.(*guard).places); n != 0 {
		t.Errorf("%d places are not given back", n)
	}
}

// FuzzReadKeys shows that of whatever a stranger publishes only keys that verify
// are taken: no shared secret, no private key, none that is weak.
func FuzzReadKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA","kid":"x"},{"kty":"RSA","n":"AQ","e":"AQAB","kid":"y"},{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, _ := readKeys(text)
		for _, k := range keys {
			if !k.IsPublic() || !k.Valid() || !verifies(k.Key) {
				t.Errorf("%q gives %+v", text, k)
			}
		}
	})
}

// TestAFailedFetchDoesNotTellWhatWasFetched: the address may be a person's, or hold
// what a stranger wrote into it; and the error is logged.
func TestAFailedFetchDoesNotTellWhatWasFetched(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	open := httptest.NewServer(http.NotFoundHandler())
	defer open.Close()
	for _, base := range []string{closed.URL, open.URL, "https://10.0.0.1", "http://pod.example", "ftp://pod.example", "https://[::1%25eth0]", "https://a b.example", "https://x.example:port"} {
		_, err := Fetch(t.Context(), Guarded(strings.HasPrefix(base, "http://127.")), base+"/secret-path?secret=199001012385#secret", "text/turtle")
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "199001012385") {
			t.Errorf("%s: %v", base, err)
		}
	}
}
