//! Targets, and whether a run reaches them.

pub(crate) fn verdict(reached: bool, target: &str) -> String {
    format!("{}: {target}", if reached { "reached" } else { "MISSED" })
}
