//! ninelives, measured by a separate program.
//!
//! It requires tokio ~1.48, and a lock file contains a single tokio 1.x: in this workspace all other crates
//! would have to use 1.48. So `benches/ninelives` is a separate workspace with its own lock file. It is built
//! from the same files as this program, in the same way, and runs the bare service, the limit and our
//! breaker in the same interleaved rounds: its ratios are comparable with all others, its nanoseconds only
//! among themselves.

use std::env;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::table::{Group, Table};

/// The groups of ninelives; empty, with the reason printed, if the program cannot be built.
#[allow(clippy::print_stderr, reason = "a word to the person who asked for the table")]
pub(crate) fn groups() -> Vec<Group> {
    measured().unwrap_or_else(|error| {
        eprintln!("ninelives is not measured: {error}");
        Vec::new()
    })
}

fn measured() -> io::Result<Vec<Group>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("ninelives/Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(crate::folder::target().join("ninelives"))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("its program ended with {}", output.status)));
    }
    let table: Table = serde_json::from_slice(&output.stdout)?;
    Ok(table.groups)
}
