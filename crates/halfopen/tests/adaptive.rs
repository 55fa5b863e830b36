//! The adaptive breaker: opens on evidence, probes when uncertainty costs more than a probe, recovers by a
//! ramp.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{
    Adaptive, Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Event, HalfOpen, ManualClock, Outcome,
    RampReason, RejectReason, Report, Slow, State, Trip, TripReason,
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn evidence_opens_and_a_ramp_closes() {
    let (breaker, hands) = breaker();
    let told = events(&breaker);
    calls(&breaker, &hands, 600, Outcome::Success);
    assert_eq!((breaker.state(), told.lock().unwrap().len()), (State::Closed, 0));

    let sent = calls(&breaker, &hands, 300, Outcome::Failure);
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.share, 0.0);
    assert_eq!(told.lock().unwrap()[0], "closed to open: evidence");
    assert!(sent < 60, "{sent} of 300 calls were sent");
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!(rejected.retry_after(), None, "nothing is certain of the next probe");

    calls(&breaker, &hands, 600, Outcome::Success);
    assert_eq!((breaker.state(), breaker.snapshot().share), (State::Closed, 1.0));
    let told = told.lock().unwrap();
    assert!(told.contains(&"ramp: probes_passed".to_owned()), "{told:?}");
    assert_eq!(told.last().unwrap(), "half_open to closed: probes_passed");
}

#[test]
fn a_server_that_asks_for_silence_gets_it() {
    let (breaker, hands) = breaker();
    calls(&breaker, &hands, 100, Outcome::Success);
    let out: Vec<_> = (0..4).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    for permit in out {
        permit.report(Report::throttled().retry_after(5 * SECOND));
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().last_trip.unwrap().reasons, [TripReason::Throttled]);
    let wait = breaker.try_acquire().unwrap_err().retry_after().unwrap();
    assert!((5 * SECOND..=SECOND * 21 / 4).contains(&wait), "{wait:?}");
    hands.advance(wait);
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn time_alone_leads_to_the_next_probe() {
    let (breaker, hands) = breaker();
    calls(&breaker, &hands, 600, Outcome::Success);
    calls(&breaker, &hands, 20, Outcome::Failure);
    for probe in 0..20 {
        let wait = breaker.changes_in().expect("an open breaker sends a probe");
        let latest = breaker.snapshot().adaptive.unwrap().next_probe.unwrap();
        assert!(
            wait > Duration::ZERO && wait <= latest + Duration::from_nanos(1),
            "probe {probe}: {wait:?} of {latest:?}"
        );
        hands.advance(wait - Duration::from_micros(5));
        assert!(breaker.is_rejecting(), "probe {probe} is not due before");
        let rest = hands.advance_to_probe(&breaker);
        assert!(rest <= Duration::from_micros(6), "{rest:?}");
        breaker.try_acquire().expect("a probe").failure();
    }
}

#[test]
fn a_ramp_admits_the_next_call_when_it_is_said_to() {
    let (breaker, hands) = breaker();
    calls(&breaker, &hands, 600, Outcome::Success);
    calls(&breaker, &hands, 6_000, Outcome::Failure);
    while breaker.snapshot().share == 0.0 {
        hands.advance_to_probe(&breaker);
        breaker.try_acquire().expect("a probe").success();
        hands.advance(Duration::from_millis(1));
    }
    let mut waits = 0;
    for _ in 0..30 {
        if breaker.is_rejecting() && breaker.is_half_open() {
            waits += 1;
            hands.advance(breaker.changes_in().expect("its share grows"));
            assert!(breaker.is_permitting());
        }
        breaker.try_acquire().expect("it is permitted").success();
    }
    assert!(waits > 0, "the ramp rejected no call");
}

#[test]
fn a_service_that_is_worth_calling_is_degraded() {
    let (breaker, hands) = breaker();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    breaker
        .on_event(move |_, event| {
            if let Event::Degraded { share, .. } = event {
                ear.lock().unwrap().push(*share);
            }
        })
        .forget();
    calls(&breaker, &hands, 600, Outcome::Success);
    for _ in 0..60 {
        calls(&breaker, &hands, 1, Outcome::Failure);
        calls(&breaker, &hands, 2, Outcome::Success);
    }
    assert!(breaker.is_closed(), "a third of the calls is bad: {}", breaker.explain());
    calls(&breaker, &hands, 600, Outcome::Success);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2, "its begin and its end: {heard:?}");
    assert!((0.2..0.5).contains(&heard[0]) && heard[1] < 0.1, "{heard:?}");
}

#[test]
fn a_snapshot_shows_what_was_learned() {
    let (breaker, hands) = breaker();
    calls(&breaker, &hands, 700, Outcome::Success);
    let learned = breaker.snapshot().adaptive.unwrap();
    assert!(learned.normal < 0.01 && learned.down == 0.0 && learned.worth > 0.9, "{learned:?}");
    assert_eq!(learned.bad_calls_to_trip, Some(3));
    let p95 = learned.p95.unwrap();
    assert!((Duration::from_millis(9)..Duration::from_millis(20)).contains(&p95), "{p95:?}");
    assert_eq!(learned.slow_limit, Some(Duration::from_millis(700)));

    calls(&breaker, &hands, 4, Outcome::Failure);
    let learned = breaker.snapshot().adaptive.unwrap();
    assert!(learned.down > 0.5 && learned.worth < 0.0 && learned.likeliest > 0.5, "{learned:?}");
    assert!(learned.next_probe.unwrap() <= 38 * SECOND);
    assert!(CircuitBreaker::builder("fixed").build().snapshot().adaptive.is_none());
}

#[test]
fn a_change_has_the_evidence_that_led_to_it() {
    let (breaker, hands) = breaker();
    let changes = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&changes);
    breaker
        .on_event(move |_, event| {
            if let Event::StateChanged(change) = event {
                kept.lock().unwrap().push(change.clone());
            }
        })
        .forget();
    calls(&breaker, &hands, 700, Outcome::Success);
    while breaker.is_closed() {
        calls(&breaker, &hands, 1, Outcome::Failure);
    }
    let opening = changes.lock().unwrap()[0].clone();
    let evidence = opening.adaptive.clone().expect("it is adaptive");
    assert!(evidence.down > 0.5 && evidence.worth < -0.15 && evidence.normal < 0.01, "{evidence:?}");
    assert!(evidence.bad > 2.0 && evidence.bad <= evidence.calls && evidence.slow == 0.0, "{evidence:?}");
    assert!(evidence.next_probe.is_some() && evidence.p95.is_some(), "{evidence:?}");
    let snapshot = breaker.snapshot();
    let now = snapshot.adaptive.unwrap();
    assert_eq!((now.bad, now.calls), (evidence.bad, evidence.calls), "as of the opening while open");
    assert_eq!(snapshot.last_trip.as_ref(), Some(&opening));
    let told = breaker.explain();
    assert!(
        told.contains("Of the last 3.8 calls 3.8 were bad, 0% of these slow; normally 0.5% are."),
        "{told}"
    );

    let fixed = CircuitBreaker::builder("fixed").build();
    fixed.trip();
    assert_eq!(fixed.snapshot().last_trip.unwrap().adaptive, None);
}

#[test]
fn an_explanation_has_the_learned_numbers() {
    let (breaker, hands) = breaker();
    calls(&breaker, &hands, 700, Outcome::Success);
    let closed = breaker.explain();
    assert!(
        closed.contains("95% of the successes end within 10ms; an answer after 700ms is bad too"),
        "{closed}"
    );
    assert!(closed.contains("3 bad calls in a row would open it."), "{closed}");
    calls(&breaker, &hands, 3, Outcome::Failure);
    let doubt = breaker.explain();
    assert!(doubt.contains("sure that the dependency is down, most likely with"), "{doubt}");
    calls(&breaker, &hands, 3, Outcome::Failure);
    let open = breaker.explain();
    assert!(open.contains("when not knowing costs more than a probe, in "), "{open}");
}

#[test]
fn independent_errors_at_the_normal_share_pass() {
    for share in [0.01, 0.1, 0.35] {
        let (breaker, hands) = breaker();
        let mut chance = 0x2545_F491_4F6C_DD1D_u64;
        for _ in 0..200_000 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let fails = ((chance >> 11) as f64 / (1_u64 << 53) as f64) < share;
            let permit = breaker.try_acquire().unwrap();
            hands.advance(Duration::from_millis(20));
            permit.record(if fails { Outcome::Failure } else { Outcome::Success });
        }
        assert_eq!(breaker.snapshot().totals.trips, 0, "at {share}");
        let normal = breaker.snapshot().adaptive.unwrap().normal;
        assert!((normal / share - 1.0).abs() < 0.25, "{normal} was learned as normal for {share}");
    }
}

#[test]
fn throttled_calls_cut_the_share() {
    let (breaker, hands) = breaker();
    let told = events(&breaker);
    calls(&breaker, &hands, 100, Outcome::Success);
    for _ in 0..2 {
        breaker.try_acquire().unwrap().record(Outcome::Throttled);
    }
    assert_eq!((breaker.state(), breaker.snapshot().share), (State::HalfOpen, 0.5));
    assert_eq!(told.lock().unwrap().last().unwrap(), "ramp: throttled");
}

#[test]
fn an_operator_goes_before_the_evidence() {
    let (breaker, hands) = breaker();
    breaker.trip();
    assert_eq!(breaker.state(), State::Open);
    breaker.open_for(10 * SECOND);
    assert_eq!(breaker.try_acquire().unwrap_err().retry_after(), Some(10 * SECOND));
    breaker.end_wait();
    assert!(breaker.is_permitting(), "the next call is a probe");
    breaker.force_open();
    hands.advance(1_000 * SECOND);
    assert!(breaker.try_acquire().is_err());
    breaker.disable();
    for _ in 0..100 {
        breaker.try_acquire().unwrap().failure();
    }
    breaker.reset();
    assert_eq!(breaker.state(), State::Closed);
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn in_metrics_only_the_evidence_learns_and_reports() {
    let (breaker, hands) = breaker();
    breaker.metrics_only();
    let would_trip = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&would_trip);
    let _heard = breaker.on_event(move |_, event| {
        if let Event::WouldTrip { reasons, .. } = event {
            seen.lock().unwrap().extend(reasons.clone());
        }
    });
    assert_eq!(calls(&breaker, &hands, 700, Outcome::Success), 700);
    assert!(breaker.snapshot().adaptive.unwrap().normal < 0.01, "it learns");
    assert_eq!(calls(&breaker, &hands, 100, Outcome::Failure), 100, "it rejects nothing");
    assert_eq!(*would_trip.lock().unwrap(), [TripReason::Evidence], "once for one incident");
    calls(&breaker, &hands, 700, Outcome::Success);
    calls(&breaker, &hands, 100, Outcome::Failure);
    assert_eq!((would_trip.lock().unwrap().len(), breaker.snapshot().totals.would_trip), (2, 2));
    breaker.reset();
    assert_eq!((breaker.state(), breaker.snapshot().adaptive.unwrap().down), (State::Closed, 0.0));
}

#[test]
fn totals_count_every_permit_once() {
    let (breaker, hands) = breaker();
    let mut sent = 0;
    for outcome in
        [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Throttled, Outcome::Success]
    {
        sent += calls(&breaker, &hands, 200, outcome);
    }
    drop(breaker.try_acquire_owned());
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.calls() + totals.rejected, 1_001);
    assert!(totals.calls() >= sent);
}

#[test]
fn a_breaker_turns_adaptive_and_back_during_calls() {
    let (breaker, hands) = breaker();
    let before = breaker.try_acquire_owned().unwrap();
    breaker.set_config(CircuitBreakerConfig::default());
    before.failure();
    assert_eq!(breaker.snapshot().totals.calls(), 1, "the call that was admitted before counts once");
    for _ in 0..4 {
        breaker.try_acquire().unwrap().failure();
    }
    assert_eq!(breaker.state(), State::Open, "by its rule");
    breaker.set_config(CircuitBreakerConfig::adaptive());
    calls(&breaker, &hands, 600, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, &hands, 30, Outcome::Failure);
    assert_ne!(breaker.state(), State::Closed, "by evidence");
    breaker.set_config(CircuitBreakerConfig::default());
    hands.advance(10 * SECOND);
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_look_changes_nothing() {
    let (breaker, hands) = breaker();
    calls(&breaker, &hands, 100, Outcome::Success);
    calls(&breaker, &hands, 30, Outcome::Failure);
    for _ in 0..100 {
        let _ =
            (breaker.check(), breaker.state(), breaker.snapshot(), breaker.explain(), breaker.changes_in());
    }
    hands.advance(60 * SECOND);
    assert!(breaker.check().is_ok(), "a probe is due");
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn parts_of_fixed_rules_beside_it_are_an_error() {
    let error = CircuitBreakerConfig::builder()
        .adaptive(Adaptive::new())
        .trip(Trip::failure_rate(0.5))
        .open_duration(SECOND)
        .half_open(HalfOpen::new())
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`adaptive` is set beside `trip`, `open_duration` and `half_open`, but must be set alone: it learns what these would say"
    );
}

#[test]
fn each_number_has_its_range() {
    let wrong = Adaptive::new()
        .break_even(1.0)
        .slow(Slow::learned(0.5))
        .max_probe_gap(Duration::ZERO)
        .false_trip_interval(Duration::from_millis(1));
    let error = CircuitBreakerConfig::builder().adaptive(wrong).build().unwrap_err();
    let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "`adaptive.break_even` is 1, but must be from 0.05 to 0.95",
            "`adaptive.slow`: learned is 0.5, but must be from 1 to 100",
            "`adaptive.max_probe_gap` is 0s, but must be longer than 0s",
            "`adaptive.false_trip_interval` is 1ms, but must be 1s or longer",
        ]
    );
}

#[cfg(feature = "serde")]
#[test]
fn a_document_holds_it_and_reads_it_again() {
    let text =
        r#"{ "adaptive": { "break_even": 0.3, "slow": { "limit": "1s" } }, "open": { "hint_max": "1m" } }"#;
    let config: CircuitBreakerConfig = serde_json::from_str(text).unwrap();
    let adaptive = Adaptive::new().break_even(0.3).slow(Slow::limit(SECOND));
    assert_eq!((config.adaptive_part(), config.hint_max()), (Some(adaptive), 60 * SECOND));
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<CircuitBreakerConfig>(&written).unwrap(), config, "{written}");
    let both = r#"{ "adaptive": {}, "trip": { "consecutive_failures": 3 } }"#;
    let error = serde_json::from_str::<CircuitBreakerConfig>(both).unwrap_err();
    assert!(error.to_string().starts_with("`adaptive` is set beside `trip`"), "{error}");
}

fn breaker() -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::adaptive();
    (CircuitBreaker::builder("search").config(config).clock(clock).seed(1).build(), hands)
}

/// Calls a tenth of a second apart, each of which ends after ten milliseconds; returns how many were admitted.
fn calls(breaker: &CircuitBreaker, hands: &ManualClock, calls: u32, outcome: Outcome) -> u64 {
    let mut admitted = 0;
    for _ in 0..calls {
        hands.advance(Duration::from_millis(90));
        let permit = breaker.try_acquire_owned();
        hands.advance(Duration::from_millis(10));
        if let Ok(permit) = permit {
            permit.record(outcome);
            admitted += 1;
        }
    }
    admitted
}

fn events(breaker: &CircuitBreaker) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    breaker
        .on_event(move |_, event| match event {
            Event::StateChanged(change) => {
                let told = format!("{} to {}: {}", change.from.as_str(), change.to.as_str(), change.why());
                ear.lock().unwrap().push(told);
            }
            Event::RampChanged { reason, .. } => {
                assert_ne!(*reason, RampReason::HoldOver);
                ear.lock().unwrap().push(format!("ramp: {}", reason.as_str()));
            }
            _ => {}
        })
        .forget();
    told
}

#[test]
fn a_million_calls_a_second_are_learned_from() {
    let (clock, hands) = Clock::manual();
    // Buckets of seven seconds, with more calls than a slot counts.
    let numbers = Adaptive::new().slow(Slow::limit(60 * SECOND));
    let config = CircuitBreakerConfig::builder().adaptive(numbers).build().unwrap();
    let breaker = CircuitBreaker::builder("busy").config(config).clock(clock).build();
    for call in 0..700_000 {
        hands.advance(Duration::from_micros(1));
        breaker.try_acquire().unwrap().record(if call % 100 == 99 {
            Outcome::Failure
        } else {
            Outcome::Success
        });
    }
    let learned = breaker.snapshot().adaptive.unwrap();
    assert!((0.0095..0.0105).contains(&learned.normal), "one in a hundred fails: {}", learned.normal);
}

#[test]
fn a_step_back_of_the_clock_stops_no_learning() {
    for moved_before in [false, true] {
        let (breaker, hands) = breaker();
        hands.set(1_000_000 * SECOND);
        let slow = |latency: Duration, calls: usize| {
            for _ in 0..calls {
                let permit = breaker.try_acquire().unwrap();
                hands.advance(latency);
                permit.success();
            }
        };
        slow(20 * MILLISECOND, 4_000);
        if moved_before {
            breaker.force_open();
            breaker.reset();
        }
        let p95 = || breaker.snapshot().adaptive.unwrap().p95.unwrap();
        let before = p95();
        hands.set(SECOND);
        slow(40 * MILLISECOND, 4_000);
        if moved_before {
            assert_eq!(p95(), before, "no time has passed since the transition, and no duration is known");
            hands.set(1_000_100 * SECOND);
            slow(40 * MILLISECOND, 4_000);
        }
        assert!(p95() > before * 5 / 4, "{:?} after {before:?}, {moved_before}", p95());
    }
}

#[test]
fn a_step_back_of_the_clock_hides_no_hang() {
    let (breaker, hands) = breaker();
    hands.set(1_000_000 * SECOND);
    calls(&breaker, &hands, 1_000, Outcome::Success);
    hands.set(SECOND);
    let limit = breaker.snapshot().adaptive.unwrap().slow_limit.unwrap();
    let permit = breaker.try_acquire().unwrap();
    hands.advance(limit + MILLISECOND);
    permit.success();
    assert!(breaker.snapshot().adaptive.unwrap().down > 0.0, "a late answer is evidence");
    breaker.reset();
    let _hanging: Vec<_> = (0..20).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    hands.advance(2 * SECOND);
    assert!(breaker.try_acquire().is_err(), "twenty calls hang");
}

#[test]
fn rules_that_return_in_half_open_have_probes() {
    let (clock, hands) = Clock::manual();
    let rules = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(SECOND)
        .backoff(Backoff::none())
        .build()
        .expect("valid");
    let breaker = CircuitBreaker::builder("returned").config(rules.clone()).clock(clock).seed(1).build();
    breaker.try_acquire().expect("closed").failure();
    hands.advance(SECOND);
    breaker.try_acquire().expect("a probe").failure();
    assert_eq!(breaker.state(), State::Open, "the visit of the probe is over");

    breaker.set_config(CircuitBreakerConfig::adaptive());
    let probe = loop {
        hands.advance(SECOND);
        if let Ok(probe) = breaker.try_acquire_owned() {
            break probe;
        }
    };
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.set_config(rules);
    drop(probe);
    breaker.try_acquire().expect("no probe of the earlier visit is counted").success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn evidence_that_begins_without_a_probe_is_open() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("began").clock(clock).build();
    breaker.open_for(SECOND);
    hands.advance(SECOND);
    breaker.try_acquire().expect("a probe").ignore();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.set_config(CircuitBreakerConfig::adaptive());
    assert_eq!(breaker.state(), State::Open);
    let rejected = breaker.try_acquire().map(drop).expect_err("the evidence asks later");
    assert_eq!(rejected.reason(), RejectReason::Open);
}
