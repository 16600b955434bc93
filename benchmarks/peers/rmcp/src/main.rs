//! The documents served by the Rust SDK, rmcp, under axum: stateless with JSON answers, or with `--sessions` as it
//! comes, with sessions and event streams. One worker thread.
//!
//! Run as: `peer --port PORT [--sessions] DOCUMENT...`

use std::{collections::BTreeMap, error::Error, path::Path, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
        ResourceContents, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};

const ROOT: &str = "mcp://resources/files/";
const MIME_TYPE: &str = "text/markdown";

/// Texts by URI.
type Documents = Arc<BTreeMap<String, String>>;

#[derive(Clone)]
struct Peer {
    documents: Documents,
}

impl Peer {
    fn text(&self, uri: &str) -> Result<&String, ErrorData> {
        self.documents
            .get(uri)
            .ok_or_else(|| ErrorData::invalid_params(format!("no document {uri}"), None))
    }
}

impl ServerHandler for Peer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_resources().enable_tools().build())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let named = |uri: &String| {
            Resource::new(uri, uri.trim_start_matches(ROOT)).with_mime_type(MIME_TYPE)
        };
        Ok(ListResourcesResult::with_all_items(self.documents.keys().map(named).collect()))
    }

    async fn read_resource(
        &self,
        asked: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let text = self.text(&asked.uri)?;
        let contents = ResourceContents::text(text, asked.uri).with_mime_type(MIME_TYPE);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = serde_json::json!({
            "type": "object", "properties": {"uri": {"type": "string"}}, "required": ["uri"],
        });
        let schema = schema.as_object().cloned().unwrap_or_default();
        Ok(ListToolsResult::with_all_items(vec![Tool::new("read", "Read a document.", schema)]))
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = asked.arguments.unwrap_or_default();
        let uri = arguments.get("uri").and_then(|uri| uri.as_str()).unwrap_or_default();
        Ok(CallToolResult::success(vec![ContentBlock::text(self.text(uri)?)]).into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut port, mut sessions, mut documents) = (0, false, BTreeMap::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => port = arguments.next().ok_or("--port needs a number")?.parse()?,
            "--sessions" => sessions = true,
            path => {
                let name = Path::new(path).file_name().ok_or("not a file")?.to_string_lossy();
                documents.insert(format!("{ROOT}{name}"), std::fs::read_to_string(path)?);
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(serve(port, sessions, Arc::new(documents)))
}

async fn serve(port: u16, sessions: bool, documents: Documents) -> Result<(), Box<dyn Error>> {
    let peer = Peer { documents };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(sessions)
        .with_json_response(!sessions);
    let service = StreamableHttpService::new(
        move || Ok(peer.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
