//! A concurrent soak test for the requested duration: eight threads and tokio tasks on a handful of breakers,
//! with random outcomes, drops, panics, overrides, new configurations and faulty listeners.
//!
//! `cargo bench -p benches --bench soak -- --seconds 120` (ten by default). It runs in rounds; after each, when
//! all calls have ended, the totals of the breakers must match the operations on them: see [`settle`]. Prints a
//! table; the exit status reports whether an invariant was violated.

mod configs;
mod faults;
mod ledger;
mod memory;
mod operator;
mod options;
mod rng;
mod round;
mod settle;
mod subject;
mod table;
mod tasks;
mod threads;
mod violations;
mod witness;

use std::process::ExitCode;
use std::sync::Arc;

use options::Options;
use subject::Subject;
use violations::Violations;

#[global_allocator]
static ALLOCATOR: memory::Counted = memory::Counted;

/// The first rounds allocate what is allocated once: stripes, queues, the memory of the runtime.
const WARM_UP: usize = 2;
const ROUNDS: usize = 10;
/// The maximum of the bytes in use after a round, above those after the warm-up.
const FLAT: i64 = 16 * 1024;

#[allow(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            println!("soak: {why}");
            return ExitCode::FAILURE;
        }
    };
    let violations = Arc::new(Violations::default());
    let subjects = Arc::new(Subject::all(options.seed, &violations));
    let length = options.length / ROUNDS as u32;
    // Allocated before the first measurement.
    let mut held = Vec::with_capacity(ROUNDS);
    for number in 0..ROUNDS {
        round::run(&subjects, &violations, options.seed + 1_000 * number as u64, length);
        settle::all(&subjects, &violations);
        held.push(memory::live());
    }
    let most = held[WARM_UP..].iter().max().copied().unwrap_or_default();
    let growth = most - held[WARM_UP - 1];
    violations.unless(growth <= FLAT, || {
        format!("memory grew by {growth} bytes after the warm-up; {FLAT} are allowed")
    });
    println!("{}", table::Table { options: &options, subjects: &subjects, held: &held });
    println!("{violations}");
    if violations.none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
