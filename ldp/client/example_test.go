// SPDX-License-Identifier: EUPL-1.2

package client_test

import (
	"context"
	"net/http"
	"os"
	"time"

	"skrin/auth/dpop"
	"skrin/ldp/client"
)

// A provider puts a credential into the container that a person gave it.
func Example() {
	text, err := os.ReadFile("client-key.pem")
	if err != nil {
		panic(err)
	}
	key, err := client.ParseKey(text)
	if err != nil {
		panic(err)
	}
	proofs, err := dpop.NewKey()
	if err != nil {
		panic(err)
	}
	c := &client.Client{
		Issuer: "https://pod.example", ID: "https://af.example.se/client.jsonld", Key: key, DPoP: proofs,
		HTTP: &http.Client{Timeout: 30 * time.Second}, Now: time.Now,
	}
	_, err = c.Post(context.Background(), "https://pod.example/w/k7q/deposit/", client.Content{
		Type: "application/dc+sd-jwt", Body: []byte("eyJ…~"), Key: "case-17",
	})
	if err != nil {
		panic(err)
	}
}
