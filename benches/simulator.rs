//! The worth of a breaker's decisions in front of simulated services: the adaptive breaker, rules with the default
//! and with the best numbers, the design's reference and other libraries' rules.
//!
//! `cargo bench -p benches --bench simulator` prints the scores in each set (`catalogue`, `random`, `shaped`), the trips
//! of a service in which nothing happens (`noise`), and the targets; set names select some. `--seeds 10`,
//! `--scenarios 1000` and `--calls 2000000` are the size of a full run, and `--seed` draws other scenarios.

mod folder;
mod machine;
#[path = "simulation/noise.rs"]
mod noise;
#[path = "simulation/policies.rs"]
mod policies;
#[path = "simulation/report.rs"]
mod report;
#[path = "simulation/sets.rs"]
mod sets;
#[path = "simulation/targets.rs"]
mod targets;
mod wanted;

use report::Report;
use simulator::Set;
use wanted::Wanted;

/// The size of a run.
struct Size {
    /// Seeds of the catalogue.
    seeds: u64,
    /// Scenarios of each drawn set.
    scenarios: usize,
    /// Of the drawn sets.
    seed: u64,
    /// Calls of each noise.
    calls: u64,
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a table for the person who asked for it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut size = Size { seeds: 3, scenarios: 300, seed: 90_007, calls: 2_000_000 };
    let mut wanted = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().unwrap_or_default().parse::<u64>();
        match &*word {
            "--bench" => {}
            "--seeds" => size.seeds = number()?,
            "--scenarios" => size.scenarios = usize::try_from(number()?)?,
            "--seed" => size.seed = number()?,
            "--calls" => size.calls = number()?,
            "catalogue" | "random" | "shaped" | "noise" => wanted.push(word),
            _ => return Err(format!("{word}: not a set or an option").into()),
        }
    }
    let wanted = Wanted::of(wanted.into_iter());
    let policies = policies::all();
    let drawn = (size.scenarios, size.seed);
    let mut report = Report::new(machine::line(), &policies);
    if wanted.has("catalogue") {
        sets::add(&mut report, &policies, Set::Catalogue, size.seeds, drawn);
    }
    if wanted.has("random") {
        sets::add(&mut report, &policies, Set::Random, 1, drawn);
    }
    if wanted.has("shaped") {
        sets::add(&mut report, &policies, Set::Shaped, 1, drawn);
    }
    if wanted.has("noise") {
        noise::trips(&mut report, &policies, size.calls);
        noise::calls_to_trip(&mut report, &policies);
    }
    report.targets = targets::of(&report, size.scenarios);
    println!("{}", report.markdown());
    for path in report.write(&folder::target().join("bench"))? {
        println!("written to {}", path.display());
    }
    Ok(())
}
