//! Where results are written.

use std::env;
use std::path::PathBuf;

/// The target directory of the build: the running program is in `<target>/release/deps`.
pub(crate) fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).map_or_else(|| PathBuf::from("target"), PathBuf::from)
}
