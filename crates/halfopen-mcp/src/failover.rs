use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use rmcp::model::{CallToolResult, JsonObject, ReadResourceResult, Tool};

use crate::{McpCallError, McpServer};

/// Creates a group of servers of which each call uses the first that answers, in their order.
///
/// # Panics
///
/// Panics if there is no server.
pub fn failover(servers: impl IntoIterator<Item = Arc<McpServer>>) -> Failover {
    let servers: Vec<_> = servers.into_iter().collect();
    assert!(!servers.is_empty(), "a failover needs at least one server");
    Failover { servers, repeatable: BTreeSet::new() }
}

/// Servers with the same tools; created by [`failover`].
///
/// A call moves on to the next server if the last one certainly did not receive it: a breaker or a limit rejected it, or
/// there was no connection. A call that was sent moves on only if it is safe to repeat: reading a resource, listing
/// tools, and the tools that [`repeatable`](Self::repeatable) names. Annotations of a server are not used for
/// this, because a server can be wrong about its own tools.
#[derive(Clone, Debug)]
pub struct Failover {
    servers: Vec<Arc<McpServer>>,
    repeatable: BTreeSet<String>,
}

impl Failover {
    /// Names tools that may run twice for one call.
    pub fn repeatable<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> Failover {
        self.repeatable.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Returns the servers, in their order.
    pub fn servers(&self) -> &[Arc<McpServer>] {
        &self.servers
    }

    /// Calls a tool on the first server that answers.
    ///
    /// # Errors
    ///
    /// Returns the error of the last server that was tried, as of [`McpServer::call_tool`].
    pub async fn call_tool(&self, name: &str, arguments: JsonObject) -> Result<CallToolResult, McpCallError> {
        let is_repeatable = self.repeatable.contains(name);
        self.first(is_repeatable, |server| {
            let arguments = arguments.clone();
            async move { server.call_tool(name, arguments).await }
        })
        .await
    }

    /// Reads a resource from the first server that answers.
    ///
    /// # Errors
    ///
    /// Returns the error of the last server.
    pub async fn read_resource(&self, uri: &str) -> Result<ReadResourceResult, McpCallError> {
        self.first(true, |server| async move { server.read_resource(uri).await }).await
    }

    /// Lists the tools of the first server that answers.
    ///
    /// # Errors
    ///
    /// Returns the error of the last server.
    pub async fn list_tools(&self) -> Result<Vec<Tool>, McpCallError> {
        self.first(true, |server| async move { server.list_tools().await }).await
    }

    async fn first<'a, F, Fut, T>(&'a self, is_repeatable: bool, call: F) -> Result<T, McpCallError>
    where
        F: Fn(&'a McpServer) -> Fut,
        Fut: Future<Output = Result<T, McpCallError>>,
    {
        let (last, others) = self.servers.split_last().expect("there is at least one server");
        for server in others {
            match call(server).await {
                Err(error) if error.is_unsent() || (is_repeatable && is_outage(&error)) => {}
                answer => return answer,
            }
        }
        call(last).await
    }
}

/// Returns true unless the server answered: another one would give the same answer.
fn is_outage(error: &McpCallError) -> bool {
    match error {
        McpCallError::Call(error) => crate::outcome(error).outcome().is_failure(),
        McpCallError::Rejected(_) | McpCallError::Connect(_) | McpCallError::Timeout(_) => true,
    }
}
