//! Queries of the machine: the waits to come, the instants at which time alone changes it, the causes.

use std::time::Duration;

use super::*;
use crate::config::{Backoff, HalfOpen, Recovery, Trip};
use crate::outcome::Ended;
use crate::reason::Reasons;
use crate::state::Probes;

const SECOND: u64 = 1_000_000_000;
const PROBE_TIMEOUT: u64 = 10 * SECOND;

fn config() -> CircuitBreakerConfig {
    let two_at_once = HalfOpen::new().max_calls(2).success_threshold(2);
    CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(Duration::from_secs(1))
        // With jitter, a wait that is computed for another epoch is another wait.
        .backoff(Backoff::exponential(2.0).jitter(0.5))
        .half_open(two_at_once.probe_timeout(Duration::from_nanos(PROBE_TIMEOUT)))
        .build()
        .unwrap()
}

/// A machine with the time of its last step.
struct Bench {
    machine: Machine,
    log: Log,
    now: Tick,
}

impl Bench {
    fn closed() -> Bench {
        Bench { machine: Machine::new(config(), 7, Tick(0)), log: Log::new(), now: Tick(5) }
    }

    fn open() -> Bench {
        let mut bench = Bench::closed();
        bench.trip();
        bench
    }

    fn at_the_deadline() -> Bench {
        let mut bench = Bench::open();
        bench.now = bench.machine.deadline();
        bench
    }

    /// Half-open, with one probe in flight.
    fn probing() -> Bench {
        let mut bench = Bench::at_the_deadline();
        assert_eq!(bench.admit(), Admission::Permitted);
        bench
    }

    fn overdue() -> Bench {
        let mut bench = Bench::probing();
        bench.now = bench.now.after(PROBE_TIMEOUT);
        bench
    }

    fn trip(&mut self) {
        self.machine.open_by_hand(
            TripReason::Manual,
            Wait::Configured { hint: None, planned: None },
            Counts::default(),
            self.now,
            &mut self.log,
        );
    }

    /// A rule fires that was evaluated in the visit of this epoch.
    fn fire(&mut self, epoch: Epoch, cause: Cause) {
        let wait = Wait::Configured { hint: None, planned: None };
        let fired = Fired { epoch, cause, counts: Counts::default(), wait };
        self.machine.trip(fired, self.now, &mut self.log);
    }

    fn admit(&mut self) -> Admission {
        self.machine.admit(self.now, &mut self.log)
    }

    fn end_probe(&mut self, ended: Ended) {
        let call = &Finished::untimed(ended);
        let end = ProbeEnd { epoch: self.machine.epoch(), started: self.now, call, planned: None };
        let on_time = self.machine.settle(end, self.now, &mut self.log);
        assert!(on_time, "the probe of this visit");
    }

    fn fail_probe(&mut self) {
        self.end_probe(Ended::Failure);
    }

    fn force(&mut self, state: State) {
        self.machine.force(state, Counts::default(), self.now, &mut self.log);
    }

    fn set_max_calls(&mut self, n: u32) {
        let half_open = HalfOpen::new().max_calls(n);
        let config = config().to_builder().half_open(half_open).build().unwrap();
        self.machine.set_config(config, self.now, &mut self.log);
    }

    fn view(&self) -> View {
        self.machine.view(self.now)
    }

    fn probes(&self) -> Probes {
        self.machine.probes(self.now)
    }
}

#[test]
fn the_wait_that_is_shown_is_the_wait_that_comes() {
    fn comes(mut bench: Bench, opens: impl FnOnce(&mut Bench)) {
        let shown = bench.view().wait;
        opens(&mut bench);
        assert_eq!(bench.machine.state(), State::Open);
        assert_eq!(bench.view().wait, shown);
    }
    comes(Bench::closed(), Bench::trip);
    comes(Bench::probing(), Bench::fail_probe);
    comes(Bench::at_the_deadline(), |bench| {
        bench.admit();
        bench.fail_probe();
    });
    comes(Bench::overdue(), |bench| bench.machine.catch_up(bench.now, &mut bench.log));
    for state in [State::ForcedOpen, State::Disabled, State::MetricsOnly] {
        let mut forced = Bench::closed();
        forced.force(State::Closed);
        forced.force(state);
        comes(forced, |bench| {
            bench.force(State::Closed);
            bench.trip();
        });
    }
}

#[test]
fn an_opening_publishes_its_deadline_and_its_cause() {
    let mut bench = Bench::closed();
    assert_eq!(bench.machine.deadline(), Tick::NEVER);
    let cause = Cause { part: 3, ..Cause::plain(TripReason::FailureCount) };
    let epoch = bench.machine.epoch();
    bench.fire(epoch, cause);
    assert_eq!(bench.machine.cause(), cause);
    assert_eq!(bench.machine.deadline(), bench.now.after(bench.view().wait));
}

#[test]
fn a_rule_opens_only_the_visit_it_was_evaluated_in() {
    let trip = |bench: &mut Bench, epoch| {
        bench.fire(epoch, Cause::plain(TripReason::FailureCount));
        bench.machine.state()
    };
    let mut later = Bench::closed();
    let before = later.machine.epoch();
    later.force(State::Closed);
    assert_eq!(trip(&mut later, before), State::Closed, "another epoch");
    for state in [State::MetricsOnly, State::Disabled, State::ForcedOpen] {
        let mut forced = Bench::closed();
        forced.force(state);
        let epoch = forced.machine.epoch();
        assert_eq!(trip(&mut forced, epoch), state, "another state");
    }
}

#[test]
fn the_next_change_by_time_alone_is_known() {
    assert_eq!(Bench::closed().view().next, Tick::NEVER);
    let open = Bench::open();
    assert_eq!(open.view().next, open.machine.deadline());
    assert_eq!(Bench::at_the_deadline().view().next, Tick::NEVER, "it waits for a call");
    let mut probing = Bench::probing();
    assert_eq!(probing.view().next, probing.now.after(PROBE_TIMEOUT));
    probing.end_probe(Ended::Ignored);
    assert_eq!(probing.view().next, Tick::NEVER, "no probe is in flight");
}

#[test]
fn an_overdue_probe_is_the_cause_before_any_admission() {
    let reasons = |bench: &Bench| bench.machine.why(bench.now).reasons;
    assert_eq!(reasons(&Bench::open()), Reasons::one(TripReason::Manual));
    assert_eq!(reasons(&Bench::probing()), Reasons::one(TripReason::Manual));
    assert_eq!(reasons(&Bench::overdue()), Reasons::one(TripReason::ProbeTimedOut));
}

#[test]
fn a_visits_probes_are_shown_until_one_is_overdue() {
    let mut bench = Bench::probing();
    assert_eq!((bench.probes().in_flight, bench.probes().has_slot), (1, true));
    assert_eq!(bench.probes().due_in, Duration::from_nanos(PROBE_TIMEOUT));
    bench.admit();
    assert_eq!((bench.probes().in_flight, bench.probes().has_slot), (2, false));
    bench.now = Tick(bench.now.after(PROBE_TIMEOUT).0 - 1);
    assert_eq!((bench.probes().in_flight, bench.probes().due_in), (2, Duration::from_nanos(1)));
    bench.now = bench.now.after(1);
    assert_eq!((bench.probes().in_flight, bench.probes().has_slot), (0, true), "the next visit's");
}

#[test]
fn a_visit_shows_the_numbers_it_began_with() {
    let max_calls = |bench: &Bench| match bench.probes().recovery {
        Recovery::Counts { max_calls, .. } | Recovery::Rate { max_calls, .. } => max_calls,
    };
    let mut idle = Bench::probing();
    idle.end_probe(Ended::Ignored);
    for (mut bench, told) in [(Bench::closed(), 9), (Bench::open(), 9), (Bench::overdue(), 9), (idle, 2)] {
        bench.set_max_calls(9);
        assert_eq!(max_calls(&bench), told, "{:?}", bench.machine.state());
    }
}
