//! The scores in each set of scenarios.

use simulator::Set;
use simulator::run::Maker;

use crate::policies::Named;
use crate::report::Report;

/// Adds the tables of a set; `count` and `seed` are of a drawn one.
pub(crate) fn add(
    report: &mut Report,
    policies: &[Named],
    set: Set,
    seeds: u64,
    (count, seed): (usize, u64),
) {
    let seeds: Vec<u64> = (1..=seeds).collect();
    let makers: Vec<&Maker<'_>> = policies.iter().map(|policy| &*policy.make).collect();
    report.tables.extend(set.scores(&set.scenarios(count, seed), &seeds, &makers));
}
