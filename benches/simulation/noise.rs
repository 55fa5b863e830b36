//! A service in which nothing happens.

use simulator::Scores;
use simulator::noise::{Noise, bad_calls_in_a_row, trips as count};

use crate::policies::Named;
use crate::report::Report;

pub(crate) const TRIPS: &str = "trips without an incident";
pub(crate) const CALLS: &str = "bad calls in a row to trip";

/// The normal shares of bad calls, in percent.
pub(crate) const SHARES: [f64; 6] = [0.1, 1.0, 5.0, 10.0, 20.0, 35.0];
/// The rates of calls, a second.
pub(crate) const RATES: [f64; 4] = [0.2, 2.0, 50.0, 1000.0];

/// The name of a row.
pub(crate) fn at(share: f64) -> String {
    format!("{share} % bad")
}

/// The name of a row.
pub(crate) fn at_rate(share: f64, rate: f64) -> String {
    format!("{share} % bad, {rate}/s")
}

pub(crate) fn trips(report: &mut Report, policies: &[Named], calls: u64) {
    let mut rows = Vec::new();
    let mut add = |name: &str, noise: Noise| {
        let found: Vec<_> =
            policies.iter().map(|policy| count(&mut *(policy.make)(1), noise, calls, 11)).collect();
        let row = |name: String, figure: &dyn Fn(usize) -> u64| {
            (name, (0..found.len()).map(|place| figure(place) as f64).collect())
        };
        rows.push(row(name.into(), &|place| found[place].trips));
        rows.push(row(format!("{name}: rejected calls"), &|place| found[place].rejected));
    };
    for share in SHARES {
        add(&at(share), Noise { share: share / 100.0, after_a_bad_one: None });
    }
    for (share, sticks) in [(1.0, 0.3), (5.0, 0.3), (10.0, 0.3), (5.0, 0.5), (10.0, 0.5)] {
        let noise = Noise { share: share / 100.0, after_a_bad_one: Some(sticks) };
        add(&format!("{}, {:.0} % after a bad one", at(share), 100.0 * sticks), noise);
    }
    report.tables.push(Scores { title: format!("{TRIPS}, {calls} calls"), rows });
}

pub(crate) fn calls_to_trip(report: &mut Report, policies: &[Named]) {
    let mut rows = Vec::new();
    for share in SHARES {
        for rate in RATES {
            let after = if rate < 1.0 { 5_000 } else { 20_000 };
            let figures = policies
                .iter()
                .map(|policy| {
                    f64::from(bad_calls_in_a_row(&mut *(policy.make)(1), share / 100.0, rate, after))
                })
                .collect();
            rows.push((at_rate(share, rate), figures));
        }
    }
    report.tables.push(Scores { title: CALLS.into(), rows });
}
