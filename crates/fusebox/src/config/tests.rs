use super::*;

fn problems(builder: CircuitBreakerConfigBuilder) -> Vec<String> {
    let error = builder.build().unwrap_err();
    error.problems().iter().map(ToString::to_string).collect()
}

fn builder() -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder()
}

#[test]
fn a_decimal_threshold_is_exact_and_any_other_is_rounded_down() {
    for hundredth in 1..=100_u32 {
        let literal: f64 = format!("0.{hundredth:02}").parse().unwrap();
        let literal = if hundredth == 100 { 1.0 } else { literal };
        assert_eq!(parts_per_billion(literal), Some(hundredth * 10_000_000));
    }
    assert_eq!(parts_per_billion(0.123_456_789), Some(123_456_789));
    assert_eq!(parts_per_billion(2.0 / 3.0), Some(666_666_666));
    assert_eq!(parts_per_billion(1e-9), Some(1));
    for wrong in [0.0, -0.1, 1.000_000_1, 9e-10, f64::NAN, f64::INFINITY] {
        assert_eq!(parts_per_billion(wrong), None, "{wrong}");
    }
}

#[test]
fn k_of_n_reach_the_rate_k_over_n_and_one_less_does_not() {
    for calls in 1..=200_u64 {
        for part in 1..=calls {
            let ppb = parts_per_billion(part as f64 / calls as f64).unwrap();
            assert!(reached(part, calls, ppb), "{part} of {calls}");
            assert!(!reached(part - 1, calls, ppb), "{part} of {calls}");
        }
    }
    assert!(reached(7, 25, parts_per_billion(0.28).unwrap()));
    assert!(reached(u64::MAX, u64::MAX, BILLION));
}

#[test]
fn every_problem_is_told_at_once_with_its_field_its_value_and_its_range() {
    let all = problems(
        builder()
            .trip(Trip::consecutive_failures(0).minimum_calls(3))
            .trip(Trip::failure_count(0))
            .trip(Trip::failure_rate(f64::NAN).minimum_calls(11))
            .trip(Trip::slow_call_rate(1.5, Duration::ZERO).minimum_calls(0))
            .window(Window::last_calls(10).buckets(3))
            .backoff(Backoff::exponential(0.5).max(Duration::ZERO).jitter(2.0).forget_after(Duration::ZERO))
            .hint_max(Duration::ZERO)
            .half_open(
                HalfOpen::new()
                    .max_calls(0)
                    .success_threshold(2)
                    .failure_rate(0.0)
                    .probe_timeout(Duration::ZERO),
            )
            .abandoned(Abandoned::FailureAfter(Duration::ZERO)),
    );
    assert_eq!(
        all,
        [
            "`window.buckets` is 3, only a window over time has buckets: must not be set",
            "`trip.consecutive_failures` is 0, must be from 1 to 4294967295",
            "`trip.consecutive_failures.minimum_calls` is 3, only a rate has a minimum: must not be set",
            "`trip.failure_count` is 0, must be from 1 to 4294967295",
            "`trip.failure_rate.threshold` is NaN, must be above 0 and at most 1",
            "`trip.failure_rate.minimum_calls` is 11, must be at most 10: the window holds no more calls",
            "`trip.slow_call_rate.threshold` is 1.5, must be above 0 and at most 1",
            "`trip.slow_call_rate.slow_after` is 0, must be longer than 0",
            "`trip.slow_call_rate.minimum_calls` is 0, must be at least 1",
            "`backoff.exponential` is 0.5, must be from 1 to 1000",
            "`backoff.max` is 0, must be longer than 0",
            "`backoff.jitter` is 2, must be from 0 to 1",
            "`backoff.forget_after` is 0, must be longer than 0",
            "`hint_max` is 0, must be longer than 0",
            "`half_open.max_calls` is 0, must be from 1 to 4294967295",
            "`half_open.failure_rate` is 0, must be above 0 and at most 1",
            "`half_open.success_threshold` is 2, a failure_rate decides alone: must not be set beside it",
            "`half_open.probe_timeout` is 0, must be longer than 0",
            "`abandoned.failure_after` is 0, must be longer than 0",
        ]
    );
}

#[test]
fn a_lone_problem_reads_as_one_sentence() {
    let error = builder().trip(Trip::failure_rate(0.0)).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid circuit breaker configuration: `trip.failure_rate.threshold` is 0, must be above 0 and at most 1"
    );
}

#[test]
fn two_slow_call_rules_are_refused() {
    let slow = |threshold| Trip::slow_call_rate(threshold, Duration::from_secs(1));
    assert_eq!(
        problems(builder().trip(slow(0.5)).trip(slow(0.9))),
        ["`trip.slow_call_rate` is given 2 times, must be given once at most"]
    );
}

#[test]
fn a_minimum_nobody_wrote_fits_a_small_window() {
    let config = builder().trip(Trip::failure_rate(0.5)).window(Window::last_calls(3)).build().unwrap();
    assert_eq!(config.rules(), [Rule::FailureRate { threshold_ppb: 500_000_000, minimum_calls: 3 }]);
    let smaller = CircuitBreakerConfig::default().to_builder().window(Window::last_calls(2)).build().unwrap();
    assert_eq!(smaller.rules(), [Rule::FailureRate { threshold_ppb: 500_000_000, minimum_calls: 2 }]);
}

#[test]
fn rules_on_runs_alone_need_no_window() {
    let run = builder().trip(Trip::consecutive_failures(3));
    assert_eq!(run.clone().build().unwrap().window(), Window::unbounded());
    let both = run.clone().trip(Trip::failure_rate(0.5)).build().unwrap();
    assert_eq!(both.window(), Window::last(Duration::from_secs(10)));
    let own = run.window(Window::last_calls(7)).build().unwrap();
    assert_eq!(own.window(), Window::last_calls(7));
    let custom = builder().no_trip_rules().build().unwrap();
    assert_eq!(custom.window(), Window::last(Duration::from_secs(10)));
}

#[test]
fn a_configuration_survives_its_builder() {
    for config in [
        CircuitBreakerConfig::default(),
        CircuitBreakerConfig::aggressive(),
        CircuitBreakerConfig::conservative(),
        builder().no_trip_rules().build().unwrap(),
        builder().trip(Trip::consecutive_failures(3)).time_calls(true).build().unwrap(),
    ] {
        assert_eq!(config.to_builder().build().unwrap(), config);
    }
}

#[test]
fn the_ends_of_the_ranges_are_valid() {
    builder()
        .trip(Trip::failure_count(u32::MAX))
        .trip(Trip::failure_rate(1.0).minimum_calls(1_000_000))
        .window(Window::last_calls(1_000_000))
        .open_duration(Duration::ZERO)
        .backoff(Backoff::exponential(1_000.0).max(Duration::MAX).jitter(1.0).forget_after(Duration::MAX))
        .hint_max(Duration::MAX)
        .half_open(HalfOpen::new().max_calls(u32::MAX).success_threshold(u32::MAX).max_failures(u32::MAX))
        .build()
        .unwrap();
    builder().window(Window::last(Duration::from_nanos(1)).buckets(1_000)).build().unwrap();
    let tiny = builder().window(Window::last(Duration::from_nanos(3))).build().unwrap();
    assert_eq!(tiny.window().bucket_count(), Some(3));
}
