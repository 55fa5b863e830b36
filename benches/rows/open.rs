use std::hint::black_box;
use std::sync::Arc;

use failsafe::CircuitBreaker as _;
use halfopen::CircuitBreaker;
use halfopen_tower::CircuitBreakerLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::configs;
use crate::harness::{Case, Timing, measure};
use crate::peers::{self, OpenFloor};
use crate::services::{Broken, Failed, Touched, drive};
use crate::table::{Group, Row};

/// Open: every call is rejected, and none reaches the inner service.
pub(crate) fn groups() -> Vec<Group> {
    let (mut cases, touched) = tower_cases();
    cases.splice(0..0, direct_cases());
    for touched in &touched {
        touched.forget();
    }
    let timings = measure(cases);
    let rows = timings.iter().map(|timing| row(timing, &timings[0]));
    let first_tower = timings.len() - touched.len();
    let seen = timings[first_tower..].iter().zip(&touched);
    let seen = seen.map(|(timing, touched)| Row::new(&*timing.name, touched.both() as f64, ""));
    vec![
        Group::new("Open, rejected", "ns").against("clock + 3 locked").with(rows),
        Group::new("Open, inner service polled or called", "times in all rounds").with(seen),
    ]
}

fn row(timing: &Timing, base: &Timing) -> Row {
    Row { to_base: Some(timing.ratio(base)), allocations: Some(timing.allocations), ..Row::timed(timing) }
}

pub(crate) fn direct_cases() -> Vec<Case> {
    let floor = OpenFloor::new();
    let mut cases = vec![case("clock + 3 locked", move || floor.call().is_err())];
    let breaker = opened();
    cases.push(case("halfopen, direct", move || breaker.call_blocking(|| Ok::<_, Failed>(1)).is_err()));
    let breaker = opened();
    cases.push(case("halfopen, check", move || breaker.check().is_err()));
    let breaker = peers::recloser();
    cases.push(case("recloser 1.4, direct", move || breaker.call(|| Err::<u64, _>(Failed)).is_err()));
    let breaker = peers::failsafe_consecutive();
    cases.push(case("failsafe 1.3, direct", move || breaker.call(|| Err::<u64, _>(Failed)).is_err()));
    cases
}

/// The cases, and the calls that reached the inner service of each.
pub(crate) fn tower_cases() -> (Vec<Case>, Vec<Arc<Touched>>) {
    let layer = || CircuitBreakerLayer::new(opened());
    let mut cases = Vec::new();
    let mut touched = Vec::new();
    let mut add = |(case, seen): (Case, Arc<Touched>)| {
        cases.push(case);
        touched.push(seen);
    };
    add(stack("halfopen, tower", |inner| layer().layer(inner)));
    add(stack("halfopen, tower, typed errors", |inner| layer().typed_errors().layer(inner)));
    add(stack("halfopen, tower, on_rejected", |inner| layer().on_rejected(|_, n| Ok(n)).layer(inner)));
    add(stack("breaker 2, tower", peers::breaker_two));
    add(stack("seatbelt 0.11, tower", peers::seatbelt));
    add(stack("tower-resilience 0.14, tower", peers::resilience));
    (cases, touched)
}

/// Our breaker, open for the whole measurement.
fn opened() -> CircuitBreaker {
    let breaker = configs::breaker(&configs::count());
    breaker.open_for(configs::LONG);
    breaker
}

/// A case in which no call may succeed, after enough failures to open any breaker.
fn case(name: &str, rejected: impl Fn() -> bool + 'static) -> Case {
    let mut case = Case::new(name, move |calls| {
        for _ in 0..calls {
            assert!(black_box(rejected()), "an open breaker rejects");
        }
    });
    case.run(200);
    case
}

fn stack<S: Service<u64> + 'static>(name: &str, make: impl FnOnce(Broken) -> S) -> (Case, Arc<Touched>) {
    let inner = Broken::default();
    let touched = Arc::clone(&inner.0);
    let mut service = make(inner);
    let mut case = Case::new(name, move |calls| drive(&mut service, calls));
    case.run(200);
    (case, touched)
}
