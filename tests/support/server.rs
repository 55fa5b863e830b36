//! The process of a real server: started by a test on a free loopback port, stopped by its id.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server. It is killed on drop.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    guard: Guard,
}

/// Kills a server whose test has ended without dropping it: one that was killed, or that keeps its server in a static.
#[derive(Debug)]
struct Guard(Child);

impl Guard {
    fn of(server: &Child, folder: Option<&Path>) -> Guard {
        // Reads until its input ends, which it does with the process of the test, however that ends.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"read -r _; kill -KILL "$0" 2>/dev/null; rm -rf "$@""#])
            .arg(server.id().to_string());
        shell.args(folder);
        Guard(shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("`sh` can be run"))
    }

    /// To be called before the server's id can become that of another process.
    fn end(&mut self) {
        self.0.kill().expect("an own child can be killed");
        self.0.wait().expect("an own child can be waited for");
    }
}

impl ServerProcess {
    /// Starts a program whose output, or whose log on the standard error, contains `ready` once it accepts
    /// connections. Returns [`None`] if it exits before that, for example because its port is taken.
    pub fn start(command: &mut Command, ready: &str) -> Option<ServerProcess> {
        ServerProcess::guarded(command, ready, None)
    }

    /// Like [`start`](Self::start), for a server that a test keeps in a static, which is never dropped: its folder is removed
    /// when the process of the test ends.
    pub fn start_in(folder: &Path, command: &mut Command, ready: &str) -> Option<ServerProcess> {
        ServerProcess::guarded(command, ready, Some(folder))
    }

    fn guarded(command: &mut Command, ready: &str, folder: Option<&Path>) -> Option<ServerProcess> {
        let (output, input) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::null()).stdout(input.try_clone().expect("a second end")).stderr(input);
        let child = command.spawn().expect("it can be run");
        // The command holds ends of its own: the output would not end with the process.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let guard = Guard::of(&child, folder);
        let process = ServerProcess { child, guard };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.any(|line| line.contains(ready)).then_some(())?;
        // Read to its end: a server blocks when its pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Some(process)
    }

    /// Stops the process and its children with SIGSTOP: their sockets stay open, and nothing responds.
    pub fn freeze(&self) {
        // The parent first: after that it has no further children.
        signal("-STOP", &[self.id()]);
        let children = self.children();
        signal("-STOP", &children);
        // The signal has only been sent: a thread on another core may still answer a call.
        while !children.iter().chain([&self.id()]).all(|id| is_stopped(*id)) {
            std::thread::yield_now();
        }
    }

    /// Continues a frozen process and its children.
    pub fn thaw(&self) {
        signal("-CONT", &self.children());
        signal("-CONT", &[self.id()]);
    }

    /// Kills the process and its children, and returns after it has exited.
    pub fn kill(&mut self) {
        if self.child.try_wait().expect("an own child can be waited for").is_some() {
            self.guard.end();
            return;
        }
        signal("-STOP", &[self.id()]);
        let children = self.children();
        self.guard.end();
        self.child.kill().expect("an own child can be killed");
        signal("-KILL", &children);
        self.child.wait().expect("an own child can be waited for");
    }

    /// Asks the process to end by a signal, and returns after it has exited.
    pub fn stop(&mut self, name: &str) {
        signal(name, &[self.id()]);
        self.child.wait().expect("an own child can be waited for");
        self.guard.end();
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processes whose parent this one is: a server may have one per connection.
    fn children(&self) -> Vec<u32> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| parent_of(*id) == Some(self.id())).collect()
    }
}

/// The second field after the name, which is in parentheses.
fn parent_of(id: u32) -> Option<u32> {
    let line = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    line.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Sends a signal to processes. One that has exited meanwhile is no error.
fn signal(name: &str, ids: &[u32]) {
    for id in ids {
        let status = Command::new("kill").args([name, &id.to_string()]).stderr(Stdio::null()).status();
        assert!(status.is_ok(), "`kill` can be run");
    }
}

/// Whether no thread of a process runs any more.
fn is_stopped(id: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    // A thread that has ended meanwhile has no state.
    let mut states = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    // The state follows the name, which may contain anything in its parentheses.
    states.all(|state| state.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X'])))
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server on a free loopback port: `start` gets the address, and returns [`None`] if the port was taken between
/// its choice and the start.
///
/// # Panics
///
/// If it does not start on any of several ports.
pub fn on_free_port<T>(name: &str, start: impl Fn(SocketAddr) -> Option<T>) -> (SocketAddr, T) {
    let started = (0..ATTEMPTS).find_map(|_| {
        let address = free_address();
        Some((address, start(address)?))
    });
    started.unwrap_or_else(|| panic!("{name} starts"))
}

/// Starts a server again on the port that it has had, which another process can have for a moment.
pub(crate) fn again(start: impl Fn() -> Option<ServerProcess>) -> ServerProcess {
    (0..ATTEMPTS).find_map(|_| start()).expect("its port is free again")
}

const ATTEMPTS: usize = 8;

/// Returns the path of a server's program, or [`None`] if it is missing and `HALFOPEN_SKIP_SERVERS=1` permits that.
///
/// # Panics
///
/// If it is missing and that is not permitted, with the command that installs it.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are often in a folder that is only in root's search path. Debian has one per version of PostgreSQL.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .chain(versions.map(|version| version.path().join("bin")));
    installed(name, folders.map(|folder| folder.join(name)))
}

/// Returns the first of these files that exists, or [`None`] if all are missing and `HALFOPEN_SKIP_SERVERS=1` permits that.
///
/// # Panics
///
/// If all are missing and that is not permitted, with the command that installs `name`.
pub fn installed(name: &str, files: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let found = files.into_iter().find(|file| file.is_file());
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;

    use super::ServerProcess;

    const ALIVE: &str = "HALFOPEN_TEST_ALIVE";

    /// The test runs its own program with [`ALIVE`] set, which starts a server and aborts.
    #[test]
    fn a_server_ends_with_its_test() {
        if let Some(alive) = std::env::var_os(ALIVE) {
            let script = r#"exec 3>"$0"; echo ready; sleep 60 3>&-; echo outlived >&3"#;
            let server = ServerProcess::start(Command::new("sh").args(["-c", script]).arg(alive), "ready");
            assert!(server.is_some());
            std::process::abort();
        }
        let folder = tempfile::TempDir::new().unwrap();
        let alive = folder.path().join("alive");
        assert!(Command::new("mkfifo").arg(&alive).status().unwrap().success());
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "server::tests::a_server_ends_with_its_test"]).env(ALIVE, &alive);
        let mut aborted = test.stdout(std::process::Stdio::null()).spawn().unwrap();

        // Ends when nothing can write to it any more.
        let mut written = String::new();
        File::open(&alive).unwrap().read_to_string(&mut written).unwrap();
        assert_eq!(written, "");
        assert!(!aborted.wait().unwrap().success());
    }
}
