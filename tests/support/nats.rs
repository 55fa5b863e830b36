//! A real `nats-server`, and its failures.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{ServerProcess, again, free_address, on_free_port, program};

/// A `nats-server` with JetStream, on a free loopback port, in a folder that is removed on drop.
#[derive(Debug)]
pub struct NatsServer {
    address: SocketAddr,
    config: String,
    process: ServerProcess,
    folder: TempDir,
}

impl NatsServer {
    /// Starts a server, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn start() -> Option<NatsServer> {
        NatsServer::with("")
    }

    /// Starts a server with lines of its configuration file, such as `max_payload: 1024`.
    pub fn with(config: &str) -> Option<NatsServer> {
        program("nats-server")?;
        let folder = TempDir::new().expect("a folder for temporary files");
        let (address, process) = on_free_port("nats-server", |address| spawn(address, folder.path(), config));
        Some(NatsServer { address, config: config.to_owned(), process, folder })
    }

    /// Starts a cluster of servers, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn cluster(size: usize) -> Option<Vec<NatsServer>> {
        program("nats-server")?;
        let routes: Vec<SocketAddr> = (0..size).map(|_| free_address()).collect();
        let list: Vec<String> = routes.iter().map(|route| format!("nats-route://{route}")).collect();
        let member = |(index, route): (usize, &SocketAddr)| {
            NatsServer::with(&format!(
                "server_name: n{index}\ncluster {{ name: c, listen: \"{route}\", routes: [{}] }}",
                list.join(", ")
            ))
        };
        routes.iter().enumerate().map(member).collect()
    }

    /// Returns the address, which is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the process with SIGSTOP: its sockets stay open, and it does not respond.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Continues a frozen process.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Kills the process. After that the port refuses connections.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again after [`kill`](Self::kill), on the same port and with the same streams.
    pub fn restart(&mut self) {
        self.process = again(|| spawn(self.address, self.folder.path(), &self.config));
    }
}

fn spawn(address: SocketAddr, folder: &Path, config: &str) -> Option<ServerProcess> {
    let file = folder.join("nats.conf");
    let listen = format!("listen: \"{address}\"\njetstream {{ store_dir: \"{}\" }}\n", folder.display());
    std::fs::write(&file, listen + config).expect("its configuration can be written");
    ServerProcess::start(Command::new(program("nats-server")?).arg("-c").arg(file), "Server is ready")
}
