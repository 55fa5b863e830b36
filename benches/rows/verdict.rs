use crate::rows::claims::claims;
use crate::table::{Group, Row, Table};

/// A claim about our breaker, with the figure measured in this run.
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) measured: Option<f64>,
    pub(crate) bound: Bound,
}

/// The required bound, and a stricter stretch target.
pub(crate) enum Bound {
    AtMost(f64, Option<f64>),
    AtLeast(f64, Option<f64>),
}

/// Our targets, and whether this run reached them; a row that was not measured is omitted.
pub(crate) fn group(table: &Table) -> Group {
    let mut group = Group::new("What ours must show", "as named");
    for Claim { what, measured, bound } in claims(table) {
        if let Some(measured) = measured {
            group.push(Row::new(what, measured, judged(measured, &bound)));
        }
    }
    group
}

/// The bound and the position of the figure: beyond the stretch target, within the bound, or outside.
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

/// Without insignificant digits.
fn figure(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}
