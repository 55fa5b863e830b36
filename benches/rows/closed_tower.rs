use tower_service::Service;

use crate::configs;
use crate::harness::{Case, measure};
use crate::limit::Limit;
use crate::peers;
use crate::services::{Boxed, Inner, drive};
use crate::table::Group;

/// Closed and successful, through a tower stack over a service that is always ready.
pub(crate) fn group() -> Group {
    let timings = measure(cases());
    let mut group = Group::of_timings("Tower, closed, success", &timings, "bare", "limit");
    // A call that must be timed reads the clock twice, in every library.
    let timed = timings.iter().find(|timing| timing.name == "limit + 2 clock reads");
    for (timing, row) in timings.iter().zip(group.rows_mut()) {
        if let (Some(limit), true) = (timed, timing.name.contains("slow calls")) {
            row.to_limit = Some(timing.ratio(limit));
            row.note = "limit: with 2 clock reads".into();
        }
    }
    group
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        stack("bare", Inner),
        stack("bare, future boxed", Boxed),
        stack("limit", Limit::<Inner, false>::default()),
        stack("limit + 2 clock reads", Limit::<Inner, true>::default()),
    ];
    for (name, config) in configs::ours() {
        cases.push(stack(name, configs::stack(&config)));
    }
    cases.extend([
        stack("breaker 2, count 100", peers::breaker_two(Inner)),
        stack("seatbelt 0.11, time", peers::seatbelt(Inner)),
        stack("tower-resilience 0.14, count 100", peers::resilience(Inner)),
    ]);
    cases
}

fn stack<S: Service<u64> + 'static>(name: &str, mut service: S) -> Case {
    Case::new(name, move |calls| drive(&mut service, calls))
}
