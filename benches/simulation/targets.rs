//! The figures that the adaptive breaker must reach.

use crate::noise;
use crate::policies::{ADAPTIVE, REFERENCE};
use crate::report::{Report, Target};

const IN_TIME: [(&str, &str); 4] = [
    ("catalogue", "24 incidents"),
    ("catalogue", "12 in which calling is right"),
    ("random", "all kinds"),
    ("shaped", "episodes"),
];

/// Bad calls to trip, of the design: a row for each normal share, a column for each rate.
const CALLS_TO_TRIP: [[f64; 4]; 6] = [
    [3.0, 3.0, 3.0, 4.0],
    [4.0, 4.0, 5.0, 5.0],
    [6.0, 6.0, 7.0, 8.0],
    [7.0, 8.0, 9.0, 10.0],
    [10.0, 11.0, 12.0, 14.0],
    [14.0, 16.0, 18.0, 21.0],
];

/// The targets whose figures were measured.
pub(crate) fn of(report: &Report, scenarios: usize) -> Vec<Target> {
    let mut targets = Vec::new();
    for (set, row) in IN_TIME {
        let figures = report.figure(set, row, ADAPTIVE).zip(report.figure(set, row, REFERENCE));
        targets.extend(figures.map(|(ours, reference)| Target {
            what: format!("{set}, {row}: no more than 0.02 below the reference"),
            asked: format!("{:.3}", reference - 0.02),
            found: format!("{ours:.3}"),
            reached: ours >= reference - 0.02,
        }));
    }
    for (set, row, least) in [("shaped", "episodes", 0.38), ("random", "all kinds", 0.66)] {
        targets.extend(report.figure(set, row, ADAPTIVE).map(|ours| Target {
            what: format!("{set}, {row}: better than the reference"),
            asked: format!("{least}"),
            found: format!("{ours:.3}"),
            reached: ours >= least,
        }));
    }
    let most = 50.0 * scenarios as f64 / 1000.0;
    targets.extend(report.figure("random", "crashes", ADAPTIVE).map(|ours| Target {
        what: "random: at most 50 crashes in 1000 scenarios".into(),
        asked: format!("{most:.0}"),
        found: format!("{ours:.0}"),
        reached: ours <= most,
    }));
    targets.extend(trips(report));
    targets.extend(calls_to_trip(report));
    targets
}

fn trips(report: &Report) -> Option<Target> {
    let rows = noise::SHARES.map(noise::at);
    let trips = rows.iter().map(|row| report.figure(noise::TRIPS, row, ADAPTIVE)).sum::<Option<f64>>()?;
    Some(Target {
        what: "no trip by independent errors at the normal share".into(),
        asked: "0".into(),
        found: format!("{trips:.0}"),
        reached: trips == 0.0,
    })
}

fn calls_to_trip(report: &Report) -> Option<Target> {
    let mut off = Vec::new();
    for (share, asked) in noise::SHARES.into_iter().zip(CALLS_TO_TRIP) {
        for (rate, asked) in noise::RATES.into_iter().zip(asked) {
            let row = noise::at_rate(share, rate);
            let found = report.figure(noise::CALLS, &row, ADAPTIVE)?;
            if found != asked {
                off.push(format!("{row}: {found} for {asked}"));
            }
        }
    }
    Some(Target {
        what: "bad calls to trip as in the table of the design".into(),
        asked: "24 of 24".into(),
        found: format!(
            "{} of 24{}{}",
            24 - off.len(),
            if off.is_empty() { "" } else { "; " },
            off.join(", ")
        ),
        reached: off.is_empty(),
    })
}
