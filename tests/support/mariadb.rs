//! A real MariaDB server, and its failures.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::database::{Account, data_folder, succeed};
use crate::server::{ServerProcess, again, on_free_port, program};

/// A MariaDB server of one test, on a free loopback port, in a folder that is removed on drop.
///
/// The user `root` needs no password. Writes are not synchronized with the disk, which a killed process does not lose.
#[derive(Debug)]
pub struct MariaDbServer {
    address: SocketAddr,
    options: Vec<String>,
    process: ServerProcess,
    account: Account,
    folder: TempDir,
}

impl MariaDbServer {
    /// Starts a server, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn start() -> Option<MariaDbServer> {
        MariaDbServer::with(&[])
    }

    /// Starts a server with additional options, such as `--max-connections=10`.
    pub fn with(options: &[&str]) -> Option<MariaDbServer> {
        program("mariadbd")?;
        let install = program("mariadb-install-db")?;
        let account = Account::named("mysql");
        let folder = data_folder("mariadb", account, |data| {
            let mut command = Command::new(install);
            command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
            command.args(["--innodb-log-file-size=8M"]);
            succeed(account.run(command.arg(format!("--datadir={}", data.display())).current_dir("/")));
        });
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let (address, process) =
            on_free_port("mariadbd", |address| spawn(address, folder.path(), account, &options));
        Some(MariaDbServer { address, options, process, account, folder })
    }

    /// Returns the address, which is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for a client, with the empty database `test`.
    pub fn url(&self) -> String {
        format!("mysql://root@{}/test", self.address)
    }

    /// Returns the folder of the server's data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Creates a folder below `path` that belongs to the server, and returns it.
    pub fn folder_on(&self, path: &Path) -> PathBuf {
        let folder = path.join("mariadb");
        std::fs::create_dir(&folder).expect("the folder can be written");
        self.account.own(&folder);
        folder
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

    /// Shuts the server down as an operator does.
    pub fn stop(&mut self) {
        self.process.stop("-TERM");
    }

    /// Starts the server again after [`kill`](Self::kill) or [`stop`](Self::stop), with its data, on the same port.
    pub fn restart(&mut self) {
        self.process = again(|| spawn(self.address, self.folder.path(), self.account, &self.options));
    }

    /// Runs SQL in a session of its own, and returns the rows as lines, their values separated by tabs.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn sql(&self, sql: &str) -> String {
        let mut command = Command::new(program("mariadb").expect("it is installed with the server"));
        command.args(["--no-defaults", "-N", "-B", "-u", "root", "-h", "127.0.0.1", "-P"]);
        succeed(command.arg(self.address.port().to_string()).args(["-e", sql]))
    }
}

fn spawn(address: SocketAddr, folder: &Path, account: Account, options: &[String]) -> Option<ServerProcess> {
    let mut command = Command::new(program("mariadbd")?);
    command.arg("--no-defaults").current_dir("/");
    for (option, path) in [
        ("datadir", folder.join("data")),
        ("socket", folder.join("socket")),
        ("pid-file", folder.join("pid")),
    ] {
        command.arg(format!("--{option}={}", path.display()));
    }
    command.args(["--bind-address=127.0.0.1", &format!("--port={}", address.port())]);
    command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=8M"]);
    command.args(["--innodb-log-file-size=8M", "--skip-name-resolve", "--performance-schema=off"]);
    ServerProcess::start(account.run(command.args(options)), "ready for connections")
}
