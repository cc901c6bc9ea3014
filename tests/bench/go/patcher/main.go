// What a client tuned for nothing but speed does with the same patch: a fixed number of workers, no pacing, no proof.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const metadata = "application/json;as=PartialObjectMetadata%s;v=v1;g=meta.k8s.io"

type endpoint struct {
	Server string `json:"server"`
	CA     string `json:"ca_pem"`
	Cert   string `json:"client_cert_pem"`
	Key    string `json:"client_key_pem"`
}

type meta struct {
	Metadata struct {
		Namespace       string `json:"namespace"`
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	} `json:"metadata"`
}

type page struct {
	meta
	Items []meta `json:"items"`
}

func main() {
	file := flag.String("endpoint", "", "JSON file: server, ca_pem, client_cert_pem, client_key_pem")
	workers := flag.Int("workers", 16, "requests at once")
	flag.Parse()
	at, client := connect(*file, *workers)

	began := time.Now()
	secrets := make(chan meta, 1000)
	var waiting sync.WaitGroup
	for range *workers {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			for secret := range secrets {
				patch(client, at, secret)
			}
		}()
	}
	count := list(client, at, secrets)
	close(secrets)
	waiting.Wait()
	fmt.Printf("{\"secrets\": %d, \"seconds\": %.3f}\n", count, time.Since(began).Seconds())
}

func connect(file string, workers int) (string, *http.Client) {
	text, err := os.ReadFile(file)
	check(err)
	var at endpoint
	check(json.Unmarshal(text, &at))
	pair, err := tls.X509KeyPair([]byte(at.Cert), []byte(at.Key))
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(at.CA))
	// A connection a worker, as HTTP/1.1: all of HTTP/2's requests would go to one API server.
	return at.Server, &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		MaxIdleConnsPerHost: workers + 1,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
	}}
}

func list(client *http.Client, server string, secrets chan<- meta) int {
	count, token := 0, ""
	for {
		target := server + "/api/v1/secrets?limit=500&continue=" + url.QueryEscape(token)
		var found page
		send(client, "GET", target, fmt.Sprintf(metadata, "List"), "", &found)
		for _, secret := range found.Items {
			secrets <- secret
		}
		count += len(found.Items)
		if token = found.Metadata.Continue; token == "" {
			return count
		}
	}
}

func patch(client *http.Client, server string, secret meta) {
	target := server + "/api/v1/namespaces/" + secret.Metadata.Namespace + "/secrets/" + secret.Metadata.Name
	var answer meta
	send(client, "PATCH", target, fmt.Sprintf(metadata, ""), "{}", &answer)
}

func send(client *http.Client, method, target, accept, body string, answer any) {
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	check(err)
	request.Header.Set("Accept", accept)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := client.Do(request)
	check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(err)
	if response.StatusCode != http.StatusOK {
		log.Fatalf("%s: %s", method, response.Status)
	}
	check(json.Unmarshal(text, answer))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
