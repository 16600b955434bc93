// The document on the TypeScript SDK v2, as its README shows: stateless, a server for each request, JSON answers.
// Run as `node server.mjs PORT DOCUMENT`, from a directory that has the packages of package.json.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';

const [port, document] = process.argv.slice(2);
const text = readFileSync(document, 'utf8');
const uri = 'mcp://resources/files/doc.md';
const mimeType = 'text/markdown';

function makeServer() {
    const server = new McpServer({ name: 'peer', version: '1' });
    server.registerResource('doc', uri, { mimeType }, () => ({ contents: [{ uri, mimeType, text }] }));
    return server;
}

const modern = toNodeHandler(createMcpHandler(makeServer, { responseMode: 'json' }));

async function handshake(request, response) {
    const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: undefined,
        enableJsonResponse: true,
    });
    const server = makeServer();
    response.on('close', () => server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response);
}

createServer((request, response) => {
    const isModern = request.headers['mcp-protocol-version'] === '2026-07-28';
    return isModern ? modern(request, response) : handshake(request, response);
}).listen(Number(port), '127.0.0.1');
