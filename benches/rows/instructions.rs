use std::io;

use crate::callgrind::{Callgrind, Counted};
use crate::harness::Case;
use crate::rows;
use crate::table::{Group, Row};

/// Cases that are compared with each other, and the two of them that are the references.
struct Kind {
    title: &'static str,
    base: &'static str,
    limit: &'static str,
    cases: fn() -> Vec<Case>,
}

const KINDS: [Kind; 8] = [
    Kind::new("tower, closed", "bare", "limit", rows::closed_tower::cases),
    Kind::new("direct, closed", "bare", "load + fetch_add", rows::closed_direct::cases),
    Kind::new("direct, 1 % fail", "bare", "mutex ring", || rows::mixed::cases(100)),
    Kind::new("direct, open", "", "clock + 3 locked", rows::open::direct_cases),
    Kind::new("tower, open", "", "", || rows::open::tower_cases().0),
    Kind::new("listeners", rows::listeners::NEVER, "", rows::listeners::cases),
    Kind::new("reqwest, closed", "empty", "", rows::reqwest::cases),
    Kind::new("tonic, closed", "none", "", rows::tonic::cases),
];

/// Larger than the number of cases of a kind: the index of a counted case is the index of its kind times this,
/// plus its own.
const PLACES: usize = 100;

impl Kind {
    const fn new(
        title: &'static str,
        base: &'static str,
        limit: &'static str,
        cases: fn() -> Vec<Case>,
    ) -> Kind {
        Kind { title, base, limit, cases }
    }
}

/// The instructions of the timed rows' calls; empty, with the reason printed, if they cannot be counted.
#[allow(clippy::print_stderr, reason = "a word to the person who asked for the table")]
pub(crate) fn groups() -> Vec<Group> {
    counted().unwrap_or_else(|error| {
        eprintln!("instructions are not counted: {error}");
        Vec::new()
    })
}

/// Makes the counted calls: this number of them, of the case with this index.
pub(crate) fn run(case: usize, calls: u64) {
    // No other kind is built: it would take most of the time of a counted run, and a clock that calibrates
    // itself executes a different number of instructions each time.
    let mut cases = (KINDS[case / PLACES].cases)();
    cases[case % PLACES].run(calls);
}

#[allow(clippy::print_stderr, reason = "a sign of life: counting takes minutes")]
fn counted() -> io::Result<Vec<Group>> {
    let callgrind = Callgrind::new()?;
    let mut groups = Vec::new();
    for (place, kind) in KINDS.iter().enumerate() {
        let names: Vec<_> = (kind.cases)().into_iter().map(|case| case.name).collect();
        let mut counts = Vec::new();
        for (case, name) in names.iter().enumerate() {
            counts.push((name, callgrind.per_call(PLACES * place + case)?));
        }
        let find = |name: &str| counts.iter().find(|count| *count.0 == name).map(|count| count.1.all);
        let (base, limit) = (find(kind.base), find(kind.limit));
        let title = format!("Instructions, {}", kind.title);
        let rows = counts.iter().map(|(name, counted)| row(name, counted, base, limit));
        groups.push(Group::new(title, "per call").against(kind.base).limited_by(kind.limit).with(rows));
        eprint!(" {} ({} of {})", kind.title, place + 1, KINDS.len());
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
