// Command echo is the application of the cluster tests: it answers each request with what it saw of it, as JSON.
//
//	?status=CODE answers with that status, ?sleep=MILLISECONDS answers later, ?bytes=N answers with a body of that size instead,
//	?resolve=NAME looks a name up and shows its addresses, ?link=HOST:PORT calls an inner tier as an outer tier would, with the certificate in the folder
//	/certificate if there is one, and shows what became of that.
//
// It listens on :8080 (HTTP/1.1 and HTTP/2 with prior knowledge), on /ready it answers 200, and on SIGTERM it finishes what it has begun.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type seen struct {
	Pod     string              `json:"pod"`
	Peer    string              `json:"peer"`
	Method  string              `json:"method"`
	Target  string              `json:"target"`
	Host    string              `json:"host"`
	Version string              `json:"version"`
	Headers map[string][]string `json:"headers"`
	Body    string              `json:"body"`
	// Addresses of ?resolve=NAME, or why there are none.
	Resolved []string `json:"resolved,omitempty"`
	// What became of ?link=HOST:PORT.
	Link string `json:"link,omitempty"`
}

// link opens a connection as an outer tier does and waits for what the other side says to it: an answer of the link's protocol shows that
// the caller was let in. In TLS 1.3 a client learns that its certificate is refused only when it reads.
func link(ctx context.Context, address string) string {
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"bailey/1"}}
	if certificate, err := tls.LoadX509KeyPair("/certificate/tls.crt", "/certificate/tls.key"); err == nil {
		config.Certificates = []tls.Certificate{certificate}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "refused: " + err.Error()
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(5 * time.Second))
	said := make([]byte, 256)
	n, err := connection.Read(said)
	if err != nil {
		return "refused: " + err.Error()
	}
	return fmt.Sprintf("let in: %d bytes", n)
}

func number(request *http.Request, name string, otherwise int) int {
	if n, err := strconv.Atoi(request.URL.Query().Get(name)); err == nil {
		return n
	}
	return otherwise
}

func answer(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	if err != nil {
		return
	}
	time.Sleep(time.Duration(number(request, "sleep", 0)) * time.Millisecond)
	status := number(request, "status", http.StatusOK)
	if n := number(request, "bytes", -1); n >= 0 {
		writer.WriteHeader(status)
		io.WriteString(writer, strings.Repeat("x", n))
		return
	}
	headers := map[string][]string{}
	for name, values := range request.Header {
		headers[strings.ToLower(name)] = values
	}
	var resolved []string
	if name := request.URL.Query().Get("resolve"); name != "" {
		if resolved, err = net.DefaultResolver.LookupHost(request.Context(), name); err != nil {
			resolved = []string{err.Error()}
		}
	}
	var linked string
	if address := request.URL.Query().Get("link"); address != "" {
		linked = link(request.Context(), address)
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	json.NewEncoder(writer).Encode(seen{
		os.Getenv("HOSTNAME"), request.RemoteAddr, request.Method, request.RequestURI, request.Host, request.Proto, headers, string(body), resolved, linked,
	})
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", answer)
	server := http.Server{Addr: ":8080", Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan struct{})
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		<-signals
		// As an application should: endpoints learn that it goes before it stops to listen.
		time.Sleep(3 * time.Second)
		if err := server.Shutdown(context.Background()); err != nil {
			log.Print(err)
		}
		close(ended)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}
