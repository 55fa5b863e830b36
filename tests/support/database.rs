//! What the fixtures of databases have in common: the account that runs a server, and prepared data folders.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The account under which a server runs: servers of databases refuse to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account(Option<(u32, u32)>);

impl Account {
    /// Returns the named account, or `nobody` if that is missing, where the test runs as root.
    pub(crate) fn named(name: &str) -> Account {
        if !is_root() {
            return Account(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("root can read the accounts");
        let found = [name, "nobody"].into_iter().find_map(|name| ids(&accounts, name));
        Account(Some(found.expect("there is an account without rights")))
    }

    /// Makes a command run under the account.
    pub(crate) fn run(self, command: &mut Command) -> &mut Command {
        match self.0 {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }

    /// Gives a folder with everything in it to the account.
    pub(crate) fn own(self, folder: &Path) {
        if let Some((user, group)) = self.0 {
            succeed(Command::new("chown").arg("-R").arg(format!("{user}:{group}")).arg(folder));
        }
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("`id` can be run");
    output.stdout == b"0\n"
}

/// The user and the group of a line of `/etc/passwd`.
fn ids(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = accounts
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    fields.next();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Returns a temporary folder with a copy of a data folder in `data`, both owned by the account.
///
/// The first call prepares the original with `prepare`, below the folder of the test's program, where later runs
/// find it: that takes seconds.
pub(crate) fn data_folder(name: &str, account: Account, prepare: impl FnOnce(&Path)) -> TempDir {
    let template = templates().join(name);
    if !template.is_dir() {
        let fresh = temporary(account);
        prepare(&fresh.path().join("data"));
        fs::create_dir_all(templates()).expect("the folder of the program can be written");
        // Of this test alone: another one may prepare the same folder at the same time.
        let beside = TempDir::new_in(templates()).expect("the folder of the program can be written");
        copy(&fresh.path().join("data"), &beside.path().join(name));
        // Renamed whole. If the other one was first, its folder is there, and this one is removed on drop.
        let _ = fs::rename(beside.path().join(name), &template);
    }
    let folder = temporary(account);
    copy(&template, &folder.path().join("data"));
    account.own(folder.path());
    folder
}

/// Returns an empty temporary folder that is owned by the account.
pub(crate) fn temporary(account: Account) -> TempDir {
    let folder = TempDir::new().expect("a folder for temporary files");
    account.own(folder.path());
    folder
}

fn templates() -> PathBuf {
    let program = std::env::current_exe().expect("a test has a program");
    program.parent().expect("a program is in a folder").join("servers")
}

fn copy(from: &Path, to: &Path) {
    succeed(Command::new("cp").arg("-Rp").arg(from).arg(to));
}

/// Runs a command to its end, and returns its output.
///
/// # Panics
///
/// If it fails, with what it has printed.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
