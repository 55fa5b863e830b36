//! The process of a real server: started by a test on a free loopback port, stopped by its id.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server. It is killed on drop.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
}

impl ServerProcess {
    /// Starts a program whose output contains `ready` once it accepts connections. Returns [`None`] if it exits
    /// before that, for example because its port is taken.
    pub fn start(command: &mut Command, ready: &str) -> Option<ServerProcess> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        let output = child.stdout.take().expect("the output is piped");
        let process = ServerProcess { child };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.any(|line| line.contains(ready)).then_some(())?;
        // Read to its end: a server blocks when its pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Some(process)
    }

    /// Stops the process with SIGSTOP: its sockets stay open, and it does not respond.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Continues a frozen process.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Kills the process, and returns after it has exited.
    pub fn kill(&mut self) {
        self.child.kill().expect("an own child can be killed");
        self.child.wait().expect("an own child can be waited for");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {name} of the server");
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // An error means that the process has already exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of a server's program, or [`None`] if it is missing and `HALFOPEN_SKIP_SERVERS=1` permits that.
///
/// # Panics
///
/// If it is missing and that is not permitted, with the command that installs it.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are often in a folder that is only in root's search path.
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let skip = std::env::var("HALFOPEN_SKIP_SERVERS").is_ok_and(|value| value == "1");
        assert!(skip, "{name} is not installed: run `.ci/services`, or set HALFOPEN_SKIP_SERVERS=1");
    }
    found
}

/// Returns a loopback address whose port is currently free.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}
