//! The process of a real server: started by a test on a free loopback port, stopped by its id.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
}

impl ServerProcess {
    /// Starts a program whose output contains `ready` as soon as it accepts connections. [`None`] if it ended
    /// before that, as one does that found its port taken.
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
        // Read to its end: a server whose pipe is full stops.
        std::thread::spawn(move || lines.for_each(drop));
        Some(process)
    }

    /// Stops the process where it is: its sockets stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Continues a frozen process.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Kills the process, and returns after its end.
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
        // An error is that of a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of a server's program, or [`None`] if it is missing and `HALFOPEN_SKIP_SERVERS=1` permits that.
///
/// # Panics
///
/// If it is missing and nothing permits that, with the line that installs it.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are often in a folder that only root searches.
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let skip = std::env::var("HALFOPEN_SKIP_SERVERS").is_ok_and(|value| value == "1");
        assert!(skip, "{name} is not installed: run `.ci/services`, or set HALFOPEN_SKIP_SERVERS=1");
    }
    found
}

/// Returns an address on the loopback that is free at this moment.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}
