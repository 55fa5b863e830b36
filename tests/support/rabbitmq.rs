//! A real RabbitMQ, and its failures.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::server::{ServerProcess, free_address, on_free_port, program};

/// A RabbitMQ on free loopback ports, with a port mapper of its own, in a folder that is removed on drop.
#[derive(Debug)]
pub struct RabbitMqServer {
    address: SocketAddr,
    process: Mutex<ServerProcess>,
    node: Node,
}

/// What is the same for a server that is started again, and for the tool that controls it.
#[derive(Debug)]
struct Node {
    folder: TempDir,
    ports: [u16; 2],
    _mapper: ServerProcess,
}

impl RabbitMqServer {
    /// Starts a server, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn start() -> Option<RabbitMqServer> {
        program("rabbitmq-server")?;
        let (mapper_address, mapper) = on_free_port("epmd", |address| {
            let port = address.port().to_string();
            let mut epmd = Command::new("epmd");
            epmd.args(["-debug", "-port", &port, "-address", "127.0.0.1"]);
            ServerProcess::start(&mut epmd, "epmd running")
        });
        let folder = TempDir::new().expect("a folder for temporary files");
        let ports = [mapper_address.port(), free_address().port()];
        let node = Node { folder, ports, _mapper: mapper };
        let (address, process) = on_free_port("rabbitmq-server", |address| node.spawn(address));
        Some(RabbitMqServer { address, process: Mutex::new(process), node })
    }

    /// Returns the URI for a client, with a heartbeat of ten seconds.
    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@{}/%2f?heartbeat=10", self.address)
    }

    /// Stops the process with SIGSTOP: its sockets stay open, and it does not respond.
    pub fn freeze(&self) {
        self.process.lock().expect("no panic in between").freeze();
    }

    /// Continues a frozen process.
    pub fn thaw(&self) {
        self.process.lock().expect("no panic in between").thaw();
    }

    /// Kills the process. After that the port refuses connections.
    pub fn kill(&self) {
        self.process.lock().expect("no panic in between").kill();
    }

    /// Starts the server again after [`kill`](Self::kill), on the same port and with its durable queues.
    pub fn restart(&self) {
        *self.process.lock().expect("no panic in between") =
            crate::server::again(|| self.node.spawn(self.address));
    }

    /// Blocks all connections that publish, as a server does that has no memory left.
    pub fn block(&self) {
        self.node.control(&["set_vm_memory_high_watermark", "0.0000001"]);
    }

    /// Ends the block.
    pub fn unblock(&self) {
        self.node.control(&["set_vm_memory_high_watermark", "0.9"]);
    }
}

impl Node {
    fn spawn(&self, address: SocketAddr) -> Option<ServerProcess> {
        let mut server = Command::new(installed("rabbitmq-server"));
        let config = self.folder.path().join("rabbitmq");
        let listener = format!("listeners.tcp.1 = {address}\nvm_memory_high_watermark.relative = 0.9\n");
        std::fs::write(config.with_extension("conf"), listener + "disk_free_limit.absolute = 1MB\n")
            .expect("its configuration can be written");
        server.envs(self.environment()).env("RABBITMQ_CONFIG_FILE", config);
        // Without a shell around it, so that its id is that of the process.
        server.env("RABBITMQ_LOGS", "-").env("RUNNING_UNDER_SYSTEMD", "true");
        ServerProcess::start_in(self.folder.path(), &mut server, "Server startup complete")
    }

    fn control(&self, words: &[&str]) {
        let mut tool = Command::new(installed("rabbitmqctl"));
        let output = tool.envs(self.environment()).args(words).stdin(Stdio::null()).output();
        let output = output.expect("`rabbitmqctl` can be run");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let folder = |name: &str| path(&self.folder.path().join(name));
        let [mapper, distribution] = self.ports.map(|port| port.to_string());
        vec![
            ("HOME", path(self.folder.path())),
            ("ERL_EPMD_PORT", mapper),
            ("ERL_EPMD_ADDRESS", Ipv4Addr::LOCALHOST.to_string()),
            ("RABBITMQ_DIST_PORT", distribution.clone()),
            ("RABBITMQ_NODENAME", format!("test{distribution}@localhost")),
            ("RABBITMQ_MNESIA_BASE", folder("data")),
            ("RABBITMQ_LOG_BASE", folder("log")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", folder("plugins")),
            ("RABBITMQ_CONF_ENV_FILE", folder("no-environment")),
            // One thread of the scheduler is enough, and starts faster.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none".to_owned()),
        ]
    }
}

/// The program without the wrapper of Debian, which changes to another user.
fn installed(name: &str) -> PathBuf {
    let own = Path::new("/usr/lib/rabbitmq/bin").join(name);
    if own.is_file() { own } else { PathBuf::from(name) }
}

fn path(path: &Path) -> String {
    path.to_str().expect("a path of temporary files is text").to_owned()
}
