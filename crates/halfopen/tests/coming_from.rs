//! The rows of the guide's page "Coming from", each with the configuration that it shows.
//!
//! `HALFOPEN_WRITE_PAGES=1 cargo test -p halfopen --all-features --test coming_from` regenerates the page.
#![cfg(feature = "test-util")]

use std::fmt::Write;
use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Clock, HalfOpen, State, Trip,
    Window,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/coming_from.md");

const INTRODUCTION: &str = "\
The settings of other circuit breakers, their defaults there, and the same here.

Each table begins with a configuration that behaves as the other library does by default: it opens, waits and
closes after the same number of calls. Every row is built by a test. `builder` is
[`CircuitBreakerConfig::builder()`](crate::CircuitBreakerConfig::builder).

Three things hold here with every configuration, and not in all of these libraries: an outcome counts only in the
visit to a state that permitted its call; a probe that is dropped, panics or hangs gives its slot back; a window slides
with each call or bucket. By default a wait has a jitter of 20 %, which [`Backoff::none`](crate::Backoff::none) removes.
";

type Set = fn(CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder;

struct Library {
    name: &'static str,
    source: &'static str,
    rows: &'static [Row],
    /// Failures from the first call until it opens, the wait, and successful probes until it closes.
    failures: u32,
    wait: Duration,
    successes: u32,
}

struct Row {
    setting: &'static str,
    here: Here,
}

enum Here {
    /// The default of the other library, which the first configuration reproduces.
    Default { there: &'static str, code: &'static str, set: Set },
    /// An example of a setting that is off by default.
    Example { code: &'static str, set: Set },
    /// Not part of a configuration.
    Elsewhere { there: &'static str, what: &'static str },
}

macro_rules! default {
    ($setting:literal, $there:literal, $($code:tt)*) => {
        Row {
            setting: $setting,
            here: Here::Default { there: $there, code: stringify!($($code)*), set: |builder| builder $($code)* },
        }
    };
}

macro_rules! example {
    ($setting:literal, $($code:tt)*) => {
        Row { setting: $setting, here: Here::Example { code: stringify!($($code)*), set: |builder| builder $($code)* } }
    };
}

const fn elsewhere(setting: &'static str, there: &'static str, what: &'static str) -> Row {
    Row { setting, here: Here::Elsewhere { there, what } }
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const CLASSIFIER: &str = "a [classifier](crate::Classify): `Success`, `Failure` or `Ignored`";
const MANUAL: &str =
    "[`force_open`](crate::CircuitBreaker::force_open), [`reset`](crate::CircuitBreaker::reset)";
const LISTENER: &str = "a [`Listener`](crate::Listener)";

static LIBRARIES: [Library; 7] = [
    Library {
        name: "resilience4j 2",
        source: "`CircuitBreakerConfig.java`",
        rows: &[
            default!("`slidingWindowType`, `slidingWindowSize`", "`COUNT_BASED`, 100", .window(Window::last_calls(100))),
            default!("`failureRateThreshold`, `minimumNumberOfCalls`", "50 %, 100", .trip(Trip::failure_rate(0.5).minimum_calls(100))),
            default!("`slowCallRateThreshold`, `slowCallDurationThreshold`", "100 %, 60 s", .trip(Trip::slow_call_rate(1.0, seconds(60)).minimum_calls(100))),
            default!("`waitDurationInOpenState`", "60 s", .open_duration(seconds(60)).backoff(Backoff::none())),
            default!("`permittedNumberOfCallsInHalfOpenState`", "10, judged by the failure rate", .half_open(HalfOpen::new().max_calls(10).failure_rate(0.5))),
            example!("`slidingWindowType` `TIME_BASED`, 30 s", .window(Window::last(seconds(30)).buckets(30))),
            example!("`waitIntervalFunctionInOpenState`, exponential", .backoff(Backoff::exponential(1.5).max(seconds(600)))),
            example!("`maxWaitDurationInHalfOpenState` 10 s", .half_open(HalfOpen::new().max_calls(10).failure_rate(0.5).probe_timeout(seconds(10)))),
            elsewhere(
                "`recordExceptions`, `ignoreExceptions`, `recordResultPredicate`",
                "every exception",
                CLASSIFIER,
            ),
            elsewhere(
                "`automaticTransitionFromOpenToHalfOpenEnabled`",
                "false",
                "not needed: [`state`](crate::CircuitBreaker::state) is half-open when the wait is over",
            ),
        ],
        failures: 100,
        wait: seconds(60),
        successes: 6,
    },
    Library {
        name: "Polly 8",
        source: "`CircuitBreakerStrategyOptions`, `CircuitBreakerConstants`",
        rows: &[
            default!("`FailureRatio`, `MinimumThroughput`", "0.1, 100", .trip(Trip::failure_rate(0.1).minimum_calls(100))),
            default!("`SamplingDuration`", "30 s", .window(Window::last(seconds(30)))),
            default!("`BreakDuration`", "5 s", .open_duration(seconds(5)).backoff(Backoff::none())),
            default!("one probe", "always", .half_open(HalfOpen::new())),
            example!("`BreakDurationGenerator`", .backoff(Backoff::delays([seconds(5), seconds(10), seconds(30)]))),
            elsewhere("`ShouldHandle`", "every exception but `OperationCanceledException`", CLASSIFIER),
            elsewhere("`ManualControl`", "none", MANUAL),
            elsewhere("`OnOpened`, `OnClosed`, `OnHalfOpened`", "none", LISTENER),
        ],
        failures: 100,
        wait: seconds(5),
        successes: 1,
    },
    Library {
        name: "failsafe-go",
        source: "`circuitbreakerbuilder.go`",
        rows: &[
            default!("`WithFailureThreshold`", "1", .trip(Trip::consecutive_failures(1))),
            default!("`WithDelay`", "1 min", .open_duration(seconds(60)).backoff(Backoff::none())),
            default!("`WithSuccessThreshold`", "1", .half_open(HalfOpen::new().success_threshold(1))),
            example!("`WithFailureThresholdRatio(5, 10)`", .window(Window::last_calls(10)).trip(Trip::failure_count(5))),
            example!("`WithFailureThresholdPeriod(5, time.Minute)`", .window(Window::last(seconds(60))).trip(Trip::failure_count(5))),
            example!("`WithFailureRateThreshold(20, 10, time.Minute)`", .window(Window::last(seconds(60))).trip(Trip::failure_rate(0.2).minimum_calls(10))),
            example!("`WithSuccessThresholdRatio(5, 10)`", .half_open(HalfOpen::new().max_calls(10).success_threshold(5).max_failures(5))),
            elsewhere(
                "`WithDelayFunc`",
                "none",
                "a classifier's [`retry_after`](crate::Classify::retry_after), or a [`Backoff`](crate::Backoff)",
            ),
            elsewhere("`HandleErrors`, `HandleResult`, `HandleIf`", "every error", CLASSIFIER),
        ],
        failures: 1,
        wait: seconds(60),
        successes: 1,
    },
    Library {
        name: "gobreaker 2",
        source: "`gobreaker.go`",
        rows: &[
            default!("`ReadyToTrip`", "more than 5 consecutive failures", .trip(Trip::consecutive_failures(6))),
            default!("`Interval`", "0: the counts are never cleared", .window(Window::unbounded())),
            default!("`Timeout`", "60 s", .open_duration(seconds(60)).backoff(Backoff::none())),
            default!("`MaxRequests`", "1", .half_open(HalfOpen::new().max_calls(1).success_threshold(1))),
            example!("`Interval` 60 s", .window(Window::tumbling(seconds(60)))),
            example!("`Interval` 60 s, `BucketPeriod` 10 s", .window(Window::last(seconds(60)).buckets(6))),
            example!("`MaxRequests` 3", .half_open(HalfOpen::new().max_calls(3).success_threshold(3))),
            elsewhere(
                "`ReadyToTrip`, a function",
                "-",
                "[`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip)",
            ),
            elsewhere("`IsSuccessful`", "no error", CLASSIFIER),
            elsewhere("`OnStateChange`", "none", LISTENER),
        ],
        failures: 6,
        wait: seconds(60),
        successes: 1,
    },
    Library {
        name: "recloser 1.4",
        source: "`recloser.rs`",
        rows: &[
            default!("`closed_len`", "100", .window(Window::last_calls(100))),
            default!("`error_rate`", "0.5, from the call after the first 100", .trip(Trip::failure_rate(0.5).minimum_calls(100))),
            default!("`open_wait`", "30 s", .open_duration(seconds(30)).backoff(Backoff::none())),
            default!("`half_open_len`", "10, and no limit of calls", .half_open(HalfOpen::new().max_calls(10).failure_rate(0.5))),
            example!("`open_wait_strategy`", .backoff(Backoff::exponential(2.0).max(seconds(300)))),
            elsewhere("`call_with`", "every `Err`", CLASSIFIER),
        ],
        failures: 100,
        wait: seconds(30),
        successes: 6,
    },
    Library {
        name: "tower-resilience 0.14",
        source: "`config.rs` of `tower-resilience-circuitbreaker`",
        rows: &[
            default!("`sliding_window_type`, `sliding_window_size`", "`CountBased`, 100", .window(Window::last_calls(100))),
            default!("`failure_rate_threshold`, `minimum_number_of_calls`", "0.5, the size of the window", .trip(Trip::failure_rate(0.5).minimum_calls(100))),
            default!("`wait_duration_in_open`", "30 s", .open_duration(seconds(30)).backoff(Backoff::none())),
            default!("`permitted_calls_in_half_open`", "1", .half_open(HalfOpen::new().max_calls(1))),
            example!("`slow_call_duration_threshold` 2 s, `slow_call_rate_threshold` 1.0", .trip(Trip::slow_call_rate(1.0, seconds(2)))),
            example!("`sliding_window_duration` 60 s", .window(Window::last(seconds(60)))),
            example!("`consecutive_failures(5)`", .trip(Trip::consecutive_failures(5))),
            elsewhere("`failure_classifier`", "every `Err`", CLASSIFIER),
            elsewhere("`backpressure`", "false", "`wait_while_open` of `halfopen-tower`"),
            elsewhere("`on_state_transition`, ..", "none", LISTENER),
        ],
        failures: 100,
        wait: seconds(30),
        successes: 1,
    },
    Library {
        name: "Hystrix 1.5",
        source: "`HystrixCommandProperties.java`",
        rows: &[
            default!("`metrics.rollingStats.timeInMilliseconds`, `.numBuckets`", "10 s, 10", .window(Window::last(seconds(10)).buckets(10))),
            default!("`errorThresholdPercentage`, `requestVolumeThreshold`", "50 %, 20", .trip(Trip::failure_rate(0.5).minimum_calls(20))),
            default!("`sleepWindowInMilliseconds`", "5 s", .open_duration(seconds(5)).backoff(Backoff::none())),
            default!("one probe", "always", .half_open(HalfOpen::new())),
            elsewhere("`circuitBreaker.forceOpen`", "false", MANUAL),
            elsewhere(
                "`circuitBreaker.forceClosed`, `.enabled`",
                "false, true",
                "[`disable`](crate::CircuitBreaker::disable)",
            ),
            elsewhere(
                "`execution.isolation.thread.timeoutInMilliseconds`",
                "1 s",
                "a timeout [inside of the breaker](crate::guide#the-order-of-layers)",
            ),
            elsewhere(
                "`execution.isolation.semaphore.maxConcurrentRequests`",
                "10",
                "a concurrency limit, as `tower::limit`",
            ),
        ],
        failures: 20,
        wait: seconds(5),
        successes: 1,
    },
];

#[test]
fn the_page_is_what_the_rows_print() {
    let page = page();
    if std::env::var_os("HALFOPEN_WRITE_PAGES").is_some() {
        std::fs::write(PAGE, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).expect("the page is in the repository");
    assert!(written == page, "write it anew with HALFOPEN_WRITE_PAGES=1, and read it");
}

#[test]
fn every_row_builds() {
    for library in &LIBRARIES {
        for row in library.rows {
            match &row.here {
                Here::Default { set, .. } | Here::Example { set, .. } => {
                    // Only the rule: the window that it needs is in another row.
                    let built = set(CircuitBreakerConfig::builder().window(Window::last_calls(100))).build();
                    assert!(built.is_ok(), "{}, {}: {built:?}", library.name, row.setting);
                }
                Here::Elsewhere { .. } => {}
            }
        }
    }
}

#[test]
fn each_library_opens_waits_and_closes_as_there() {
    for library in &LIBRARIES {
        let (clock, hands) = Clock::manual();
        let breaker = CircuitBreaker::builder(library.name).config(library.defaults()).clock(clock).build();
        let name = library.name;
        for _ in 1..library.failures {
            breaker.try_acquire().unwrap().failure();
        }
        assert_eq!(breaker.state(), State::Closed, "{name} opens before failure {}", library.failures);
        breaker.try_acquire().unwrap().failure();
        assert_eq!(breaker.state(), State::Open, "{name} opens with failure {}", library.failures);

        hands.advance(library.wait - Duration::from_nanos(1));
        assert_eq!(breaker.state(), State::Open, "{name} waits {:?}", library.wait);
        hands.advance(Duration::from_nanos(1));
        assert_eq!(breaker.state(), State::HalfOpen, "{name} waits no longer than {:?}", library.wait);

        for _ in 1..library.successes {
            breaker.try_acquire().unwrap().success();
        }
        assert_eq!(breaker.state(), State::HalfOpen, "{name} closes before success {}", library.successes);
        breaker.try_acquire().unwrap().success();
        assert_eq!(breaker.state(), State::Closed, "{name} closes with success {}", library.successes);
    }
}

impl Library {
    fn defaults(&self) -> CircuitBreakerConfig {
        let set = self.rows.iter().filter_map(|row| match &row.here {
            Here::Default { set, .. } => Some(set),
            Here::Example { .. } | Here::Elsewhere { .. } => None,
        });
        set.fold(CircuitBreakerConfig::builder(), |builder, set| set(builder))
            .build()
            .expect("the defaults are valid")
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for library in &LIBRARIES {
        write!(
            page,
            "\n# {}\n\nFrom {}.\n\n```rust,ignore\nlet config = builder\n",
            library.name, library.source
        )
        .expect("a string can be written");
        for row in library.rows {
            if let Here::Default { code, .. } = row.here {
                for call in calls(code) {
                    writeln!(page, "    {call}").expect("a string can be written");
                }
            }
        }
        page += "    .build()?;\n```\n\n| there | default | here |\n|---|---|---|\n";
        for row in library.rows {
            let (there, here) = match row.here {
                Here::Default { there, code, .. } => (there, format!("`{}`", calls(code).concat())),
                Here::Example { code, .. } => ("not set", format!("`{}`", calls(code).concat())),
                Here::Elsewhere { there, what } => (there, what.to_owned()),
            };
            writeln!(page, "| {} | {there} | {here} |", row.setting).expect("a string can be written");
        }
    }
    page
}

/// The builder's method calls, each from its dot, as a user writes them.
fn calls(code: &str) -> Vec<String> {
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = code.replace("seconds(", "Duration::from_secs(");
    let (mut calls, mut depth) = (Vec::<String>::new(), 0_u32);
    for character in code.chars() {
        match character {
            '.' if depth == 0 => calls.push(String::new()),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        calls.last_mut().expect("a call begins with a dot").push(character);
    }
    calls
}
