//! The machine and the build, without which the figures cannot be interpreted.

use std::env;
use std::fs;
use std::process::Command;
use std::thread;

/// Processor, cores, compiler and how this was built.
pub(crate) fn line() -> String {
    let cores = thread::available_parallelism().map_or_else(|_| "?".into(), |cores| cores.to_string());
    let form = if cfg!(debug_assertions) { "debug, NOT to be compared" } else { "optimised, lto" };
    format!("{}, {cores} cores, {}, {form}", processor(), compiler())
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| env::consts::ARCH.into(), |(_, model)| model.trim().into())
}

fn compiler() -> String {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(program).arg("--version").output().map(|output| output.stdout);
    match told.map(String::from_utf8) {
        Ok(Ok(version)) if !version.is_empty() => version.trim().into(),
        _ => "rustc of unknown version".into(),
    }
}
