//! A real `redis-server`, and its failures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{ServerProcess, again, on_free_port, program};

/// A `redis-server` of one test, on a free loopback port, in a folder that is removed on drop.
#[derive(Debug)]
pub struct RedisServer {
    address: SocketAddr,
    options: Vec<String>,
    process: ServerProcess,
    folder: TempDir,
}

impl RedisServer {
    /// Starts a server, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn start() -> Option<RedisServer> {
        RedisServer::with(&[])
    }

    /// Starts a server with additional options, such as `--requirepass`, `secret`.
    pub fn with(options: &[&str]) -> Option<RedisServer> {
        program("redis-server")?;
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let folder = TempDir::new().expect("a folder for temporary files");
        let (address, process) =
            on_free_port("redis-server", |address| spawn(address, folder.path(), &options));
        Some(RedisServer { address, options, process, folder })
    }

    /// Returns the address, which is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for a client.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
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

    /// Starts the server again after [`kill`](Self::kill), empty, on the same port.
    pub fn restart(&mut self) {
        self.process = again(|| spawn(self.address, self.folder.path(), &self.options));
    }

    /// Returns the folder in which the server runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the server reject writes for lack of memory.
    pub fn fill(&self) {
        self.command(&["CONFIG", "SET", "maxmemory", "1"]);
    }

    /// Makes it a replica of a missing server, as a failover does: writes are rejected.
    pub fn demote(&self) {
        self.command(&["REPLICAOF", "127.0.0.1", "1"]);
    }

    /// Makes it a primary again.
    pub fn promote(&self) {
        self.command(&["REPLICAOF", "NO", "ONE"]);
    }

    /// Removes all scripts.
    pub fn forget_scripts(&self) {
        self.command(&["SCRIPT", "FLUSH"]);
    }

    /// Sends a command on a new connection, and returns the reply: the lines of an array joined by line feeds.
    ///
    /// # Panics
    ///
    /// If the reply is an error.
    pub fn command(&self, words: &[&str]) -> String {
        Admin::connect(self.address).command(words)
    }
}

fn spawn(address: SocketAddr, folder: &Path, options: &[String]) -> Option<ServerProcess> {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let own =
        ["--bind", &ip, "--port", &port, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"];
    let mut command = Command::new(program("redis-server")?);
    command.args(own).args(options).current_dir(folder);
    ServerProcess::start(&mut command, "Ready to accept connections")
}

/// A connection that waits for each reply. Independent of the client crate that is tested.
#[derive(Debug)]
pub struct Admin(BufReader<TcpStream>);

impl Admin {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Admin {
        Admin(BufReader::new(TcpStream::connect(address).expect("the server accepts connections")))
    }

    /// Sends a command and returns the reply; see [`RedisServer::command`].
    pub fn command(&mut self, words: &[&str]) -> String {
        self.send(words);
        self.reply().unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Sends a command without waiting for its reply.
    pub fn send(&mut self, words: &[&str]) {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes()).expect("the request is sent");
    }

    fn reply(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a reply");
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "-" => Err(rest.to_owned()),
            "$" if rest == "-1" => Ok(String::new()),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().expect("a length") + 2];
                self.0.read_exact(&mut bytes).expect("a whole reply");
                Ok(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into_owned())
            }
            "*" => {
                let parts: Result<Vec<_>, _> =
                    (0..rest.parse::<i64>().expect("a length")).map(|_| self.reply()).collect();
                Ok(parts?.join("\n"))
            }
            _ => Ok(rest.to_owned()),
        }
    }
}
