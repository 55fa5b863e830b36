use std::hint::black_box;

use fusebox::{CircuitBreaker, Event, Listener};

use crate::configs;
use crate::harness::{Case, measure};
use crate::rows::closed_direct::answer;
use crate::table::Group;

/// Hears every call.
struct Calls;

impl Listener for Calls {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        black_box(event);
    }

    fn wants_calls(&self) -> bool {
        true
    }
}

/// What somebody listening costs a call that succeeds.
pub(crate) fn group() -> Group {
    let mut cases = Vec::new();
    for (kind, config) in [("count 100", configs::count()), ("time + slow calls", configs::slow())] {
        let quiet = configs::warm(&config);
        cases.push(case(&format!("{kind}, nobody listens"), quiet));
        let hears_changes = configs::warm(&config);
        hears_changes.on_event(|_, event| _ = black_box(event)).forget();
        cases.push(case(&format!("{kind}, a listener to changes"), hears_changes));
        let hears_calls = configs::warm(&config);
        hears_calls.subscribe(Calls).forget();
        cases.push(case(&format!("{kind}, a listener to calls"), hears_calls));
    }
    Group::of_timings("Listeners, direct call", &measure(cases), "count 100, nobody listens", "")
}

fn case(name: &str, breaker: CircuitBreaker) -> Case {
    Case::new(name, move |calls| {
        for n in 0..calls {
            assert!(breaker.call_blocking(|| answer(black_box(n))).is_ok(), "a healthy call passes");
        }
    })
}
