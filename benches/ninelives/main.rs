//! The rows that contain ninelives, next to the limit and our breaker: a table as JSON, for
//! `benches/ninelives.rs`.

#![allow(dead_code, reason = "the files are those of the benches, which use more of them")]

#[path = "../alloc.rs"]
mod alloc;
#[path = "../configs.rs"]
mod configs;
#[path = "../peers/floor.rs"]
mod floor;
#[path = "../harness.rs"]
mod harness;
#[path = "../limit.rs"]
mod limit;
#[path = "../rates.rs"]
mod rates;
#[path = "../services.rs"]
mod services;
#[path = "../table.rs"]
mod table;

use halfopen_tower::{CircuitBreakerLayer, CircuitBreakerService};
use ninelives::{CircuitBreakerConfig, CircuitBreakerLayer as NinelivesLayer};
use tower_layer::Layer;
use tower_service::Service;

use harness::{Case, measure};
use limit::Limit;
use services::{Boxed, FAIL, Inner, drive, one};
use table::{Group, Row, Table};

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

const OURS: &str = "halfopen, consecutive 5";
const THEIRS: &str = "ninelives 0.2, consecutive 5";

fn main() -> std::io::Result<()> {
    let groups = vec![closed(), open(), threads(1), threads(2), memory(), detection()];
    let table = Table { machine: String::new(), groups };
    serde_json::to_writer(std::io::stdout(), &table)?;
    Ok(())
}

/// Five in a row; it has no other rule.
fn ninelives<S>(inner: S) -> <NinelivesLayer as Layer<S>>::Service {
    let config = CircuitBreakerConfig::new(5, configs::LONG, 1).expect("its configuration is valid");
    NinelivesLayer::new(config).expect("its configuration is valid").layer(inner)
}

fn ours() -> CircuitBreakerService<Inner> {
    configs::stack(&configs::consecutive())
}

fn closed() -> Group {
    let cases = vec![
        stack("bare", Inner),
        stack("bare, future boxed", Boxed),
        stack("limit", Limit::<Inner, false>::default()),
        stack("limit + 2 clock reads", Limit::<Inner, true>::default()),
        stack(OURS, ours()),
        stack(THEIRS, ninelives(Inner)),
    ];
    Group::of_timings("ninelives: tower, closed, success", &measure(cases), "bare", "limit")
}

fn open() -> Group {
    let opened = configs::breaker(&configs::consecutive());
    opened.open_for(configs::LONG);
    let floor = floor::OpenFloor::new();
    let floor = move |calls| (0..calls).for_each(|_| _ = std::hint::black_box(floor.call()));
    let cases = vec![
        Case::new("clock + 3 locked", floor),
        stack(OURS, CircuitBreakerLayer::new(opened).layer(Inner)),
        failing(ninelives(Inner)),
    ];
    Group::of_timings("ninelives: tower, open, rejected", &measure(cases), "clock + 3 locked", "")
}

/// Opened by its first failures.
fn failing<S: Service<u64> + 'static>(mut service: S) -> Case {
    for _ in 0..100 {
        let _ = one(&mut service, FAIL);
    }
    stack(THEIRS, service)
}

fn threads(callers: usize) -> Group {
    let cases = [
        rates::clones("bare", callers, Inner),
        rates::clones("limit", callers, Limit::<Inner, false>::default()),
        rates::clones(OURS, callers, ours()),
        rates::clones(THEIRS, callers, ninelives(Inner)),
    ];
    let title = format!("ninelives: one breaker, tower, threads: {callers}");
    rates::rates(&title, callers as u64, &cases, "bare", "limit")
}

fn memory() -> Group {
    let mut group = Group::new("ninelives: memory of one breaker, in a stack", "bytes");
    group.push(made(OURS, || CircuitBreakerService::new(Inner, configs::breaker(&configs::consecutive()))));
    group.push(made(THEIRS, || ninelives(Inner)));
    group
}

fn made<T>(name: &str, make: impl Fn() -> T) -> Row {
    drop(make());
    let (it, seen) = alloc::watch(make);
    let inline = size_of_val(&it);
    let bytes = inline as f64 + seen.live as f64;
    let note = format!("{inline} inline");
    Row { allocations: Some(seen.allocations as f64), ..Row::new(name, bytes, note) }
}

fn detection() -> Group {
    let mut group = Group::new("ninelives: failing calls until open", "calls");
    for healthy in [0, 1_000, 1_000_000] {
        group.push(Row::new(format!("{THEIRS}, after {healthy}"), until_open(healthy), ""));
    }
    group
}

fn until_open(healthy: u64) -> f64 {
    let mut service = ninelives(Inner);
    for n in 0..healthy {
        assert!(one(&mut service, n).is_ok(), "a healthy call passes");
    }
    let rejected = |error| matches!(error, ninelives::ResilienceError::CircuitOpen { .. });
    let failing = (0..3_000_000_u32).find(|_| one(&mut service, FAIL).is_err_and(rejected));
    failing.map_or(f64::MAX, f64::from)
}

fn stack<S: Service<u64> + 'static>(name: &str, mut service: S) -> Case {
    Case::new(name, move |calls| drive(&mut service, calls))
}
