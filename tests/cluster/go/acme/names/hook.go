package main

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
)

// What the webhook is sent.
type change struct {
	Action string `json:"action"`
	Name   string `json:"name"`
	Text   string `json:"text"`
}

// Sets and takes away texts for whoever has the token.
func hook(kept *records, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("authorization")
		if token == "" || subtle.ConstantTimeCompare([]byte(given), []byte("Bearer "+token)) != 1 {
			http.Error(w, "the token is missing or another", http.StatusUnauthorized)
			return
		}
		var asked change
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
		if err := decoder.Decode(&asked); err != nil || r.Method != http.MethodPost {
			http.Error(w, "no change of a text", http.StatusBadRequest)
			return
		}
		switch asked.Action {
		case "add":
			kept.add(asked.Name, asked.Text)
		case "remove":
			kept.remove(asked.Name, &asked.Text)
		default:
			http.Error(w, "add or remove", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
