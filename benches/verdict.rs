//! Targets, and whether a run reaches them.

use crate::harness::{Timing, median};

/// The median of the ratios of a timing to `base` in each round, where the two are neighbours: load that lasts longer than
/// a round concerns both.
pub(crate) fn paired_ratio(timing: &Timing, base: &Timing) -> f64 {
    median(timing.rounds.iter().zip(&base.rounds).map(|(mine, its)| mine / its).collect())
}

pub(crate) fn verdict(reached: bool, target: &str) -> String {
    format!("{}: {target}", if reached { "reached" } else { "MISSED" })
}
