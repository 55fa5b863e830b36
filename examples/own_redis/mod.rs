//! A `redis-server` that an example starts on a free port, and that is stopped with it.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

/// The process, and its port on the loopback.
pub(crate) struct OwnRedis {
    process: Child,
    port: u16,
}

impl OwnRedis {
    /// Starts a server; returns when it accepts connections.
    pub(crate) fn start() -> io::Result<OwnRedis> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(OwnRedis { process: spawn(port)?, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    #[allow(dead_code, reason = "not every example stops it")]
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    #[allow(dead_code, reason = "not every example stops it")]
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.process = spawn(self.port)?;
        Ok(())
    }
}

fn spawn(port: u16) -> io::Result<Child> {
    let port = port.to_string();
    let mut process = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::other(format!("redis-server: {error}; `.ci/services` installs it")))?;
    let output = process.stdout.take().map(BufReader::new);
    let mut lines = output.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
    let is_ready = lines.any(|line| line.contains("Ready to accept connections"));
    is_ready.then_some(process).ok_or_else(|| io::Error::other("redis-server ended before it was ready"))
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // An error means that the process has already exited.
        let _ = self.stop();
    }
}
