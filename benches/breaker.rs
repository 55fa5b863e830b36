//! The cost of a call through a breaker, compared with the minimum and with the peers.
//!
//! `cargo bench -p benches` measures everything in interleaved rounds and prints one table;
//! `cargo bench -p benches --bench breaker -- tower memory` measures only the named groups.

mod alloc;
mod callgrind;
mod configs;
mod folder;
mod harness;
mod limit;
mod listing;
mod machine;
mod ninelives;
mod peers;
mod print;
mod rates;
mod rows;
mod services;
mod table;
mod wanted;

use table::{Group, Table};
use wanted::Wanted;

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

type Measure<'a> = (&'static str, Box<dyn Fn() -> Vec<Group> + 'a>);

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a table for the person who asked for it")]
fn main() -> std::io::Result<()> {
    if let Some((case, calls)) = callgrind::asked() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let _entered = runtime.enter();
        rows::instructions::run(case, calls);
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    // Some peers cannot be built, or cannot reject, without a runtime.
    let _entered = runtime.enter();
    let wanted = Wanted::of(std::env::args().skip(1));
    let mut questions = questions(runtime.handle());
    questions.retain(|(name, _)| wanted.has(name));
    let mut table = Table { machine: machine::line(), ..Table::default() };
    for (place, (name, measure)) in questions.iter().enumerate() {
        eprint!("measuring {} of {}: {name} ...", place + 1, questions.len());
        let took = harness::timed(|| measure().into_iter().for_each(|group| table.push(group)));
        eprintln!(" {:.0} s", took.as_secs_f64());
    }
    let verdicts = rows::verdict::group(&table);
    table.push(verdicts);
    println!("{}", table.markdown());
    for path in table.write(&folder::target().join("bench"), "breaker")? {
        println!("written to {}", path.display());
    }
    Ok(())
}

fn questions(runtime: &tokio::runtime::Handle) -> Vec<Measure<'_>> {
    vec![
        ("tower", Box::new(|| vec![rows::closed_tower::group()])),
        ("direct", Box::new(|| vec![rows::closed_direct::group()])),
        ("clocks", Box::new(|| vec![rows::clocks::group()])),
        ("mixed", Box::new(|| [100, 10].map(rows::mixed::group).into())),
        ("open", Box::new(rows::open::groups)),
        ("async", Box::new(rows::calls::groups)),
        ("threads", Box::new(|| [1, 2, 4, 8].map(rows::contention::direct).into())),
        ("open-threads", Box::new(|| [1, 2].map(rows::contention::open).into())),
        ("tower-threads", Box::new(|| [1, 2].map(rows::contention::tower).into())),
        ("tasks", Box::new(|| vec![rows::tasks::group(runtime)])),
        ("listeners", Box::new(|| vec![rows::listeners::group()])),
        ("observed", Box::new(rows::observed::groups)),
        ("time-window", Box::new(rows::time_window::groups)),
        ("waiters", Box::new(|| vec![rows::waiters::group()])),
        ("memory", Box::new(|| vec![rows::memory::group()])),
        ("registry", Box::new(|| vec![rows::registry::group()])),
        ("documents", Box::new(|| vec![rows::documents::group(), rows::documents::large()])),
        ("reqwest", Box::new(|| vec![rows::reqwest::group()])),
        ("tonic", Box::new(|| vec![rows::tonic::group()])),
        ("loopback", Box::new(rows::loopback::groups)),
        ("detection", Box::new(|| vec![rows::detection::group()])),
        ("ninelives", Box::new(ninelives::groups)),
        ("instructions", Box::new(rows::instructions::groups)),
    ]
}
