use std::time::Duration;

use super::*;

type Config = CircuitBreakerConfig;

fn builder() -> CircuitBreakerConfigBuilder {
    Config::builder()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Returns the problems of a builder, as they are displayed.
fn problems(builder: CircuitBreakerConfigBuilder) -> Vec<String> {
    let error = builder.build().unwrap_err();
    println!("{error}");
    error.problems().iter().map(ToString::to_string).collect()
}

fn problems_of(rule: Trip) -> Vec<String> {
    problems(builder().trip(rule))
}

fn minimum(config: &Config) -> u32 {
    match config.trip()[0].kind() {
        TripKind::FailureRate { minimum_calls, .. } | TripKind::SlowCallRate { minimum_calls, .. } => {
            minimum_calls
        }
        other => panic!("no minimum in {other:?}"),
    }
}

/// One part of every kind.
fn variety() -> Vec<Config> {
    let parts = [
        builder().trip(Trip::consecutive_failures(3)),
        builder().trip(Trip::failure_count(10)).window(Window::last_calls(20)),
        builder().trip(Trip::failure_rate(2.0 / 3.0)).window(Window::last_calls(2)),
        builder().trip(Trip::slow_call_rate(0.28, Duration::from_millis(500)).minimum_calls(9)),
        builder().no_trip_rules().window(Window::unbounded()).time_calls(true),
        builder().window(Window::last(seconds(90)).buckets(30)).open_duration(Duration::ZERO),
        builder().window(Window::tumbling(Duration::MAX)).hint_max(Duration::from_nanos(1)),
        builder().backoff(Backoff::exponential(10.0 / 3.0).max(seconds(30)).jitter(1.0 / 3.0)),
        builder().backoff(Backoff::delays([seconds(1), seconds(5)]).forget_after(seconds(60))),
        builder().backoff(Backoff::none()).abandoned(Abandoned::Failure),
        builder().half_open(HalfOpen::new().max_calls(3).success_threshold(5).max_failures(1)),
        builder().half_open(HalfOpen::new().max_calls(4).failure_rate(0.5).probe_timeout(seconds(5))),
        builder().abandoned(Abandoned::FailureAfter(seconds(10))),
    ];
    let built = parts.map(|builder| builder.build().unwrap());
    built.into_iter().chain([Config::default(), Config::aggressive(), Config::conservative()]).collect()
}

// ---- what holds -------------------------------------------------------------------------------------

#[test]
fn the_default_is_the_documented_one() {
    let config = Config::default();
    let rules = [Trip::failure_rate(0.5).minimum_calls(5), Trip::consecutive_failures(15)];
    assert_eq!(config.trip(), rules);
    assert_eq!(config.window(), Window::last(seconds(10)).buckets(10));
    assert_eq!(config.open_duration(), seconds(2));
    assert_eq!(config.backoff(), &Backoff::none().jitter(0.2));
    assert_eq!(config.hint_max(), seconds(120));
    assert_eq!(config.half_open(), HalfOpen::new().success_threshold(1).max_failures(0));
    assert_eq!(config.half_open().probe_limit(), seconds(60));
    assert_eq!(config.abandoned(), Abandoned::Ignore);
    assert!(!config.time_calls() && !config.needs_timing());
    assert_eq!(config, builder().build().unwrap());
}

#[test]
fn a_configuration_built_again_is_the_same() {
    let all = variety();
    for (place, config) in all.iter().enumerate() {
        assert_eq!(&config.to_builder().build().unwrap(), config);
        for (other_place, other) in all.iter().enumerate() {
            assert_eq!(config == other, place == other_place, "{config:?} {other:?}");
        }
    }
}

#[test]
fn defaults_and_clones_share_their_numbers() {
    let (one, two) = (Config::default(), Config::default());
    assert!(std::ptr::eq(one.trip(), two.trip()));
    assert!(std::ptr::eq(one.clone().trip(), one.trip()));
    assert_eq!(size_of::<Config>(), size_of::<usize>());
}

#[cfg(target_pointer_width = "64")]
#[test]
fn an_own_configuration_takes_at_most_144_bytes() {
    let counts = 2 * size_of::<usize>();
    let bytes = counts + size_of::<super::parts::Parts>() + size_of::<Trip>();
    assert!(bytes <= 144, "one rule and no rare part take {bytes} bytes");
}

#[test]
fn a_rare_part_is_kept_beside_defaults() {
    let second = Duration::from_secs(1);
    let hint = builder().hint_max(second).build().unwrap();
    let held = builder().abandoned(Abandoned::FailureAfter(Duration::MAX)).build().unwrap();
    let timed = builder().time_calls(true).build().unwrap();
    assert_eq!((hint.hint_max(), hint.abandoned(), hint.time_calls()), (second, Abandoned::Ignore, false));
    assert_eq!(held.abandoned(), Abandoned::FailureAfter(Duration::MAX));
    assert_eq!((held.hint_max(), timed.time_calls()), (Duration::from_secs(120), true));
    for config in [hint, held, timed] {
        assert_ne!(config, Config::default());
        assert_eq!(
            config
                .to_builder()
                .hint_max(Duration::from_secs(120))
                .abandoned(Abandoned::Ignore)
                .time_calls(false)
                .build()
                .unwrap(),
            Config::default()
        );
    }
}

#[test]
fn the_first_rule_replaces_and_the_next_is_added() {
    let two = builder().trip(Trip::failure_rate(0.3)).trip(Trip::failure_count(9)).build().unwrap();
    assert_eq!(two.trip(), [Trip::failure_rate(0.3), Trip::failure_count(9)]);
    let one = two.to_builder().trip(Trip::failure_count(4)).build().unwrap();
    assert_eq!(one.trip(), [Trip::failure_count(4)]);
    assert_eq!(two.to_builder().no_trip_rules().build().unwrap().trip(), []);
}

#[test]
fn thresholds_are_exact_and_rounded_down() {
    let config = builder().trip(Trip::failure_rate(0.28)).build().unwrap();
    assert!(config.rules().eq([Rule::FailureRate { threshold_ppb: 280_000_000, minimum_calls: 5 }]));
    let config = builder().trip(Trip::failure_rate(2.0 / 3.0)).build().unwrap();
    assert!(config.rules().eq([Rule::FailureRate { threshold_ppb: 666_666_666, minimum_calls: 5 }]));
    let TripKind::FailureRate { threshold, .. } = config.trip()[0].kind() else { panic!("another rule") };
    assert_eq!(threshold, 0.666_666_666);
}

#[test]
fn a_default_minimum_shrinks_with_the_window() {
    let rate = Trip::failure_rate(0.5);
    let ten = builder().trip(rate).window(Window::last_calls(10)).build().unwrap();
    assert_eq!(minimum(&ten), 5);
    let three = ten.to_builder().window(Window::last_calls(3)).build().unwrap();
    assert_eq!(minimum(&three), 3);
    let again = three.to_builder().window(Window::last(seconds(5))).build().unwrap();
    assert_eq!(minimum(&again), 5);
}

#[test]
fn rules_on_runs_need_no_window() {
    let runs = builder().trip(Trip::consecutive_failures(5));
    assert_eq!(runs.clone().build().unwrap().window(), Window::unbounded());
    let tumbling = Window::tumbling(seconds(60));
    assert_eq!(runs.clone().window(tumbling).build().unwrap().window(), tumbling);

    let mixed = runs.clone().trip(Trip::failure_rate(0.5)).build().unwrap();
    assert_eq!(mixed.window(), Config::default().window());
    let other = runs.build().unwrap().to_builder().trip(Trip::failure_rate(0.5)).build().unwrap();
    assert_eq!(other.window(), Config::default().window());
    assert_eq!(builder().no_trip_rules().build().unwrap().window(), Config::default().window());
}

#[test]
fn a_window_has_ten_buckets_of_a_nanosecond_or_more() {
    let form = |window| builder().window(window).build().unwrap().form();
    assert_eq!(form(Window::last(seconds(1))), Form::Time { nanos: 1_000_000_000, buckets: 10 });
    assert_eq!(form(Window::last(Duration::from_nanos(7))), Form::Time { nanos: 7, buckets: 7 });
    assert_eq!(form(Window::last(Duration::MAX)), Form::Time { nanos: u64::MAX, buckets: 10 });
}

#[test]
fn calls_are_timed_where_a_number_needs_it() {
    let timed = |builder: CircuitBreakerConfigBuilder| builder.build().unwrap().needs_timing();
    assert!(timed(builder().trip(Trip::slow_call_rate(0.5, seconds(1)))));
    assert!(timed(builder().abandoned(Abandoned::FailureAfter(seconds(1)))));
    assert!(timed(builder().time_calls(true)));
    assert!(!timed(builder().abandoned(Abandoned::Failure)));
}

#[test]
fn unreachable_counts_and_endless_times_are_allowed() {
    let config = builder()
        .trip(Trip::consecutive_failures(u32::MAX))
        .trip(Trip::failure_count(u32::MAX))
        .trip(Trip::failure_rate(1.0).minimum_calls(u32::MAX))
        .trip(Trip::slow_call_rate(1e-9, Duration::MAX))
        .open_duration(Duration::MAX)
        .hint_max(Duration::MAX)
        .half_open(HalfOpen::new().max_calls(u32::MAX).max_failures(u32::MAX).probe_timeout(Duration::MAX))
        .build()
        .unwrap();
    assert_eq!(config.slow_after_nanos(), Some(u64::MAX));
    assert_eq!(config.slow_ppb(), Some(1));
    assert!(builder().trip(Trip::failure_count(50)).window(Window::last_calls(10)).build().is_ok());
}

#[test]
fn the_parts_are_shown() {
    let shown = format!("{:?}", Config::default());
    let rules =
        "trip: [FailureRate { threshold: 0.5, minimum_calls: 5 }, ConsecutiveFailures { failures: 15 }]";
    assert!(shown.contains(rules), "{shown}");
    assert!(shown.contains("window: Last { duration: 10s, buckets: 10 }"), "{shown}");
}

// ---- what cannot hold -------------------------------------------------------------------------------

#[test]
fn all_problems_are_reported_together() {
    let error = builder()
        .trip(Trip::failure_rate(1.5))
        .window(Window::last_calls(0))
        .backoff(Backoff::none().jitter(1.0))
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 problems: `trip.failure_rate`: threshold is 1.5, but must be above 0 and at most 1; \
         `window.last_calls` is 0, but must be from 1 to 1000000; \
         `backoff.jitter` is 1, but must be from 0 to below 1"
    );
    let first = &error.problems()[0];
    assert_eq!(
        (first.field(), first.value(), first.range()),
        ("trip.failure_rate.threshold", "1.5", "above 0 and at most 1")
    );
}

#[test]
fn a_lone_problem_is_one_sentence() {
    let error = builder().trip(Trip::failure_rate(0.0)).build().unwrap_err();
    assert_eq!(error.to_string(), "`trip.failure_rate`: threshold is 0, but must be above 0 and at most 1");
}

#[test]
fn a_share_that_is_none_is_an_error() {
    for (share, written) in [(f64::NAN, "NaN"), (-0.5, "-0.5"), (f64::INFINITY, "inf"), (1e300, "1e300")] {
        let sentence = format!("threshold is {written}, but must be above 0 and at most 1");
        assert_eq!(problems_of(Trip::failure_rate(share)), [format!("`trip.failure_rate`: {sentence}")]);
        let slow = Trip::slow_call_rate(share, seconds(1));
        assert_eq!(problems_of(slow), [format!("`trip.slow_call_rate`: {sentence}")]);
        assert_eq!(
            problems(builder().half_open(HalfOpen::new().failure_rate(share))),
            [format!("`half_open.failure_rate` is {written}, but must be above 0 and at most 1")]
        );
    }
    assert_eq!(
        problems_of(Trip::failure_rate(1e-10)),
        ["`trip.failure_rate`: threshold is 1e-10, but must be from 0.000000001 \
          (the smallest share that is not rounded to 0) to 1"]
    );
}

#[test]
fn counts_begin_at_one() {
    assert_eq!(
        problems_of(Trip::consecutive_failures(0)),
        ["`trip.consecutive_failures` is 0, but must be at least 1"]
    );
    assert_eq!(problems_of(Trip::failure_count(0)), ["`trip.failure_count` is 0, but must be at least 1"]);
    let none = HalfOpen::new().max_calls(0).success_threshold(0);
    assert_eq!(
        problems(builder().half_open(none)),
        [
            "`half_open.max_calls` is 0, but must be at least 1",
            "`half_open.success_threshold` is 0, but must be at least 1"
        ]
    );
}

#[test]
fn a_minimum_must_be_one_the_window_can_reach() {
    let twenty = builder().trip(Trip::failure_rate(0.5).minimum_calls(20));
    assert!(twenty.clone().window(Window::last_calls(20)).build().is_ok());
    assert_eq!(
        problems(twenty.window(Window::last_calls(10))),
        ["`trip.failure_rate`: minimum_calls is 20, but must be from 1 to 10, the calls that `window` holds"]
    );
    assert_eq!(
        problems_of(Trip::slow_call_rate(0.5, seconds(1)).minimum_calls(0)),
        ["`trip.slow_call_rate`: minimum_calls is 0, but must be at least 1"]
    );
}

#[test]
fn a_minimum_on_a_rule_that_is_no_rate_is_an_error() {
    assert_eq!(
        problems_of(Trip::consecutive_failures(3).minimum_calls(10)),
        [
            "`trip.consecutive_failures`: minimum_calls is 10, but must be left out: only a rate waits for calls"
        ]
    );
    assert_eq!(
        problems_of(Trip::failure_count(3).minimum_calls(10)),
        ["`trip.failure_count`: minimum_calls is 10, but must be left out: only a rate waits for calls"]
    );
}

#[test]
fn slow_calls_have_one_rule_and_take_some_time() {
    let slow = Trip::slow_call_rate(0.5, seconds(1));
    assert_eq!(
        problems(builder().trip(slow).trip(slow)),
        ["`trip.slow_call_rate` is given 2 times, but must be given once at most: \
          a breaker has one count of slow calls"]
    );
    assert_eq!(
        problems_of(Trip::slow_call_rate(0.5, Duration::ZERO)),
        ["`trip.slow_call_rate`: slow_after is 0s, but must be longer than 0s, or every call is slow"]
    );
}

#[test]
fn a_window_holds_something_and_has_its_own_buckets() {
    let problems = |window| problems(builder().window(window));
    assert_eq!(
        problems(Window::last_calls(1_000_001)),
        ["`window.last_calls` is 1000001, but must be from 1 to 1000000"]
    );
    assert_eq!(problems(Window::last(Duration::ZERO)), ["`window.last` is 0s, but must be longer than 0s"]);
    assert_eq!(
        problems(Window::tumbling(Duration::ZERO)),
        ["`window.tumbling` is 0s, but must be longer than 0s"]
    );
    for buckets in [0, 1_001] {
        assert_eq!(
            problems(Window::last(seconds(1)).buckets(buckets)),
            [format!("`window.buckets` is {buckets}, but must be from 1 to 1000")]
        );
    }
    assert_eq!(
        problems(Window::last(Duration::from_nanos(7)).buckets(8)),
        ["`window.buckets` is 8, but must be from 1 to 7, the nanoseconds of the window"]
    );
    for (window, name) in [
        (Window::last_calls(100), "a window of the last 100 calls"),
        (Window::tumbling(seconds(60)), "a window that tumbles every 1m"),
        (Window::unbounded(), "an unbounded window"),
    ] {
        assert_eq!(
            problems(window.buckets(5)),
            [format!(
                "`window.buckets` is 5 on {name}, but must be left out: only `Window::last` has buckets"
            )]
        );
    }
}

#[test]
fn waits_grow_and_are_some_time() {
    let problems = |backoff| problems(builder().backoff(backoff));
    for (multiplier, written) in [(0.5, "0.5"), (1_001.0, "1001"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")]
    {
        assert_eq!(
            problems(Backoff::exponential(multiplier)),
            [format!("`backoff.multiplier` is {written}, but must be from 1 to 1000")]
        );
    }
    for (jitter, written) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN")] {
        let sentence = format!("`backoff.jitter` is {written}, but must be from 0 to below 1");
        assert_eq!(problems(Backoff::none().jitter(jitter)), [sentence]);
    }
    assert_eq!(
        problems(Backoff::delays([])),
        ["`backoff.delays` is empty, but must be a list of one delay or more"]
    );
    assert_eq!(
        problems(Backoff::delays([seconds(1), Duration::ZERO])),
        ["`backoff.delays` is 0s at place 2, but must be longer than 0s everywhere"]
    );
    assert_eq!(
        problems(Backoff::none().max(Duration::ZERO).forget_after(Duration::ZERO)),
        [
            "`backoff.max` is 0s, but must be longer than 0s",
            "`backoff.forget_after` is 0s, but must be longer than 0s"
        ]
    );
}

#[test]
fn times_are_longer_than_zero_and_verdicts_alone() {
    assert_eq!(
        problems(builder().hint_max(Duration::ZERO)),
        ["`hint_max` is 0s, but must be longer than 0s"]
    );
    assert_eq!(
        problems(builder().half_open(HalfOpen::new().probe_timeout(Duration::ZERO))),
        ["`half_open.probe_timeout` is 0s, but must be longer than 0s"]
    );
    assert_eq!(
        problems(builder().abandoned(Abandoned::FailureAfter(Duration::ZERO))),
        ["`abandoned.failure_after` is 0s, but must be longer than 0s; \
          for every abandoned call use `Abandoned::Failure`"]
    );
    assert_eq!(
        problems(builder().half_open(HalfOpen::new().failure_rate(0.5).max_failures(0))),
        ["`half_open.failure_rate` is set beside `max_failures`, but must be set alone: \
          a rate decides, or counts do"]
    );
}

// ---- documents --------------------------------------------------------------------------------------

// serde_json is not a dependency of loom builds.
#[cfg(all(feature = "serde", not(loom)))]
mod documents {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Upstream {
        url: String,
        breaker: Config,
    }

    fn refused(document: &str) -> String {
        let error = serde_json::from_str::<Config>(document).unwrap_err().to_string();
        println!("{error}");
        // The position of the parser, which depends on the parser.
        error.split(" at line").next().unwrap().to_owned()
    }

    #[test]
    fn a_configuration_reads_as_it_was_written() {
        for breaker in variety() {
            let upstream = Upstream { url: "http://payments".into(), breaker };
            let text = serde_json::to_string(&upstream).unwrap();
            assert_eq!(serde_json::from_str::<Upstream>(&text).unwrap(), upstream, "{text}");
        }
    }

    #[test]
    fn the_default_is_written_with_all_its_numbers() {
        assert_eq!(
            serde_json::to_value(Config::default()).unwrap(),
            serde_json::json!({
                "trip": [
                    { "failure_rate": { "threshold": 0.5, "minimum_calls": 5 } },
                    { "consecutive_failures": 15 }
                ],
                "window": { "last": { "duration": "10s", "buckets": 10 } },
                "open": { "duration": "2s", "hint_max": "2m", "backoff": { "jitter": 0.2 } },
                "half_open": {
                    "max_calls": 1, "success_threshold": 1, "max_failures": 0, "probe_timeout": "1m"
                },
                "abandoned": "ignore",
                "time_calls": false
            })
        );
    }

    #[test]
    fn missing_parts_keep_their_defaults() {
        let read = |document| serde_json::from_str::<Config>(document).unwrap();
        assert_eq!(read("{}"), Config::default());
        let two = read(r#"{ "open": { "duration": "1m30s" }, "half_open": { "max_calls": 2 } }"#);
        let same = builder().open_duration(seconds(90)).half_open(HalfOpen::new().max_calls(2));
        assert_eq!(two, same.build().unwrap());
        assert_eq!(read(r#"{ "trip": [] }"#), builder().no_trip_rules().build().unwrap());
        let runs = read(r#"{ "trip": [{ "consecutive_failures": 5 }] }"#);
        assert_eq!(runs.window(), Window::unbounded());
        let small = read(r#"{ "window": { "last_calls": 3 } }"#);
        assert_eq!(minimum(&small), 3);
    }

    #[test]
    fn rules_are_a_list_or_a_map() {
        let read = |document| serde_json::from_str::<Config>(document).unwrap();
        let list = r#"{ "trip": [
            { "consecutive_failures": 20 },
            { "slow_call_rate": { "threshold": 0.8, "slow_after": "2s", "minimum_calls": 9 } }
        ] }"#;
        let map = r#"{ "trip": {
            "consecutive_failures": 20,
            "slow_call_rate": { "threshold": 0.8, "slow_after": "2s", "minimum_calls": 9 }
        } }"#;
        assert_eq!(read(map), read(list));
        assert_eq!(read(r#"{ "trip": {} }"#), Config::default());
        let off = read(r#"{ "trip": { "failure_rate": "off", "consecutive_failures": false } }"#);
        assert_eq!(off, builder().no_trip_rules().build().unwrap());
        let minimum =
            read(r#"{ "trip": { "minimum_calls": 9, "consecutive_failures": 20, "failure_rate": {} } }"#);
        let rate = Trip::failure_rate(0.5).minimum_calls(9);
        assert_eq!(minimum.trip(), [Trip::consecutive_failures(20), rate]);
        assert!(read(r#"{ "trip": { "minimum_calls": 9 } }"#).trip().contains(&rate));
        assert_eq!(
            refused(r#"{ "trip": { "failure_count": 5, "failure_count": 6 } }"#),
            "`trip` has a rule twice, but must be a list: a map has each rule once"
        );
        assert_eq!(
            refused(r#"{ "trip": 5 }"#),
            "invalid type: integer `5`, expected trip rules, as a list or a map, \
             such as { failure_rate = { threshold = 0.5 } }"
        );
    }

    #[test]
    fn what_cannot_hold_is_refused_with_its_field() {
        assert_eq!(
            refused(r#"{ "trip": [{ "failure_rate": { "threshold": 0 } }], "open": { "hint_max": "0s" } }"#),
            "2 problems: `trip.failure_rate`: threshold is 0, but must be above 0 and at most 1; \
             `hint_max` is 0s, but must be longer than 0s"
        );
        assert_eq!(
            refused(r#"{ "open": { "backoff": { "multiplier": 2, "delays": ["1s"] } } }"#),
            "`backoff.delays` is set together with `multiplier`, but must be set alone: \
             the waits are either listed or grow"
        );
    }

    #[test]
    fn an_unknown_key_is_rejected() {
        for document in [
            r#"{ "open_duration": "5s" }"#,
            r#"{ "trip": [{ "failure_rate": { "threshold": 0.5, "minimum": 5 } }] }"#,
            r#"{ "trip": [{ "failures": 5 }] }"#,
            r#"{ "trip": { "failures": 5 } }"#,
            r#"{ "trip": { "slow_call_rate": { "threshold": 0.5, "slow": "1s" } } }"#,
            r#"{ "window": { "last": { "duration": "5s", "bucket": 5 } } }"#,
            r#"{ "open": { "backoff": { "factor": 2 } } }"#,
            r#"{ "half_open": { "calls": 2 } }"#,
            r#"{ "abandoned": "failed" }"#,
        ] {
            let error = refused(document);
            assert!(error.starts_with("unknown ") && error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn a_time_is_a_string_with_units() {
        assert_eq!(
            refused(r#"{ "open": { "duration": "30" } }"#),
            "`30` is not a duration such as \"30s\", \"500ms\" or \"1m30s\": \
             30 has no unit; write `30s` for seconds"
        );
        assert_eq!(
            refused(r#"{ "open": { "duration": 30 } }"#),
            "invalid type: integer `30`, expected a duration such as \"30s\", \"500ms\" or \"1m30s\""
        );
    }
}
