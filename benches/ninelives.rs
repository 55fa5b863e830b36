//! ninelives, measured by a program of its own.
//!
//! It asks for tokio ~1.48, and one lock file holds one tokio 1.x: in this workspace all the others would
//! have to go back to 1.48. So `benches/ninelives` is a workspace by itself, with a lock file of its own.
//! It is built of the same files as this program, in the same way, and has the bare service, the limit and
//! ours in the same interleaved rounds: its ratios compare as all others do, its nanoseconds only among
//! themselves.

use std::env;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::table::{Group, Table};

/// Its groups; nothing, with the reason said, where it cannot be built.
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
        .arg(crate::target().join("ninelives"))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("its program ended with {}", output.status)));
    }
    let table: Table = serde_json::from_slice(&output.stdout)?;
    Ok(table.groups)
}
