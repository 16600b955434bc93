// The documents served by mcp-go: stateless, which it answers in JSON, or with -sessions as a server that keeps
// sessions.
//
// Run as: mcp-go -port PORT [-sessions] DOCUMENT...
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	root     = "mcp://resources/files/"
	mimeType = "text/markdown"
)

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1")
	sessions := flag.Bool("sessions", false, "keep sessions")
	flag.Parse()

	texts := map[string]string{}
	peer := server.NewMCPServer("peer", "1")
	for _, path := range flag.Args() {
		text, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		name := filepath.Base(path)
		uri := root + name
		texts[uri] = string(text)
		peer.AddResource(mcp.NewResource(uri, name, mcp.WithMIMEType(mimeType)), read(string(text)))
	}
	tool := mcp.NewTool("read", mcp.WithDescription("Read a document."), mcp.WithString("uri", mcp.Required()))
	peer.AddTool(tool, call(texts))

	mode := server.WithStateLess(true)
	if *sessions {
		mode = server.WithStateful(true)
	}
	log.Fatal(server.NewStreamableHTTPServer(peer, mode).Start(fmt.Sprintf("127.0.0.1:%d", *port)))
}

func read(text string) server.ResourceHandlerFunc {
	return func(_ context.Context, asked mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		contents := mcp.TextResourceContents{URI: asked.Params.URI, MIMEType: mimeType, Text: text}
		return []mcp.ResourceContents{contents}, nil
	}
}

func call(texts map[string]string) server.ToolHandlerFunc {
	return func(_ context.Context, asked mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		uri, err := asked.RequireString("uri")
		if err != nil {
			return mcp.NewToolResultError(err.Error()), nil
		}
		text, found := texts[uri]
		if !found {
			return mcp.NewToolResultError("no document " + uri), nil
		}
		return mcp.NewToolResultText(text), nil
	}
}
