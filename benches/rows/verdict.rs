use crate::rows::claims::claims;
use crate::table::{Group, Row, Table};

/// Something that ours must show, with what this run has measured of it.
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) measured: Option<f64>,
    pub(crate) bound: Bound,
}

/// What must be reached, and what would be better still.
pub(crate) enum Bound {
    AtMost(f64, Option<f64>),
    AtLeast(f64, Option<f64>),
}

/// What ours is held to, and whether it was reached in this run; a row that was not measured is left out.
pub(crate) fn group(table: &Table) -> Group {
    let mut group = Group::new("What ours must show", "as named");
    for Claim { what, measured, bound } in claims(table) {
        if let Some(measured) = measured {
            group.push(Row::new(what, measured, judged(measured, &bound)));
        }
    }
    group
}

/// The bound and where the figure lies: beyond the stretch, within reach, or not.
fn judged(measured: f64, bound: &Bound) -> String {
    let within = |limit: f64| match bound {
        Bound::AtMost(..) => measured <= limit,
        Bound::AtLeast(..) => measured >= limit,
    };
    let (words, reach, stretch) = match *bound {
        Bound::AtMost(reach, stretch) => ("at most", reach, stretch),
        Bound::AtLeast(reach, stretch) => ("at least", reach, stretch),
    };
    let verdict = match (within(reach), stretch.is_some_and(within)) {
        (_, true) => "stretch",
        (true, false) => "reached",
        (false, false) => "MISSED",
    };
    let stretch = stretch.map_or(String::new(), |limit| format!(", stretch {}", figure(limit)));
    format!("{words} {}{stretch}: {verdict}", figure(reach))
}

/// Without digits that say nothing.
fn figure(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}
