//! Random histories of the breaker against the reference model.
//!
//! Every case generates settings and several hundred steps (calls that overlap and end in any order, drops,
//! clock steps to and around every deadline, overrides, new configurations, hints) and compares all observable
//! state after each step: the result of the admission, `state()`, `check()`, `snapshot()`, and the events with
//! their order.
//!
//! `HALFOPEN_MODEL_CASES=2000 HALFOPEN_MODEL_STEPS=2000 cargo test -p tests --test model --release any_` runs
//! longer: this number of histories of each kind, each of at most this number of steps. A failure prints its
//! shrunken history and is stored in `regressions.txt`; the important ones are repeated in `stories.rs`.

mod adaptive;
mod compare;
mod draw;
mod edges;
mod history;
mod reach;
mod reference;
mod stories;
mod threads;
mod translate;
#[path = "../vectors/vector.rs"]
mod vector;
mod vectors;
mod world;

use history::History;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

#[test]
fn any_history_goes_as_the_model_says() {
    check(draw::history(number("HALFOPEN_MODEL_STEPS").unwrap_or(500)), 250);
}

#[test]
fn any_busy_history_goes_as_the_model_says() {
    check(draw::busy_history(number("HALFOPEN_MODEL_STEPS").unwrap_or(120)), 60);
}

/// A number from the environment; an invalid one is an error, and does not select the default.
fn number(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a whole number")))
}

fn check(histories: impl Strategy<Value = History>, cases: u32) {
    let mut runner = TestRunner::new(Config {
        cases: number("HALFOPEN_MODEL_CASES").map_or(cases, |cases| cases as u32),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("model/regressions.txt"))),
        ..Config::default()
    });
    let played = runner.run(&histories, |history| history.play().map(|_| ()).map_err(TestCaseError::fail));
    if let Err(failure) = played {
        panic!("{failure}");
    }
}
