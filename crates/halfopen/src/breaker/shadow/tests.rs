use crate::{
    CircuitBreaker, CircuitBreakerConfig, Clock, HalfOpen, ManualClock, OwnedPermit, ShadowCalls, State,
    Trip, Window,
};
use crate::{Outcome, Report};
use std::time::Duration;

const STEPS: u32 = if cfg!(miri) { 60 } else { 4_000 };

fn configs() -> Vec<CircuitBreakerConfig> {
    let rules = |trip: Trip, window: Window| {
        let half_open = HalfOpen::new().max_calls(2).success_threshold(2);
        let wait = Duration::from_secs(2);
        let builder = CircuitBreakerConfig::builder().trip(trip).window(window);
        builder.open_duration(wait).half_open(half_open).build().expect("valid")
    };
    let seconds = Duration::from_secs;
    vec![
        rules(Trip::consecutive_failures(3), Window::last_calls(10)),
        rules(Trip::failure_rate(0.4).minimum_calls(5), Window::last(seconds(5))),
        rules(Trip::slow_call_rate(0.4, Duration::from_millis(700)), Window::last_calls(20)),
        rules(
            Trip::slow_call_rate(0.5, Duration::from_millis(400)).in_flight(true),
            Window::last(seconds(20)),
        ),
        CircuitBreakerConfig::default(),
        CircuitBreakerConfig::adaptive(),
    ]
}

fn breaker(config: &CircuitBreakerConfig, clock: &Clock) -> CircuitBreaker {
    CircuitBreaker::builder("real").config(config.clone()).clock(clock.clone()).seed(0).build()
}

/// A call of the breaker with a shadow, of its twin without one, and of a breaker of the shadow's configuration.
struct InFlight {
    own: OwnedPermit,
    twin: OwnedPermit,
    alone: Option<OwnedPermit>,
}

struct Story {
    hands: ManualClock,
    own: CircuitBreaker,
    twin: CircuitBreaker,
    alone: CircuitBreaker,
    in_flight: Vec<InFlight>,
    rejected: ShadowCalls,
    rejected_by_own: u64,
}

impl Story {
    fn admit(&mut self) {
        match (self.own.try_acquire_owned(), self.twin.try_acquire_owned()) {
            (Ok(own), Ok(twin)) => {
                let alone = self.alone.try_acquire_owned().ok();
                self.in_flight.push(InFlight { own, twin, alone });
            }
            (Err(_), Err(_)) => self.rejected_by_own += 1,
            (own, twin) => panic!("a shadow has an effect: {own:?} for {twin:?}"),
        }
    }

    fn end(&mut self, place: usize, report: Option<Report>) {
        let InFlight { own, twin, alone } = self.in_flight.swap_remove(place);
        if alone.is_none() {
            match report.map(|report| report.outcome) {
                Some(Outcome::Success) => self.rejected.successes += 1,
                Some(Outcome::Failure | Outcome::Throttled) => self.rejected.failures += 1,
                Some(Outcome::Ignored) => self.rejected.ignored += 1,
                None => self.rejected.abandoned += 1,
            }
        }
        for permit in [Some(own), Some(twin), alone].into_iter().flatten() {
            match report {
                Some(report) => permit.report(report),
                None => permit.abandon(),
            }
        }
    }
}

/// Plays a history that follows from the seed, and compares the shadow with the breaker of its configuration.
/// Returns the calls that the shadow would have rejected, and those that it has not seen.
fn play(config: &CircuitBreakerConfig, candidate: &CircuitBreakerConfig, mut seed: u64) -> [u64; 2] {
    let (clock, hands) = Clock::manual();
    let mut story = Story {
        hands,
        own: breaker(config, &clock),
        twin: breaker(config, &clock),
        alone: breaker(candidate, &clock),
        in_flight: Vec::new(),
        rejected: ShadowCalls::default(),
        rejected_by_own: 0,
    };
    let shadow = story.own.shadow("candidate", candidate.clone()).expect("the first");
    let mut is_down = false;
    for step in 0..STEPS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let luck = seed >> 33;
        is_down ^= luck % 97 == 0;
        match luck % 16 {
            0..6 => story.admit(),
            6..10 if !story.in_flight.is_empty() => {
                let place = luck as usize / 16 % story.in_flight.len();
                let is_bad = luck / 256 % 100 < if is_down { 80 } else { 3 };
                let report = match luck / 4096 % 24 {
                    0 => None,
                    1 => Some(Report::ignored()),
                    2 => Some(Report::throttled().retry_after(Duration::from_secs(1))),
                    3 => Some(Report::success().took(Duration::from_secs(1))),
                    _ if is_bad => Some(Report::failure()),
                    _ => Some(Report::success()),
                };
                story.end(place, report);
            }
            _ => story.hands.advance(Duration::from_millis(luck / 64 % 200)),
        }
        for real in [&story.own, &story.twin] {
            match luck / 32 % 1_000 {
                0 => real.force_open(),
                1 => real.disable(),
                2 => real.metrics_only(),
                3 => real.reset(),
                4 => real.set_config(config.clone()),
                5..15 => real.force_closed(),
                15..20 => real.end_wait(),
                _ => {}
            }
        }
        assert_eq!(story.own.state(), story.twin.state(), "step {step}: a shadow has no effect");
    }
    while !story.in_flight.is_empty() {
        story.end(0, None);
    }
    let (found, expected) = (shadow.snapshot(), story.alone.snapshot());
    assert_eq!(found.rejected, story.rejected);
    assert_eq!((found.state, found.trips), (expected.state, expected.totals.trips));
    assert_eq!(found.admitted.calls(), expected.totals.calls());
    assert_eq!(found.unseen, story.rejected_by_own);
    assert_eq!(found.untracked, 0);
    let (own, twin) = (story.own.snapshot(), story.twin.snapshot());
    assert_eq!((own.counts, own.totals), (twin.counts, twin.totals), "a shadow has no effect");
    [found.rejected.calls(), found.unseen]
}

#[test]
fn a_shadow_decides_as_a_breaker_of_its_own() {
    let mut sums = [0; 2];
    for (place, config) in configs().iter().enumerate() {
        for (other, candidate) in configs().iter().enumerate() {
            for seed in 0..if cfg!(miri) { 1 } else { 3 } {
                let found = play(config, candidate, seed * 100 + place as u64 * 10 + other as u64);
                sums = [sums[0] + found[0], sums[1] + found[1]];
            }
        }
    }
    assert!(cfg!(miri) || sums.into_iter().all(|sum| sum > 1_000), "both reject: {sums:?}");
}

fn strict() -> CircuitBreakerConfig {
    CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().expect("valid")
}

#[test]
fn a_dropped_shadow_leaves_no_trace() {
    let own = CircuitBreaker::builder("own").build();
    let shadow = own.shadow("strict", strict()).expect("the first");
    let before = own.try_acquire().expect("closed");
    assert!(own.inner().word().load().is_shadowed());
    drop(shadow);
    assert!(!own.inner().word().load().is_shadowed(), "calls are on the fast path again");
    before.failure();
    assert!(own.snapshot().shadows.is_empty());
    assert_eq!(own.snapshot().totals.failures, 1, "the call that a shadow had seen still counts");
}

#[test]
fn a_call_counts_where_it_began() {
    let own = CircuitBreaker::builder("own").build();
    let before = own.try_acquire().expect("closed");
    let shadow = own.shadow("strict", strict()).expect("the first");
    before.failure();
    assert_eq!(shadow.snapshot().admitted.calls(), 0, "a shadow sees calls from their admission on");
    own.try_acquire().expect("closed").failure();
    let seen = own.try_acquire().expect("closed");
    assert_eq!(own.inner().shadowed_calls(), 1);
    drop(seen);
    assert_eq!(own.inner().shadowed_calls(), 0, "its place is free again");
    let found = own.snapshot().shadows.remove(0);
    assert_eq!((found.admitted.failures, found.rejected.abandoned), (1, 1));
    assert_eq!(found.state, State::Open);
    assert_eq!(found, shadow.snapshot());
    let explained = own.explain();
    let line = " Shadow `strict` (open) would have rejected 1 of 2 calls, of which 0 failed and 0 succeeded.";
    assert!(explained.ends_with(line), "{explained}");
}

#[test]
fn shadows_have_names_and_a_limit() {
    let own = CircuitBreaker::builder("own").build();
    let add = |name: &str| own.shadow(name, strict());
    let kept: Vec<_> = (0..8).map(|place| add(&place.to_string()).expect("few")).collect();
    let error = |name: &str| add(name).expect_err("refused").to_string();
    assert_eq!(error("3"), "shadow `3` exists already");
    assert_eq!(error("8"), "shadow `8` is one too many: a breaker has at most 8");
    drop(kept);
    assert!(add("3").is_ok());
}

#[test]
fn a_shadow_outlives_its_breaker() {
    let own = CircuitBreaker::builder("own").build();
    let shadow = own.shadow("strict", strict()).expect("the first");
    own.try_acquire().expect("closed").success();
    drop(own);
    assert_eq!(shadow.snapshot().admitted.successes, 1);
}

#[test]
fn a_stream_counts_as_its_first_data() {
    let own = CircuitBreaker::builder("own").build();
    let shadow = own.shadow("strict", strict()).expect("the first");
    let end = own.try_acquire_owned().expect("closed").success_at_first_data();
    end.record(Outcome::Failure, None, None);
    own.open_for(Duration::ZERO);
    let _end = own.try_acquire_owned().expect("a probe").success_at_first_data();
    let found = shadow.snapshot();
    assert_eq!((found.admitted.successes, found.admitted.failures), (2, 0));
    assert_eq!(own.state(), State::Closed);
}

#[test]
fn threads_with_shadows_lose_no_call() {
    const CALLS: u64 = if cfg!(miri) { 4 } else { 2_000 };
    let own = CircuitBreaker::builder("own").config(strict()).build();
    own.metrics_only();
    let kept = own.shadow("kept", strict()).expect("the first");
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| (0..CALLS).for_each(|_| own.try_acquire().expect("not protected").failure()));
        }
        threads
            .spawn(|| (0..CALLS).for_each(|_| drop(own.shadow("passing", strict()).expect("one at a time"))));
    });
    let (found, totals) = (kept.snapshot(), own.snapshot().totals);
    assert_eq!((found.admitted.failures + found.rejected.failures, totals.failures), (2 * CALLS, 2 * CALLS));
    assert_eq!(own.inner().shadowed_calls(), 0);
}
