//! The cost of a permitted call with a bulkhead, a rate limit and the protection of an axum route, compared
//! with the peers and with an unprotected call.
//!
//! `cargo bench -p benches --bench limits` measures everything in interleaved rounds, counts instructions if
//! valgrind is installed, and prints one table; group names select some of the groups.
#![allow(dead_code, reason = "the harness is shared with the breaker's rows, which use more of it")]

mod alloc;
#[path = "limits/bulkheads.rs"]
mod bulkheads;
mod callgrind;
mod harness;
#[path = "limits/axum.rs"]
mod in_axum;
mod listing;
mod machine;
mod print;
#[path = "limits/rates.rs"]
mod rated;
mod rates;
mod services;
mod table;
mod wanted;

use callgrind::Callgrind;
use harness::{Case, measure};
use table::{Group, Row, Table};
use wanted::Wanted;

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

/// Cases that are compared with one of them.
struct Kind {
    title: &'static str,
    base: &'static str,
    cases: fn() -> Vec<Case>,
}

const KINDS: [Kind; 5] = [
    Kind { title: "bulkhead", base: bulkheads::SEMAPHORE, cases: bulkheads::direct },
    Kind { title: "bulkhead-layer", base: bulkheads::RESILIENCE, cases: bulkheads::layers },
    Kind { title: "rate", base: rated::GOVERNOR, cases: rated::cases },
    Kind { title: "rate-quanta", base: rated::GOVERNOR_QUANTA, cases: rated::with_quanta },
    Kind { title: "axum", base: in_axum::NO_OP, cases: in_axum::cases },
];

/// Larger than the number of cases of a kind: the index of a counted case is the index of its kind times this,
/// plus its own.
const PLACES: usize = 100;

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a table for the person who asked for it")]
fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    if let Some((case, calls)) = callgrind::asked() {
        // No other kind is built: a clock that calibrates itself executes a different number of instructions
        // each time.
        let mut cases = (KINDS[case / PLACES].cases)();
        cases[case % PLACES].run(calls);
        return Ok(());
    }
    let wanted = Wanted::of(std::env::args().skip(1));
    let mut table = Table { machine: machine::line(), ..Table::default() };
    for kind in KINDS.iter().filter(|kind| wanted.has(kind.title)) {
        table.push(Group::of_timings(kind.title, &measure((kind.cases)()), kind.base, ""));
    }
    match Callgrind::new() {
        Ok(callgrind) => count(&callgrind, &mut table, &wanted)?,
        Err(error) => eprintln!("instructions are not counted: {error}"),
    }
    println!("{}", table.markdown());
    Ok(())
}

/// Adds the instructions per call; the note is the difference from the base.
fn count(callgrind: &Callgrind, table: &mut Table, wanted: &Wanted) -> std::io::Result<()> {
    for (place, kind) in KINDS.iter().enumerate().filter(|(_, kind)| wanted.has(kind.title)) {
        let names: Vec<_> = (kind.cases)().iter().map(|case| case.name.clone()).collect();
        let places = PLACES * place..PLACES * place + names.len();
        let counted = places.map(|place| callgrind.per_call(place)).collect::<Result<Vec<_>, _>>()?;
        let base = names.iter().position(|name| name == kind.base).map_or(0.0, |base| counted[base].all);
        let rows = names.iter().zip(&counted).map(|(name, counted)| Row {
            to_base: Some(counted.all / base),
            locked: Some(counted.locked),
            ..Row::new(name, counted.all, format!("{:+.0}", counted.all - base))
        });
        let title = format!("Instructions, {}", kind.title);
        table.push(Group::new(title, "per call").against(kind.base).with(rows));
    }
    Ok(())
}
