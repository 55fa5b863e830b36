use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Clock, Trip};

use super::*;

fn breakers(count: usize) -> Vec<CircuitBreaker> {
    (0..count).map(|place| CircuitBreaker::builder(place.to_string()).build()).collect()
}

fn group(members: &[CircuitBreaker], share: f64) -> Group {
    Group::new(members.iter().cloned()).max_open_share(share).expect("a share of at least one")
}

fn states(members: &[CircuitBreaker]) -> Vec<State> {
    members.iter().map(CircuitBreaker::state).collect()
}

#[test]
fn no_more_than_the_share_are_open() {
    let members = breakers(10);
    let group = group(&members, 0.3);
    members.iter().for_each(CircuitBreaker::trip);
    let open = members.iter().filter(|breaker| breaker.is_open()).count();
    assert_eq!(open, 3);
    let snapshot = group.snapshot();
    assert_eq!((snapshot.max_open, snapshot.open, snapshot.held, snapshot.held_total), (3, 3, 7, 7));
    assert!(members[9].is_permitting(), "beyond the share the group fails open");
}

#[test]
fn threads_that_open_together_leave_the_share() {
    let members = breakers(8);
    let group = group(&members, 0.5);
    std::thread::scope(|scope| {
        for breaker in &members {
            scope.spawn(|| breaker.trip());
        }
    });
    let open = members.iter().filter(|breaker| breaker.is_open()).count();
    assert_eq!((open, group.snapshot().open, group.snapshot().held), (4, 4, 4));
}

#[test]
fn a_held_breaker_is_closed_when_another_one_closes() {
    let members = breakers(3);
    let group = group(&members, 0.4);
    members.iter().for_each(CircuitBreaker::trip);
    assert_eq!(states(&members), [State::Open, State::MetricsOnly, State::MetricsOnly]);
    members[0].force_closed();
    assert_eq!(states(&members), [State::Closed, State::Closed, State::MetricsOnly], "one at a time");
    members[1].trip();
    assert_eq!(states(&members), [State::Closed, State::Open, State::MetricsOnly]);
    drop(group);
    assert_eq!(states(&members), [State::Closed, State::Open, State::Closed], "the group has let go");
}

#[test]
fn a_half_open_breaker_is_not_closed_yet() {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    let build =
        |name: &str| CircuitBreaker::builder(name).config(config.clone()).clock(clock.clone()).build();
    let members = [build("a"), build("b")];
    let group = group(&members, 0.5);
    members.iter().for_each(|breaker| breaker.open_for(Duration::from_secs(1)));
    hands.advance(Duration::from_secs(1));
    let probe = members[0].try_acquire().unwrap();
    assert_eq!(states(&members), [State::HalfOpen, State::MetricsOnly]);
    probe.success();
    assert_eq!(states(&members), [State::Closed, State::Closed]);
    assert_eq!(group.snapshot().open, 0);
}

#[test]
fn an_operators_override_counts_and_stays() {
    let members = breakers(4);
    let group = group(&members, 0.5);
    members[0].force_open();
    members[1].trip();
    members[2].trip();
    assert_eq!(members[2].state(), State::MetricsOnly);
    members[2].force_open();
    assert_eq!(
        (members[2].state(), group.snapshot().open),
        (State::ForcedOpen, 3),
        "the operator is the stronger"
    );
    members[1].reset();
    members[3].trip();
    assert_eq!(members[3].state(), State::MetricsOnly);
    drop(group);
    assert_eq!(states(&members), [State::ForcedOpen, State::Closed, State::ForcedOpen, State::Closed]);
}

#[test]
fn a_share_of_no_breaker_is_an_error() {
    for (members, share) in [(0, 0.5), (3, 0.3), (3, 0.0), (3, -1.0), (3, 1.1), (3, f64::NAN)] {
        let error = Group::new(breakers(members)).max_open_share(share).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("`max_open_share` is {share}, but must be ")),
            "{error}"
        );
    }
    assert_eq!(most_open(100, 0.29), 29, "0.29 * 100 is 28.999999999999996");
}
