//! The public names that other code compiles against, each used with its promised types.
//!
//! A change that breaks this file breaks its users.

mod adapters;
mod limits;
mod names;
mod operations;
mod stores;

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use halfopen::adapter::{self, Handle, HandlePermit, Refusal, Signal};
use halfopen::{
    Abandoned, Backoff, BackoffKind, BoxError, CircuitBreaker, CircuitBreakerBuilder, CircuitBreakerConfig,
    CircuitBreakerConfigBuilder, CircuitBreakerError, Classified, Classify, Clock, ConfigError, Counts,
    Ended, Event, HalfOpen, Interest, Listener, ManualClock, Opening, Outcome, OwnedPermit, Permit, Probes,
    Registry, RegistryBuilder, RegistryStatus, RejectReason, Rejected, Report, Snapshot, State, StateChange,
    Subscription, Totals, Trip, TripCause, TripReason, Window,
};
use halfopen_http::{GrpcClassify, HttpClassify, WatchedBody};
use halfopen_reqwest::{BreakerName, CircuitBreakerMiddleware, ReqwestClassify, ResilientHttpClient};
use halfopen_tower::CircuitBreakerLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<u32, std::io::Error>;

struct ByKind;

impl Classify<u32, std::io::Error> for ByKind {
    fn classify(&self, result: &Answer) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }

    fn describe(&self, result: &Answer) -> Option<String> {
        result.as_ref().err().map(ToString::to_string)
    }
}

struct Ear;

impl Listener for Ear {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        let _ = (breaker.name(), event);
    }

    fn on_signal(&self, breaker: &CircuitBreaker, signal: &Signal) {
        let _: (&str, Interest) = (breaker.name(), signal.interest());
    }

    fn interest(&self) -> Interest {
        Interest::default() | Interest::CALLS
    }
}

fn crosses_threads<T: Send + Sync + 'static>() {}
fn is_an_error<T: Error + Clone + Send + Sync + 'static>() {}
fn has_a_default<T: Default>() {}
fn is_serialised<T: serde::Serialize>() {}

#[tokio::test]
async fn calls() -> Result<(), Box<dyn Error>> {
    let breaker: CircuitBreaker = CircuitBreaker::new("contract", CircuitBreakerConfig::default());
    let answer = || async { Answer::Ok(1) };
    let called: Result<u32, CircuitBreakerError<std::io::Error>> = breaker.call(answer).await;
    assert_eq!(called?, 1);
    breaker
        .call_classified(answer, |result| if result.is_ok() { Outcome::Success } else { Outcome::Ignored })
        .await?;
    breaker.call_with(answer, &ByKind).await?;
    breaker.call_with(answer, &Arc::new(ByKind)).await?;
    let dynamic: &dyn Classify<u32, std::io::Error> = &ByKind;
    breaker.call_with(answer, dynamic).await?;
    breaker.call_blocking_with(|| Answer::Ok(1), dynamic)?;
    let classified: Classified<ByKind> = breaker.classified(ByKind);
    let called: Result<u32, CircuitBreakerError<std::io::Error>> = classified.call(answer).await;
    let blocking: Result<u32, CircuitBreakerError<std::io::Error>> =
        classified.call_blocking(|| Answer::Ok(1));
    assert_eq!((called?, blocking?), (1, 1));
    let value: u32 = classified.call_or_else(answer, |_| async { 2 }).await;
    let other: Result<u32, ConfigError> = classified.call_with_fallback(answer, |_| async { Ok(2) }).await;
    let wrapped = breaker.classified(Arc::new(ByKind)).wrap(|value: u32| async move { Answer::Ok(value) });
    assert_eq!((value, other?, wrapped.clone().call(3).await?), (1, 1, 3));
    let value: u32 = breaker.call_or_else(answer, |_: CircuitBreakerError<std::io::Error>| async { 2 }).await;
    let other: Result<u32, ConfigError> = breaker.call_with_fallback(answer, |_| async { Ok(2) }).await;
    let blocking: Result<u32, CircuitBreakerError<BoxError>> = breaker.call_blocking(|| Ok::<_, BoxError>(3));
    breaker.permitting().await;
    let boxed: BoxError = CircuitBreakerError::<BoxError>::Inner("no".into()).into_boxed();
    assert_eq!((value, other?, blocking.unwrap()), (1, 1, 3));
    assert_eq!(boxed.to_string(), "no");
    Ok(())
}

#[test]
fn a_breaker() -> Result<(), Box<dyn Error>> {
    let builder: CircuitBreakerBuilder = CircuitBreaker::builder(String::from("contract"));
    let (clock, hands): (Clock, ManualClock) = Clock::manual();
    let breaker: CircuitBreaker = builder
        .config(CircuitBreakerConfig::builder().no_trip_rules().build()?)
        .clock(clock)
        .ready_to_trip(|counts: &Counts| counts.failures > 1_000)
        .listener(Ear)
        .listener(Arc::new(Ear))
        .start_in(State::Closed)
        .seed(7)
        .on_state_change(|change: &StateChange| drop(change.clone()))
        .build();
    hands.advance(Duration::from_secs(1));
    hands.set(Duration::from_secs(2));
    let _ = Clock::system();
    let counted: Clock = Clock::from_fn(|| Duration::from_secs(1));
    let _: Duration = counted.elapsed();
    breaker.trip();
    let left: Duration = hands.advance_to_probe(&breaker);
    assert!(left > Duration::ZERO && breaker.is_half_open());
    breaker.reset();

    let permit: Permit<'_> = breaker.try_acquire()?;
    permit.success();
    breaker.try_acquire()?.failure();
    breaker.try_acquire()?.ignore();
    breaker.try_acquire()?.record(Outcome::Success);
    breaker.try_acquire()?.record_after(Outcome::Failure, Duration::from_millis(5));
    breaker.try_acquire()?.failure_with_hint(Duration::from_secs(1));
    let report: Report = Report::failure().took(Duration::from_secs(1)).retry_after(Duration::from_secs(2));
    breaker.try_acquire()?.report(report);
    breaker.try_acquire_owned()?.report(Report::success().took(None));
    breaker.try_acquire_owned()?.report(Report::ignored());
    let outcome: Outcome = Report::from(Outcome::Success).outcome();
    breaker.try_acquire()?.record(outcome);
    let owned: OwnedPermit = breaker.try_acquire_owned()?;
    let _: Option<Duration> = owned.elapsed();
    owned.failure_with_hint(Duration::from_secs(1));
    let checked: Result<(), Rejected> = breaker.check();
    checked?;

    let config: CircuitBreakerConfig = breaker.config();
    breaker.set_config(config);
    let _: (State, bool, bool, bool) =
        (breaker.state(), breaker.is_closed(), breaker.is_open(), breaker.is_half_open());
    let _: (bool, bool) = (breaker.is_permitting(), breaker.is_rejecting());
    let _: &[State] = State::ALL;
    let _: String = breaker.explain();
    let subscription: Subscription = breaker.subscribe(Ear);
    breaker.on_event(|breaker, event| drop((breaker.name().to_owned(), event.clone()))).forget();
    drop(subscription);
    breaker.trip();
    breaker.open_for(Duration::from_secs(1));
    breaker.force_open();
    let rejected: Rejected = breaker.try_acquire().unwrap_err();
    let _: (&str, RejectReason, Option<Duration>) =
        (rejected.name(), rejected.reason(), rejected.retry_after());
    let _: Option<&str> = rejected.last_error();
    adapter::count_rejection(&breaker, &rejected);
    let refusal: Option<Refusal> = adapter::refusal(&breaker);
    let waits: Option<(Refusal, Option<Duration>)> = adapter::refusal_for(&breaker);
    let _: Rejected = adapter::reject(&breaker, refusal.unwrap_or(waits.unwrap().0));
    let until: Option<(Refusal, Option<Duration>)> = adapter::refusal_until(&breaker);
    let quiet: Option<OwnedPermit> = adapter::acquire_if_permitted(&breaker);
    assert!(until.is_some() && quiet.is_none());
    let closed: Option<OwnedPermit> = adapter::acquire_if_closed(&breaker);
    let refused: Result<OwnedPermit, Rejected> = adapter::into_permit(breaker.clone());
    assert!(closed.is_none() && refused.is_err());
    let mut handle = Handle::new(breaker.clone());
    let alone: Option<OwnedPermit> = handle.acquire_if_alone();
    let contended: Option<HandlePermit> = handle.acquire_if_closed();
    assert!(alone.is_none() && contended.is_none() && handle.breaker().name() == breaker.name());
    let _: CircuitBreaker = handle.into_breaker();
    let found: Option<&Rejected> = halfopen::rejection(&rejected);
    assert!(found.is_some());
    let found: Option<&Rejected> = adapter::rejection_in(&rejected);
    assert!(found.is_some());
    let _: Rejected = Rejected::new("contract", RejectReason::RateLimited, Some(Duration::from_secs(1)));
    let _: Rejected = Rejected::bulkhead_full(String::from("contract"), 20_u32, 5_u32);
    breaker.force_closed();
    breaker.disable();
    breaker.metrics_only();
    breaker.reset();
    breaker.trip();
    breaker.end_wait();
    assert!(breaker.is_half_open());
    Ok(())
}

#[test]
fn a_configuration() -> Result<(), ConfigError> {
    let builder: CircuitBreakerConfigBuilder = CircuitBreakerConfig::builder();
    let config = builder
        .trip(Trip::consecutive_failures(5))
        .trip(Trip::failure_count(5))
        .trip(Trip::failure_rate(0.5).minimum_calls(5))
        .trip(Trip::slow_call_rate(0.5, Duration::from_secs(1)))
        .window(Window::last(Duration::from_secs(10)).buckets(10))
        .open_duration(Duration::from_secs(1))
        .backoff(
            Backoff::exponential(2.0)
                .max(Duration::from_secs(9))
                .jitter(0.1)
                .forget_after(Duration::from_secs(60)),
        )
        .hint_max(Duration::from_secs(60))
        .half_open(
            HalfOpen::new()
                .max_calls(2)
                .success_threshold(2)
                .max_failures(1)
                .probe_timeout(Duration::from_secs(9)),
        )
        .abandoned(Abandoned::FailureAfter(Duration::from_secs(1)))
        .time_calls(true)
        .build()?;
    assert_eq!(config.to_builder().build()?, config);
    let _ = (CircuitBreakerConfig::aggressive(), CircuitBreakerConfig::conservative());
    let _ = (Abandoned::Ignore, Abandoned::Failure, HalfOpen::new().failure_rate(0.5));
    let _ = (Backoff::none(), Backoff::delays([Duration::from_secs(1)]));
    let backoff: Backoff = Backoff::with(|opening: &Opening| {
        let _: (u32, Option<f64>, Option<Duration>, Duration) =
            (opening.openings, opening.failure_rate, opening.hint, opening.open_duration);
        opening.open_duration
    });
    assert_eq!(backoff.kind(), BackoffKind::Custom);
    let _ = [Window::last_calls(5), Window::tumbling(Duration::from_secs(1)), Window::unbounded()];
    CircuitBreakerConfig::builder().no_trip_rules().build()?;
    Ok(())
}

#[test]
fn what_is_seen() {
    let breaker = CircuitBreaker::builder("contract").build();
    let snapshot: Snapshot = breaker.snapshot();
    let _: String = snapshot.explain(&breaker.config());
    let Counts { calls, failures, successes, slow, consecutive_failures, consecutive_successes, .. } =
        snapshot.counts;
    assert_eq!([calls, failures, successes, slow, consecutive_failures, consecutive_successes], [0_u64; 6]);
    let _: (Option<f64>, Option<f64>) = (snapshot.counts.failure_rate(), snapshot.counts.slow_call_rate());
    let _: (Arc<str>, State, Option<Duration>, u64) =
        (snapshot.name, snapshot.state, snapshot.retry_after, snapshot.rejected);
    let _: (u32, Duration, Duration) = (snapshot.reopenings, snapshot.open_duration, snapshot.in_state_for);
    let _: (Option<Duration>, f64, bool, bool) =
        (snapshot.hint, snapshot.share, snapshot.has_custom_rule, snapshot.disabled_by_config);
    let _: (Option<TripCause>, Option<Probes>) = (snapshot.cause, snapshot.probes);
    let totals: Totals = snapshot.totals;
    let _ = [totals.successes, totals.failures, totals.ignored, totals.abandoned, totals.slow, totals.late];
    let _ = [totals.rejected, totals.would_trip, totals.trips, totals.panics, totals.timed, totals.calls()];
    let _: (Duration, Option<Duration>) = (totals.response_time, totals.average_response_time());
    breaker.trip();
    let change: StateChange = breaker.snapshot().last_trip.unwrap();
    let _: (&Arc<str>, State, State, &Vec<TripReason>, Counts, SystemTime, u64) =
        (&change.name, change.from, change.to, &change.reasons, change.counts, change.at, change.sequence);
    for event in
        [Event::StateChanged(change), Event::Reset { sequence: 1 }, Event::ConfigChanged { sequence: 1 }]
    {
        match event {
            Event::StateChanged(_) | Event::Rejected(_) | Event::Reset { sequence: _ } => {}
            Event::Recorded { ended, slow, took } => {
                let _: (Ended, bool, Option<Duration>) = (ended, slow, took);
            }
            Event::WouldTrip { reasons, counts, sequence } => {
                let _: (Vec<TripReason>, Counts, u64) = (reasons, counts, sequence);
            }
            Event::ConfigChanged { sequence: _ } => {}
            _ => {}
        }
    }
    let _ = [Ended::Success, Ended::Failure, Ended::Ignored, Ended::Abandoned, Ended::Late];
    let _ = [
        RejectReason::Open,
        RejectReason::HalfOpenSaturated,
        RejectReason::ForcedOpen,
        RejectReason::BulkheadFull,
        RejectReason::RateLimited,
    ];
    let _ = [
        TripReason::ConsecutiveFailures,
        TripReason::FailureCount,
        TripReason::FailureRate,
        TripReason::SlowCallRate,
        TripReason::Custom,
        TripReason::ProbeFailed,
        TripReason::ProbeTimedOut,
        TripReason::Manual,
        TripReason::Fleet,
    ];
    crosses_threads::<CircuitBreaker>();
    crosses_threads::<OwnedPermit>();
    crosses_threads::<Rejected>();
    crosses_threads::<Registry>();
    is_an_error::<Rejected>();
    is_an_error::<CircuitBreakerError<Rejected>>();
    has_a_default::<(Snapshot, Counts, Totals, StateChange, CircuitBreakerConfig)>();
    is_serialised::<(Snapshot, RegistryStatus, Event)>();
}

#[tokio::test]
async fn a_registry() -> Result<(), Box<dyn Error>> {
    let builder: RegistryBuilder = Registry::builder();
    let registry: Registry = builder
        .default_config(CircuitBreakerConfig::default())
        .config_for("db-*", CircuitBreakerConfig::conservative())
        .capacity(10)
        .idle_after(Duration::from_secs(60))
        .clock(Clock::system())
        .seed(7_u64)
        .build();
    let _: (Registry, &'static Registry) = (Registry::new(), Registry::global());
    let breaker: CircuitBreaker = registry.get_or_create("db-orders");
    let found: Option<CircuitBreaker> = registry.get("db-orders");
    assert!(found.is_some());
    registry.create("search", CircuitBreakerConfig::default())?;
    registry.insert(CircuitBreaker::builder("own").build())?;
    assert!(registry.insert(breaker.clone()).is_err());
    registry.configure("db-*", CircuitBreakerConfig::aggressive());
    let subscription: Subscription = registry.subscribe(Ear);
    let called: Result<u32, CircuitBreakerError<std::io::Error>> =
        registry.call("search", || async { Answer::Ok(1) }).await;
    called?;
    let (breakers, open): (Vec<CircuitBreaker>, Vec<CircuitBreaker>) =
        (registry.breakers(), registry.open_breakers());
    assert_eq!((breakers.len(), open.len(), registry.any_open()), (registry.len(), 0, false));
    let status: RegistryStatus = registry.status();
    assert_eq!(status.overflowed, 0);
    registry.reset_all();
    drop(subscription);
    let removed: Option<CircuitBreaker> = registry.remove("own");
    assert!(removed.is_some());
    registry.clear();
    Ok(())
}

#[tokio::test]
async fn a_layer() {
    let breaker = CircuitBreaker::builder("contract").build();
    let service = || service_fn(|request: u32| async move { Answer::Ok(request) });

    let boxed = CircuitBreakerLayer::new(breaker.clone()).layer(service());
    let answer: Result<u32, BoxError> = boxed.oneshot(1).await;
    assert_eq!(answer.unwrap(), 1);

    let typed = CircuitBreakerLayer::new(breaker.clone()).typed_errors().layer(service());
    let answer: Result<u32, CircuitBreakerError<std::io::Error>> = typed.oneshot(1).await;
    assert_eq!(answer.unwrap(), 1);

    let canned = CircuitBreakerLayer::new(breaker.clone())
        .on_rejected(|_: Rejected, request: u32| Answer::Ok(request));
    let answer: Answer = canned.layer(service()).oneshot(1).await;
    assert_eq!(answer.unwrap(), 1);

    let classified = CircuitBreakerLayer::new(breaker.clone())
        .classify_fn(|result| if result.is_ok() { Outcome::Success } else { Outcome::Failure });
    assert_eq!(classified.layer(service()).oneshot(1).await.unwrap(), 1);

    let keyed = CircuitBreakerLayer::keyed(Registry::new(), |request: &u32| Cow::Owned(request.to_string()));
    assert_eq!(keyed.layer(service()).oneshot(1).await.unwrap(), 1);

    let mut waiting = CircuitBreakerLayer::new(breaker).wait_while_open().layer(service());
    assert_eq!(waiting.ready().await.unwrap().call(1).await.unwrap(), 1);
}

#[test]
fn http() {
    let _ = (HttpClassify::default(), GrpcClassify::default(), WatchedBody::unwatched(()));
    let none: Option<Duration> = halfopen_http::retry_after(&http::HeaderMap::new(), SystemTime::UNIX_EPOCH);
    assert_eq!(none, None);
}

#[test]
fn reqwest_middleware() -> Result<(), Box<dyn Error>> {
    fn is_middleware<T: reqwest_middleware::Middleware + Clone>(_: T) {}
    let breaker = CircuitBreaker::builder("contract").build();
    is_middleware(CircuitBreakerMiddleware::new(breaker.clone()));
    is_middleware(CircuitBreakerMiddleware::per_host(Registry::new()));
    is_middleware(CircuitBreakerMiddleware::keyed(Registry::new(), |request: &reqwest::Request| {
        Cow::Borrowed(request.method().as_str())
    }));
    let changed = CircuitBreakerMiddleware::new(breaker)
        .classify(ReqwestClassify::new().statuses(HttpClassify::new()))
        .classify_fn(|result| if result.is_ok() { Outcome::Success } else { Outcome::Failure })
        .until_body_end();
    is_middleware(changed);
    let name: BreakerName = BreakerName::new(Arc::<str>::from("contract"));
    assert_eq!(name.as_str(), "contract");

    let client: ResilientHttpClient =
        ResilientHttpClient::builder().timeout(Duration::from_secs(1)).build()?;
    let _: &Registry = client.registry();
    let _: reqwest_middleware::ClientWithMiddleware = client.into_client();
    Ok(())
}
