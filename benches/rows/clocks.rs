use std::hint::black_box;

use crate::harness::{Case, measure, now};
use crate::table::Group;

/// The cost of reading the time: the clock of the standard library, and one that reads the processor's counter.
pub(crate) fn group() -> Group {
    let quanta = quanta::Clock::new();
    let coarse = quanta.clone();
    let cases = vec![
        case("Instant::now", now),
        case("quanta, as an instant", move || quanta.now()),
        case("quanta, raw", move || coarse.raw()),
    ];
    Group::of_timings("One clock read", &measure(cases), "Instant::now", "")
}

fn case<T>(name: &str, read: impl Fn() -> T + 'static) -> Case {
    Case::new(name, move |calls| {
        for _ in 0..calls {
            black_box(read());
        }
    })
}
