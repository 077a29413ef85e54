package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Embedder turns texts into vectors, one each, all of one dimension.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// server is an Embedder behind HTTP that speaks the OpenAI API, as Ollama does.
type server struct {
	url    string // up to and with /v1
	model  string
	key    string // sent as a bearer token unless empty
	client *http.Client
}

// longestAnswer bounds what is read of an answer: 64 vectors of 4 096 numbers in
// JSON are about 6 MB.
const longestAnswer = 64 << 20

// Embed implements Embedder.
func (s *server) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	body, err := json.Marshal(map[string]any{"model": s.model, "input": texts})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.url, "/")+"/embeddings", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("embed: %w (is the server running? see -url)", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, fmt.Errorf("embed: %s says %s: %s", s.url, resp.Status, bytes.TrimSpace(said))
	}
	return readVectors(io.LimitReader(resp.Body, longestAnswer), len(texts))
}

// readVectors reads an answer to n texts.
func readVectors(r io.Reader, n int) ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return nil, fmt.Errorf("embed: the answer is not what was expected: %w", err)
	}
	vectors := make([][]float32, n)
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= n || vectors[d.Index] != nil {
			return nil, fmt.Errorf("embed: the answer has a vector number %d for %d texts", d.Index, n)
		}
		vectors[d.Index] = d.Embedding
	}
	for i, v := range vectors {
		if len(v) == 0 || len(v) != len(vectors[0]) {
			return nil, fmt.Errorf("embed: text %d of %d has a vector of %d numbers, the first one of %d", i+1, n, len(v), len(vectors[0]))
		}
	}
	return vectors, nil
}
