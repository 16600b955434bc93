// The documents served by the official Go SDK: stateless with JSON answers, or with -sessions as it comes,
// with sessions and event streams.
//
// Run as: go-sdk -port PORT [-sessions] DOCUMENT...
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	root     = "mcp://resources/files/"
	mimeType = "text/markdown"
)

type reading struct {
	URI string `json:"uri" jsonschema:"URI of a document"`
}

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1")
	sessions := flag.Bool("sessions", false, "sessions and event streams instead of stateless JSON")
	flag.Parse()

	texts := map[string]string{}
	server := mcp.NewServer(&mcp.Implementation{Name: "peer", Version: "1"}, nil)
	for _, path := range flag.Args() {
		text, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		name := filepath.Base(path)
		uri := root + name
		texts[uri] = string(text)
		server.AddResource(&mcp.Resource{URI: uri, Name: name, MIMEType: mimeType}, read(string(text)))
	}
	mcp.AddTool(server, &mcp.Tool{Name: "read", Description: "Read a document."}, call(texts))

	handler := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: !*sessions, JSONResponse: !*sessions},
	)
	http.Handle("/mcp", handler)
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), nil))
}

func read(text string) mcp.ResourceHandler {
	return func(_ context.Context, asked *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		contents := &mcp.ResourceContents{URI: asked.Params.URI, MIMEType: mimeType, Text: text}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{contents}}, nil
	}
}

func call(texts map[string]string) mcp.ToolHandlerFor[reading, any] {
	return func(_ context.Context, _ *mcp.CallToolRequest, asked reading) (*mcp.CallToolResult, any, error) {
		text, found := texts[asked.URI]
		if !found {
			return nil, nil, fmt.Errorf("no document %s", asked.URI)
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	}
}
