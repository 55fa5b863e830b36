//! A real PostgreSQL server, and its failures.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::database::{Account, data_folder, succeed, temporary};
use crate::server::{ServerProcess, again, on_free_port, program};

/// A PostgreSQL server of one test, on a free loopback port, in a folder that is removed on drop.
///
/// The superuser `postgres` needs no password. Writes are not synchronized with the disk, which a killed process
/// does not lose.
#[derive(Debug)]
pub struct PostgresServer {
    address: SocketAddr,
    options: Vec<String>,
    process: ServerProcess,
    account: Account,
    folder: TempDir,
}

impl PostgresServer {
    /// Starts a server, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn start() -> Option<PostgresServer> {
        PostgresServer::with(&[])
    }

    /// Starts a server with additional settings, such as `max_connections=5`.
    pub fn with(settings: &[&str]) -> Option<PostgresServer> {
        let initdb = program("initdb")?;
        let account = Account::named("postgres");
        let folder = data_folder("postgres", account, |data| {
            let mut command = Command::new(initdb);
            command.args(["--no-sync", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D"]);
            succeed(account.run(command.arg(data).current_dir("/")));
        });
        Some(PostgresServer::run(folder, account, settings))
    }

    /// Starts a hot standby of this server, which follows it until [`promote`](Self::promote).
    pub fn standby(&self) -> PostgresServer {
        let folder = temporary(self.account);
        let mut command = Command::new(program("pg_basebackup").expect("it is installed with the server"));
        command.args(["--no-sync", "-R", "-c", "fast", "-U", "postgres", "-h", "127.0.0.1", "-p"]);
        command.arg(self.address.port().to_string()).arg("-D").arg(folder.path().join("data"));
        succeed(self.account.run(command.current_dir("/")));
        PostgresServer::run(folder, self.account, &[])
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote()"), "t", "the standby is promoted");
    }

    fn run(folder: TempDir, account: Account, settings: &[&str]) -> PostgresServer {
        let own = [
            "fsync=off",
            "dynamic_shared_memory_type=mmap",
            "unix_socket_directories=",
            "shared_buffers=16MB",
        ];
        let options: Vec<String> = own.iter().chain(settings).map(ToString::to_string).collect();
        let (address, process) =
            on_free_port("postgres", |address| spawn(address, folder.path(), account, &options));
        PostgresServer { address, options, process, account, folder }
    }

    /// Returns the address, which is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for a client.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address)
    }

    /// Returns the folder of the server's data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Creates a folder below `path` that belongs to the server, and returns it.
    pub fn folder_on(&self, path: &Path) -> PathBuf {
        let folder = path.join("postgres");
        fs::create_dir(&folder).expect("the folder can be written");
        self.account.own(&folder);
        folder
    }

    /// Stops every process with SIGSTOP: sockets stay open, and nothing responds.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Continues a frozen server.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Kills every process. After that the port refuses connections.
    pub fn kill(&mut self) {
        self.process.kill();
        remove_shared_memory(&self.data());
    }

    /// Shuts the server down as an operator does (`pg_ctl stop -m fast`): sessions are terminated with an error.
    pub fn stop(&mut self) {
        self.process.stop("-INT");
    }

    /// Starts the server again after [`kill`](Self::kill) or [`stop`](Self::stop), with its data, on the same port.
    pub fn restart(&mut self) {
        self.process = again(|| spawn(self.address, self.folder.path(), self.account, &self.options));
    }

    /// Runs SQL in a session of its own, and returns the rows as lines, their values separated by `|`.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn sql(&self, sql: &str) -> String {
        let mut command = Command::new(program("psql").expect("it is installed with the server"));
        command.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
        ]);
        succeed(command.arg(self.address.port().to_string()).args(["-c", sql]))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.process.kill();
        remove_shared_memory(&self.data());
    }
}

fn spawn(address: SocketAddr, folder: &Path, account: Account, options: &[String]) -> Option<ServerProcess> {
    let mut command = Command::new(program("postgres")?);
    command.arg("-D").arg(folder.join("data")).current_dir("/");
    command.args(["-p", &address.port().to_string(), "-c", "listen_addresses=127.0.0.1"]);
    options.iter().for_each(|option| {
        command.args(["-c", option]);
    });
    ServerProcess::start(account.run(&mut command), "ready to accept")
}

/// Removes the segment by which a server recognizes that another one runs on its data. A killed one leaves it behind.
fn remove_shared_memory(data: &Path) {
    let Ok(file) = fs::read_to_string(data.join("postmaster.pid")) else { return };
    // Its seventh line: the key and the id.
    if let Some(id) = file.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) {
        // An error means that it has been removed.
        let _ = Command::new("ipcrm").args(["-m", id]).output();
    }
}
