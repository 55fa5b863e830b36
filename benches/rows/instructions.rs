use std::io;

use crate::callgrind::{Callgrind, Counted};
use crate::harness::Case;
use crate::rows;
use crate::table::{Group, Row};

/// Cases that are compared with each other, and with which two of them.
struct Kind {
    title: &'static str,
    base: &'static str,
    limit: &'static str,
    cases: Vec<Case>,
}

/// What the timed rows' calls execute; nothing, with the reason said, where that cannot be counted.
#[allow(clippy::print_stderr, reason = "a word to the person who asked for the table")]
pub(crate) fn groups() -> Vec<Group> {
    counted().unwrap_or_else(|error| {
        eprintln!("instructions are not counted: {error}");
        Vec::new()
    })
}

/// Makes the calls that are counted: so many of the case with this number.
pub(crate) fn run(case: usize, calls: u64) {
    let mut cases = kinds().into_iter().flat_map(|kind| kind.cases);
    cases.nth(case).expect("the number is one of those counted").run(calls);
}

fn kinds() -> Vec<Kind> {
    let kind = |title, base, limit, cases| Kind { title, base, limit, cases };
    vec![
        kind("tower, closed", "bare", "limit", rows::closed_tower::cases()),
        kind("direct, closed", "bare", "load + fetch_add", rows::closed_direct::cases()),
        kind("direct, 1 % fail", "bare", "mutex ring", rows::mixed::cases(100)),
        kind("direct, open", "", "clock + 3 locked", rows::open::direct_cases()),
        kind("tower, open", "", "", rows::open::tower_cases().0),
        kind("listeners", rows::listeners::NEVER, "", rows::listeners::cases()),
        kind("reqwest, closed", "empty", "", rows::reqwest::cases()),
        kind("tonic, closed", "none", "", rows::tonic::cases()),
    ]
}

fn counted() -> io::Result<Vec<Group>> {
    let callgrind = Callgrind::new()?;
    let mut place = 0;
    let mut groups = Vec::new();
    for kind in kinds() {
        let mut counts = Vec::new();
        for case in &kind.cases {
            counts.push((&*case.name, callgrind.per_call(place)?));
            place += 1;
        }
        let find = |name: &str| counts.iter().find(|count| count.0 == name).map(|count| count.1.all);
        let (base, limit) = (find(kind.base), find(kind.limit));
        let title = format!("Instructions, {}", kind.title);
        let rows = counts.iter().map(|(name, counted)| row(name, counted, base, limit));
        groups.push(Group::new(title, "per call").against(kind.base).limited_by(kind.limit).with(rows));
    }
    Ok(groups)
}

fn row(name: &str, counted: &Counted, base: Option<f64>, limit: Option<f64>) -> Row {
    let ratio = |to: Option<f64>| to.map(|to| counted.all / to);
    Row {
        to_base: ratio(base),
        to_limit: ratio(limit),
        locked: Some(counted.locked),
        ..Row::new(name, counted.all, "")
    }
}
