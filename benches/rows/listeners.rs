use std::hint::black_box;

use halfopen::{CircuitBreaker, Event, Interest, Listener};

use crate::configs;
use crate::harness::{Case, measure};
use crate::rows::closed_direct::answer;
use crate::table::Group;

/// Receives an event for every call.
struct Calls;

impl Listener for Calls {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        black_box(event);
    }

    fn interest(&self) -> Interest {
        Interest::default() | Interest::CALLS
    }
}

pub(crate) const NEVER: &str = "count 100, never a listener";
pub(crate) const LEFT: &str = "count 100, all listeners left";

/// The cost of a listener for a successful call, compared with a breaker that never had a listener.
pub(crate) fn group() -> Group {
    Group::of_timings("Listeners, direct call", &measure(cases()), NEVER, "")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, config) in [("count 100", configs::count()), ("time + slow calls", configs::slow())] {
        cases.push(case(&format!("{kind}, never a listener"), configs::warm(&config)));
        let left = configs::warm(&config);
        drop(left.subscribe(Calls));
        cases.push(case(&format!("{kind}, all listeners left"), left));
        let hears_changes = configs::warm(&config);
        hears_changes.on_event(|_, event| _ = black_box(event)).forget();
        cases.push(case(&format!("{kind}, a listener to changes"), hears_changes));
        let hears_calls = configs::warm(&config);
        hears_calls.subscribe(Calls).forget();
        cases.push(case(&format!("{kind}, a listener to calls"), hears_calls));
    }
    cases
}

fn case(name: &str, breaker: CircuitBreaker) -> Case {
    Case::new(name, move |calls| {
        for n in 0..calls {
            assert!(breaker.call_blocking(|| answer(black_box(n))).is_ok(), "a healthy call passes");
        }
    })
}
