//! Ways to reach a server.

use std::future::Future;
use std::pin::Pin;

use rmcp::model::ProtocolVersion;
use rmcp::service::ClientLifecycleMode;

use crate::{ConnectError, Connection};

/// Makes connections to a server: once at first, and again after it was lost.
///
/// Implemented for async closures that return a [`Connection`], which every `RunningService` of rmcp converts into.
pub trait Connect: Send + Sync + 'static {
    /// Starts a session.
    fn connect(&self) -> Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send + '_>>;
}

impl<F, Fut> Connect for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Connection, ConnectError>> + Send + 'static,
{
    fn connect(&self) -> Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send + '_>> {
        Box::pin(self())
    }
}

/// Returns the default mode: the newest protocol first, and the handshake of older ones for a server that does not
/// know it.
///
/// rmcp's own default offers the version 2026-07-28 in a handshake that this version does not have; servers answer with
/// another version, except for strict ones, which refuse it.
pub fn default_mode() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::LATEST], legacy_version: None }
}

#[cfg(feature = "child-process")]
pub use child::ChildProcess;

#[cfg(feature = "http")]
pub use streamable_http::StreamableHttp;

#[cfg(feature = "child-process")]
mod child {
    use std::ffi::OsString;
    use std::fmt;
    use std::path::PathBuf;
    use std::task::{Context, Poll};

    use rmcp::service::ClientServiceExt;
    use rmcp::transport::TokioChildProcess;
    use tokio::process::Command;
    use tokio::runtime::Handle;

    use super::{ClientLifecycleMode, Connect, ConnectError, Connection, Future, Pin, default_mode};

    /// A server that is a program: each connection starts it, and ends it when it is dropped.
    ///
    /// It inherits the standard error and the environment of this process.
    #[derive(Clone)]
    pub struct ChildProcess {
        program: OsString,
        arguments: Vec<OsString>,
        variables: Vec<(OsString, OsString)>,
        folder: Option<PathBuf>,
        mode: ClientLifecycleMode,
    }

    impl ChildProcess {
        /// Creates the description of a server: a program and its arguments.
        pub fn new<A: Into<OsString>>(
            program: impl Into<OsString>,
            arguments: impl IntoIterator<Item = A>,
        ) -> ChildProcess {
            let arguments = arguments.into_iter().map(Into::into).collect();
            ChildProcess {
                program: program.into(),
                arguments,
                variables: Vec::new(),
                folder: None,
                mode: default_mode(),
            }
        }

        /// Sets a variable of its environment, such as a key of an API.
        pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> ChildProcess {
            self.variables.push((name.into(), value.into()));
            self
        }

        /// Sets its working directory. The default is that of this process.
        pub fn current_dir(self, folder: impl Into<PathBuf>) -> ChildProcess {
            ChildProcess { folder: Some(folder.into()), ..self }
        }

        /// Sets how a session begins. The default is [`default_mode`].
        pub fn mode(self, mode: ClientLifecycleMode) -> ChildProcess {
            ChildProcess { mode, ..self }
        }
    }

    impl fmt::Debug for ChildProcess {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // Arguments and values of variables may be keys of APIs.
            let variables: Vec<_> = self.variables.iter().map(|(name, _)| name).collect();
            f.debug_struct("ChildProcess")
                .field("program", &self.program)
                .field("arguments", &self.arguments.len())
                .field("variables", &variables)
                .field("folder", &self.folder)
                .finish_non_exhaustive()
        }
    }

    impl Connect for ChildProcess {
        fn connect(&self) -> Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send + '_>> {
            let connect = async {
                let mut command = Command::new(&self.program);
                command.args(&self.arguments).envs(self.variables.iter().cloned()).kill_on_drop(true);
                if let Some(folder) = &self.folder {
                    command.current_dir(folder);
                }
                let transport = TokioChildProcess::new(command).map_err(ConnectError::Spawn)?;
                Ok(().serve_with_lifecycle(transport, self.mode.clone()).await?.into())
            };
            Box::pin(InRuntime { future: Some(Box::pin(connect)), runtime: None })
        }
    }

    /// Drops its future in the runtime that has polled it: the transport spawns a task when it is dropped, which panics
    /// elsewhere.
    struct InRuntime<F> {
        future: Option<Pin<Box<F>>>,
        runtime: Option<Handle>,
    }

    impl<F: Future> Future for InRuntime<F> {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
            self.runtime = Handle::try_current().ok();
            let future = self.future.as_mut().expect("it is taken by the drop alone");
            future.as_mut().poll(context)
        }
    }

    impl<F> Drop for InRuntime<F> {
        fn drop(&mut self) {
            let _entered = self.runtime.as_ref().map(Handle::enter);
            drop(self.future.take());
        }
    }
}

#[cfg(feature = "http")]
mod streamable_http {
    use std::fmt;

    use rmcp::service::ClientServiceExt;
    use rmcp::transport::StreamableHttpClientTransport;
    use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

    use super::{ClientLifecycleMode, Connect, ConnectError, Connection, Future, Pin, default_mode};

    /// A server over streamable HTTP.
    #[derive(Clone)]
    pub struct StreamableHttp {
        config: StreamableHttpClientTransportConfig,
        client: Option<reqwest::Client>,
        mode: ClientLifecycleMode,
    }

    impl StreamableHttp {
        /// Creates the description of a server by its URL.
        pub fn new(url: impl Into<std::sync::Arc<str>>) -> StreamableHttp {
            StreamableHttp::with_config(StreamableHttpClientTransportConfig::with_uri(url))
        }

        /// Creates the description of a server with rmcp's own settings, such as headers and limits.
        pub fn with_config(config: StreamableHttpClientTransportConfig) -> StreamableHttp {
            StreamableHttp { config, client: None, mode: default_mode() }
        }

        /// Sets the HTTP client, for TLS and proxies. The default is rmcp's.
        pub fn client(self, client: reqwest::Client) -> StreamableHttp {
            StreamableHttp { client: Some(client), ..self }
        }

        /// Sets how a session begins. The default is [`default_mode`].
        pub fn mode(self, mode: ClientLifecycleMode) -> StreamableHttp {
            StreamableHttp { mode, ..self }
        }
    }

    impl fmt::Debug for StreamableHttp {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // Headers and the URL's query may be keys of APIs.
            let url = reqwest::Url::parse(&self.config.uri).ok();
            let host = url.as_ref().and_then(|url| url.host_str());
            f.debug_struct("StreamableHttp").field("host", &host).finish_non_exhaustive()
        }
    }

    impl Connect for StreamableHttp {
        fn connect(&self) -> Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send + '_>> {
            Box::pin(async {
                let config = self.config.clone();
                let transport = match &self.client {
                    Some(client) => StreamableHttpClientTransport::with_client(client.clone(), config),
                    None => StreamableHttpClientTransport::from_config(config),
                };
                Ok(().serve_with_lifecycle(transport, self.mode.clone()).await?.into())
            })
        }
    }
}

#[cfg(all(test, feature = "child-process", feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn debug_has_no_secret() {
        let child = ChildProcess::new("server", ["--key", "s3cret"]).env("API_KEY", "s3cret");
        let http = StreamableHttp::new("https://user:s3cret@mcp.example/x?key=s3cret");
        let shown = format!("{child:?} {http:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("API_KEY") && shown.contains("mcp.example"), "{shown}");
    }
}
