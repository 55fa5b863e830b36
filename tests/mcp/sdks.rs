//! Servers of the SDKs in Python and TypeScript, which `.ci/services` installs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use halfopen_mcp::{ChildProcess, McpServer, StreamableHttp};
use rmcp::service::ClientLifecycleMode;
use test_support::server::{ServerProcess, installed, on_free_port, program};

use crate::world::short;

/// An SDK whose server is a program of its own.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    pub(crate) name: &'static str,
    program: PathBuf,
    script: PathBuf,
    /// A variable of the program: its name and value.
    variable: (&'static str, String),
    /// What it writes once it accepts connections.
    ready: &'static str,
}

fn folder(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder of the target directory");
    target.join("servers").join(name)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mcp").join(name)
}

impl Sdk {
    pub(crate) fn python() -> Option<Sdk> {
        let program = installed("the Python SDK", [folder("mcp-python").join("bin/python")])?;
        let variable = ("PYTHONUNBUFFERED", "1".to_owned());
        Some(Sdk {
            name: "python",
            program,
            script: script("python/server.py"),
            variable,
            ready: "running on",
        })
    }

    pub(crate) fn typescript() -> Option<Sdk> {
        let modules = folder("mcp-typescript").join("node_modules");
        installed("the TypeScript SDK", [modules.join("@modelcontextprotocol/sdk/package.json")])?;
        let variable = ("NODE_PATH", modules.display().to_string());
        let script = script("typescript/server.cjs");
        Some(Sdk { name: "typescript", program: program("node")?, script, variable, ready: "serving" })
    }

    /// A server that is a child of this process, without its log.
    pub(crate) fn child(&self) -> McpServer {
        let script = r#"exec 2>/dev/null "$0" "$1""#;
        let arguments = ["-c".into(), script.into(), self.program.clone(), self.script.clone()];
        let (name, value) = &self.variable;
        short(McpServer::new(self.name, ChildProcess::new("sh", arguments).env(name, value)))
    }

    pub(crate) fn http(&self, variables: &[(&str, &str)]) -> (SocketAddr, ServerProcess) {
        on_free_port(self.name, |address| self.http_at(address, variables))
    }

    pub(crate) fn http_at(&self, address: SocketAddr, variables: &[(&str, &str)]) -> Option<ServerProcess> {
        let (name, value) = &self.variable;
        let mut command = Command::new(&self.program);
        command.arg(&self.script).arg(address.port().to_string()).env(name, value);
        command.envs(variables.iter().copied());
        ServerProcess::start(&mut command, self.ready)
    }
}

/// A client over HTTP with the handshake of a session, as every SDK knows it.
pub(crate) fn with_session(address: SocketAddr) -> McpServer {
    let http = StreamableHttp::new(format!("http://{address}/mcp")).mode(ClientLifecycleMode::Initialize);
    short(McpServer::new("http", http))
}
