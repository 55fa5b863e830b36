//! The user's guide.
//!
//! Every example runs as a test. Those that print [`explain`](crate::CircuitBreaker::explain) show the output.
//!
//! - [The order of layers](#the-order-of-layers)
//! - [Choosing rules and numbers](#choosing-rules-and-numbers)
//! - [What is a failure](#what-is-a-failure)
//! - [Timeouts inside and outside](#timeouts-inside-and-outside)
//! - [Fallbacks](#fallbacks)
//! - [Many dependencies](#many-dependencies)
//! - [Consumers that pause](#consumers-that-pause)
//! - [The operator's switch](#the-operators-switch)
//! - [Testing your own code](#testing-your-own-code)
//! - [Seeing what happens](#seeing-what-happens)
//! - [When not to use a breaker](#when-not-to-use-a-breaker)
//! - [Troubleshooting](#troubleshooting): [opens too often](#it-opens-too-often), [never
//!   opens](#it-never-opens), [recovers slowly](#it-recovers-slowly), [memory](#memory)
//!
//! Pages of their own:
//!
//! - [The specification](semantics): every rule of the breaker, with its number
//! - [With other clients](with_other_clients): kube, octocrab, OTLP, etcd, OpenAI, AWS, ureq, ..
//! - [In your own error type](error_types): thiserror, anyhow, eyre, boxed errors
//! - [Functions with an attribute](attributes): `#[circuit_breaker]`, its error, its registry, its expansion
//! - [MCP servers](mcp): tools behind breakers, failover, limits of a server
//! - [Services by name](services): base URLs, breakers and timeouts in a document
//! - [As an HTTP answer](http_answer)
//! - [Health checks](health)
//! - [Coming from](coming_from) resilience4j, Polly, failsafe-go, gobreaker, recloser, tower-resilience, Hystrix
//!
//! # The order of layers
//!
//! From the outside in:
//!
//! | layer | its call | because |
//! |---|---|---|
//! | fallback | everything below | It answers a rejection as well as the failure of the last attempt. Its own outcome is not recorded. |
//! | retry | one attempt at a time | Each attempt asks the breaker, so that retries end when it opens. A rejection is not retried. |
//! | **breaker** | one attempt | It permits or rejects each attempt, and records its outcome. |
//! | timeout | one attempt | A hang ends as an error inside the breaker, which records a failure. |
//! | client | | |
//!
//! In code that calls the breaker itself:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::{CircuitBreaker, CircuitBreakerError};
//! use std::io;
//! use std::time::Duration;
//!
//! async fn fetch() -> io::Result<String> {
//!     Ok("fresh".to_owned())
//! }
//!
//! async fn attempt(breaker: &CircuitBreaker) -> Result<String, CircuitBreakerError<io::Error>> {
//!     let limit = Duration::from_secs(1);
//!     breaker
//!         .call(|| async move {
//!             tokio::time::timeout(limit, fetch()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
//!         })
//!         .await
//! }
//!
//! async fn page(breaker: &CircuitBreaker) -> String {
//!     for _ in 0..3 {
//!         match attempt(breaker).await {
//!             Ok(page) => return page,
//!             Err(CircuitBreakerError::Rejected(_)) => break, // not retried
//!             Err(CircuitBreakerError::Inner(_)) => {}
//!         }
//!     }
//!     "from the cache".to_owned()
//! }
//!
//! let breaker = CircuitBreaker::builder("news").build();
//! assert_eq!(page(&breaker).await, "fresh");
//! breaker.force_open();
//! assert_eq!(page(&breaker).await, "from the cache");
//! # }
//! ```
//!
//! **A retry inside the breaker** turns several attempts into one call. The breaker records the result of the last attempt
//! only, so it opens later; the remaining attempts of a call are sent although it has opened meanwhile; one probe sends
//! several requests; and a slow-call rule measures all attempts and their pauses. This is right where the first attempt is
//! no evidence about the dependency (a pooled connection that was closed, another replica that answers), and unavoidable
//! where a client has retries that cannot be switched off. Then lower
//! [`minimum_calls`](crate::Trip::minimum_calls), and set [`probe_timeout`](crate::HalfOpen::probe_timeout) above the time of
//! all attempts.
//!
//! # Choosing rules and numbers
//!
//! The [defaults](crate::CircuitBreakerConfig) are a failure rate of 50 % over the last 10 seconds from 5 calls on, or 15
//! failures in a row, and a wait of 2 seconds. Start with them, and change one number at a time, for a reason.
//!
//! | traffic or dependency | rule | because |
//! |---|---|---|
//! | steady traffic | [`failure_rate`](crate::Trip::failure_rate) over a time window | it means the same at ten and at ten thousand calls a second |
//! | a few calls a minute | [`failure_rate`](crate::Trip::failure_rate) over [`last_calls`](crate::Window::last_calls) | ten seconds contain too few calls |
//! | a dependency that is either up or down | [`consecutive_failures`](crate::Trip::consecutive_failures) | it is the fastest; but a single success resets it, so 80 % errors may never open it |
//! | a dependency that becomes slow before it fails | add [`slow_call_rate`](crate::Trip::slow_call_rate) | slow answers occupy your own resources |
//! | a dependency that hangs | [`slow_call_rate(..).in_flight(true)`](crate::Trip::in_flight) | a call that hangs counts before it ends |
//! | a rule of your own | [`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip) | it receives all counts |
//!
//! - **Threshold**: clearly above the error rate of normal operation. If the service is still worth calling with 30 % errors, the
//!   threshold is above 30 %.
//! - **`minimum_calls`**: high enough to exclude chance. Two failures of three mean little; at 50 %, 5 reacts fast and 20 is stable.
//! - **Wait** (`open_duration`): seconds rather than minutes, as it delays the detection of a recovery. For long outages, add a
//!   [`Backoff`](crate::Backoff).
//! - **Probes**: one probe and one success are enough for most dependencies. Raise `success_threshold` where a single success proves little.
//! - **Ramp**: where the whole load would bring a recovered service down again (cold caches, half of its instances), let
//!   [`ramp`](crate::HalfOpen::ramp) admit a growing share of the calls before the breaker closes. Its calls are judged as the
//!   probes are, so combine it with a verdict that bears the failures of normal operation: `max_calls(5).failure_rate(0.5)`.
//! - **Jitter**: keep it where several processes call the same dependency, or their probes are synchronized.
//!
//! ```
//! use halfopen::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};
//! use std::time::Duration;
//!
//! let config = CircuitBreakerConfig::builder()
//!     .trip(Trip::failure_rate(0.5).minimum_calls(20))
//!     .trip(Trip::slow_call_rate(0.8, Duration::from_secs(2)).minimum_calls(20))
//!     .window(Window::last(Duration::from_secs(30)))
//!     .open_duration(Duration::from_secs(1))
//!     .backoff(Backoff::exponential(2.0).max(Duration::from_secs(30)).jitter(0.2))
//!     .half_open(HalfOpen::new().success_threshold(3).max_failures(1))
//!     .build()?;
//! # drop(config);
//! # Ok::<(), halfopen::ConfigError>(())
//! ```
//!
//! To try numbers without risk, set the breaker to [`metrics_only`](crate::CircuitBreaker::metrics_only): every call is permitted, and
//! [`Totals::would_trip`](crate::Totals::would_trip) and [`Event::WouldTrip`](crate::Event::WouldTrip) report the openings that would have happened.
//!
//! # A breaker with nothing to tune
//!
//! An adaptive breaker has no thresholds. It learns the normal share of bad calls and the normal latency of its dependency, holds a
//! belief about how sick it is, and opens when a call is not worth making. It probes when not knowing costs more than a
//! probe, and comes back through a ramp. Its rules are A1 to A13 of the [specification](semantics).
//!
//! ```
//! use halfopen::{Adaptive, CircuitBreaker, CircuitBreakerConfig, Slow};
//! use std::time::Duration;
//!
//! // Nothing is set:
//! let breaker = CircuitBreaker::new("search", CircuitBreakerConfig::adaptive());
//!
//! // An answer after a second is of no use, and a good fallback is at hand:
//! let adaptive = Adaptive::new().slow(Slow::limit(Duration::from_secs(1))).break_even(0.3);
//! let config = CircuitBreakerConfig::builder().adaptive(adaptive).build()?;
//! breaker.set_config(config);
//! # Ok::<(), halfopen::ConfigError>(())
//! ```
//!
//! | it is the better choice | rules are |
//! |---|---|
//! | outages of more than a few seconds: far ahead of any fixed numbers | incidents of a second or two, on which neither gains much |
//! | traffic, latency or error rates that you do not know, or that change | a threshold that a contract or a reviewer has to read |
//! | brown-outs, rate limits and overload, which a single rate does not tell apart | a dependency that must be tried although most calls fail |
//!
//! - One breaker per endpoint: latencies of different operations in one breaker make every limit too wide.
//! - With a service level objective, set [`Slow::limit`](crate::Slow::limit). Where only errors matter, [`Slow::off`](crate::Slow::off).
//! - Report [`Outcome::Throttled`](crate::Outcome::Throttled) for calls that are limited: they cut the share of calls and are no evidence of an outage.
//!   The classifiers of the companion crates do.
//! - Classification matters more than the algorithm: if the caller's own mistakes count as failures, every breaker is ruined.
//! - With independent errors at the normal rate there is about one false trip in a week
//!   ([`false_trip_interval`](crate::Adaptive::false_trip_interval)). Errors that come in clumps are small incidents, each of which costs a few rejected calls.
//! - [`Snapshot::adaptive`](crate::Snapshot::adaptive) has all that it has learned and believes; in metrics-only it learns, and reports the openings that it would have made.
//!
//! # Numbers from your own settings
//!
//! With the feature `serde`, a configuration can be a field of a settings struct, in any format that serde reads.
//! Durations are text (`30s`, `500ms`, `1m30s`). Missing fields keep their defaults. Errors name the field.
//!
#![cfg_attr(feature = "serde", doc = "```")]
#![cfg_attr(not(feature = "serde"), doc = "```ignore")]
//! use halfopen::{CircuitBreaker, CircuitBreakerConfig};
//!
//! #[derive(serde::Deserialize)]
//! struct Upstream {
//!     url: String,
//!     #[serde(default)]
//!     breaker: CircuitBreakerConfig,
//! }
//!
//! let upstream: Upstream = serde_json::from_str(
//!     r#"{
//!         "url": "http://payments.internal",
//!         "breaker": {
//!             "trip": { "failure_rate": { "threshold": 0.5, "minimum_calls": 20 } },
//!             "window": { "last_calls": 100 },
//!             "open": { "duration": "5s" }
//!         }
//!     }"#,
//! )?;
//! let breaker = CircuitBreaker::new(upstream.url.as_str(), upstream.breaker);
//! assert_eq!(breaker.config().open_duration().as_secs(), 5);
//!
//! let wrong = serde_json::from_str::<CircuitBreakerConfig>(r#"{ "half_open": { "max_calls": 0 } }"#);
//! assert!(wrong.unwrap_err().to_string().starts_with("`half_open.max_calls` is 0"));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # What is a failure
//!
//! Errors that the dependency caused: of the connection, timeouts, overload, "internal error". Errors that the request caused
//! ("not found", "forbidden", "invalid") are answers of a healthy dependency. A classifier separates the two; without one, the
//! invalid input of a single user opens the breaker for all.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::{CircuitBreaker, failure_if};
//!
//! let breaker = CircuitBreaker::builder("users").build();
//! let classify = failure_if(|status: &u16| *status >= 500);
//! for _ in 0..100 {
//!     let _not_found = breaker.call_with(|| async { Err::<(), _>(404) }, &classify).await;
//! }
//! assert!(breaker.is_closed());
//! # }
//! ```
//!
//! [`Outcome::Ignored`](crate::Outcome::Ignored) is for results that are no evidence: a full bulkhead on this side, a cancelled
//! call. Where calls pass through two breakers, [`errors`](crate::errors) ignores the rejections of the inner one.
//!
//! # Timeouts inside and outside
//!
//! A timeout **inside** the breaker turns a hang into an error, which the breaker records as a failure. A timeout **outside**
//! drops the call, which the breaker records as abandoned. By default, abandoned calls are not counted: a user who closes a browser
//! tab is no evidence. Therefore a dependency that hangs never opens a breaker whose only timeout is outside, unless
//! [`Abandoned::FailureAfter`](crate::Abandoned::FailureAfter) sets an age from which an abandoned call is a failure:
//!
#![cfg_attr(feature = "test-util", doc = "```")]
#![cfg_attr(not(feature = "test-util"), doc = "```ignore")]
//! use halfopen::{Abandoned, CircuitBreaker, CircuitBreakerConfig, Clock};
//! use std::future::{Future, pending};
//! use std::task::{Context, Waker};
//! use std::time::Duration;
//!
//! let (clock, hands) = Clock::manual();
//! let give_up_after_a_second = |breaker: &CircuitBreaker| {
//!     let mut call = Box::pin(breaker.call(|| pending::<Result<(), std::io::Error>>()));
//!     assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
//!     hands.advance(Duration::from_secs(1));
//!     drop(call); // as a timeout outside does
//! };
//!
//! let deaf = CircuitBreaker::builder("deaf").clock(clock.clone()).build();
//! let config = CircuitBreakerConfig::builder()
//!     .abandoned(Abandoned::FailureAfter(Duration::from_millis(500)))
//!     .build()?;
//! let hears = CircuitBreaker::builder("hears").clock(clock).config(config).build();
//! for _ in 0..5 {
//!     give_up_after_a_second(&deaf);
//!     give_up_after_a_second(&hears);
//! }
//! assert!(deaf.is_closed());
//! assert!(hears.is_open());
//! # Ok::<(), halfopen::ConfigError>(())
//! ```
//!
//! # Fallbacks
//!
//! A fallback should be cheaper and more reliable than the call: a cached answer, a default, or an error that names the time to
//! retry. It runs outside the breaker, and its outcome is not recorded. A second dependency as a fallback needs a breaker of its
//! own, and capacity for the whole load.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::{CircuitBreaker, CircuitBreakerError};
//!
//! let breaker = CircuitBreaker::builder("recommendations").build();
//! breaker.force_open();
//!
//! let shown = breaker
//!     .call_or_else(
//!         || async { Ok::<_, std::io::Error>("made for you") },
//!         |error| async move {
//!             match error {
//!                 CircuitBreakerError::Rejected(_) => "most popular", // not even tried
//!                 CircuitBreakerError::Inner(_) => "most popular today",
//!             }
//!         },
//!     )
//!     .await;
//! assert_eq!(shown, "most popular");
//! # }
//! ```
//!
//! # Many dependencies
//!
//! Use one breaker for everything that fails together: one per host or per database, rarely one per route. A
//! [`Registry`](crate::Registry) creates them by name, with configurations by name or prefix. Where names come from outside, set a
//! [capacity](crate::RegistryBuilder::capacity).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::Registry;
//!
//! let registry = Registry::new();
//! let page = registry.call("host-a:443", || async { Ok::<_, std::io::Error>("page") }).await;
//! assert_eq!(page.unwrap(), "page");
//! assert_eq!(registry.status().closed, 1);
//! # }
//! ```
//!
//! # Consumers that pause
//!
//! The consumer of a queue should not take messages that it cannot handle: each would be rejected and sent back. It waits with
//! [`permitting`](crate::CircuitBreaker::permitting) before it takes the next one, and needs no interval of its own: it
//! continues when the wait is over, or when an operator closes the breaker.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::{CircuitBreaker, CircuitBreakerError};
//! use std::collections::VecDeque;
//! use std::time::Duration;
//!
//! async fn store(_message: &str) -> Result<(), std::io::Error> {
//!     Ok(())
//! }
//!
//! let breaker = CircuitBreaker::builder("storage").build();
//! breaker.open_for(Duration::from_millis(5));
//!
//! let mut queue = VecDeque::from(["first", "second"]);
//! while !queue.is_empty() {
//!     breaker.permitting().await;
//!     let Some(message) = queue.pop_front() else { break };
//!     match breaker.call(|| store(message)).await {
//!         Ok(()) => {}
//!         // Another task was faster to the probe, or the storage failed: the message goes back.
//!         Err(CircuitBreakerError::Rejected(_) | CircuitBreakerError::Inner(_)) => queue.push_front(message),
//!     }
//! }
//! assert_eq!(breaker.snapshot().totals.rejected, 0);
//! assert!(breaker.is_closed());
//! # }
//! ```
//!
//! # The operator's switch
//!
//! | | calls | until |
//! |---|---|---|
//! | [`trip`](crate::CircuitBreaker::trip), [`open_for`](crate::CircuitBreaker::open_for) | rejected | the wait is over, then probes as usual |
//! | [`end_wait`](crate::CircuitBreaker::end_wait), while open | probes | they succeed or fail |
//! | [`force_open`](crate::CircuitBreaker::force_open) | rejected | `reset()` or `force_closed()` |
//! | [`disable`](crate::CircuitBreaker::disable) | permitted, only totals are counted | the same |
//! | [`metrics_only`](crate::CircuitBreaker::metrics_only) | permitted, rules are evaluated and reported | the same |
//! | [`reset`](crate::CircuitBreaker::reset), [`force_closed`](crate::CircuitBreaker::force_closed) | pass | a rule fires |
//!
//! ```
//! use halfopen::CircuitBreaker;
//!
//! let breaker = CircuitBreaker::builder("mail").build();
//! breaker.disable();
//! assert_eq!(
//!     breaker.explain(),
//!     "Circuit breaker `mail` is disabled by an operator: every call passes, and it cannot open. \
//!      It stays so until `reset()` or `force_closed()` is called."
//! );
//! ```
//!
//! # Testing your own code
//!
//! With the feature `test-util` a test controls the breaker's clock and needs no sleep. The natural test takes a breaker
//! through all states:
//!
#![cfg_attr(feature = "test-util", doc = "```")]
#![cfg_attr(not(feature = "test-util"), doc = "```ignore")]
//! use halfopen::{CircuitBreaker, Clock, State};
//!
//! let (clock, hands) = Clock::manual();
//! let breaker = CircuitBreaker::builder("payments").clock(clock).build();
//!
//! // Fail until it opens.
//! while breaker.state() == State::Closed {
//!     let _ = breaker.call_blocking(|| Err::<(), _>("connection refused"));
//! }
//! assert_eq!(breaker.state(), State::Open);
//!
//! // To the end of the wait, whatever its jitter.
//! hands.advance_to_probe(&breaker);
//! assert_eq!(breaker.state(), State::HalfOpen);
//!
//! // A successful probe closes it.
//! breaker.call_blocking(|| Ok::<_, &str>("paid")).unwrap();
//! assert_eq!(breaker.state(), State::Closed);
//! ```
//!
//! By default a wait differs by up to 20 % in either direction, so a test that advances the clock by `open_duration` fails in about half
//! of its runs. Use [`advance_to_probe`](crate::ManualClock::advance_to_probe), as above, set a [`seed`](crate::CircuitBreakerBuilder::seed), or configure
//! [`Backoff::none`](crate::Backoff::none). To begin in a state, use [`start_in`](crate::CircuitBreakerBuilder::start_in) or
//! [`open_for`](crate::CircuitBreaker::open_for):
//!
//! ```
//! use halfopen::CircuitBreaker;
//! use std::time::Duration;
//!
//! let breaker = CircuitBreaker::builder("payments").build();
//! breaker.open_for(Duration::from_secs(30));
//! assert!(breaker.try_acquire().is_err());
//! ```
//!
//! # Seeing what happens
//!
//! | for | use |
//! |---|---|
//! | a person, one breaker | [`explain`](crate::CircuitBreaker::explain): a paragraph; a [`Snapshot`](crate::Snapshot) displayed: a line |
//! | a person, all breakers | [`status`](crate::Registry::status) displayed: a table, open breakers first |
//! | a program | the same two, as values or as JSON with the feature `serde` |
//! | a post-mortem | [`keep_history`](crate::Registry::keep_history): the last state changes with reasons and counts |
//! | a dashboard | the crates `halfopen-metrics` and `halfopen-opentelemetry`, or your own on [`collector`](crate::Registry::collector) |
//! | a log | the crate `halfopen-tracing`, or a [`Listener`](crate::Listener) |
//!
//! None of these adds cost to a permitted call, except a listener that opts in to every call.
//!
//! ```
//! use halfopen::Registry;
//!
//! let registry = Registry::new();
//! let history = registry.keep_history(100);
//! registry.get_or_create("search");
//! registry.get_or_create("mail").force_open();
//!
//! println!("{}", registry.status());
//! // 2 breakers: 1 closed, 1 forced open
//! // NAME    STATE        FOR  CALLS  REJECTED  RETRY IN
//! // mail    forced open  0ms      0         0     never
//! // search  closed       0ms      0         0
//! assert!(registry.status().to_string().starts_with("2 breakers: 1 closed, 1 forced open\n"));
//!
//! let change = &history.changes_of("mail")[0];
//! assert_eq!(format!("{} -> {}, {}", change.from, change.to, change.why()), "closed -> forced open, manual");
//! ```
//!
//! # When not to use a breaker
//!
//! - Where calls do not leave the process: a computation, a local file.
//! - Where there is no better answer than another attempt: a nightly job with one call an hour, a shutdown hook.
//! - Against your own overload: a [concurrency or rate limit](https://docs.rs/tower/latest/tower/limit/) bounds the calls that are sent; a
//!   breaker sees only their results.
//! - Where a load balancer already removes failing endpoints, and the remaining ones are healthy.
//! - Around a queue, whose purpose is to wait.
//!
//! # Troubleshooting
//!
//! Ask the breaker first: [`explain`](crate::CircuitBreaker::explain) prints what it counts and when it will change.
//!
//! ## It opens too often
//!
//! The sample is too small, or the classifier counts answers as failures. The last sentence shows the sample that opened it:
//!
//! ```
//! use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Trip};
//! use std::time::Duration;
//!
//! let config = CircuitBreakerConfig::builder()
//!     .trip(Trip::failure_rate(0.5).minimum_calls(2))
//!     .open_duration(Duration::ZERO)
//!     .backoff(Backoff::none())
//!     .build()?;
//! let nervous = CircuitBreaker::new("search", config);
//! for _ in 0..3 {
//!     nervous.try_acquire()?.success();
//!     nervous.try_acquire()?.failure(); // opens, with one failure of two
//!     nervous.try_acquire()?.success(); // the probe closes it
//! }
//! assert!(nervous.explain().ends_with("It has opened 3 times so far, last because 50% of 2 calls failed."));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Raise `minimum_calls`, then the threshold, and check the classifier. If neither is the cause, the dependency does fail
//! that often.
//!
//! ## It never opens
//!
//! Usually the failures do not reach it. Either a timeout outside drops the calls (see
//! [above](#timeouts-inside-and-outside)):
//!
//! ```
//! use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig};
//!
//! let config = CircuitBreakerConfig::builder().backoff(Backoff::none()).build()?;
//! let breaker = CircuitBreaker::new("search", config);
//! for _ in 0..40 {
//!     drop(breaker.try_acquire()?); // the timeout outside has dropped the call
//! }
//! assert_eq!(
//!     breaker.explain(),
//!     "Circuit breaker `search` is closed: every call passes. No call was recorded in the last 10s. It \
//!      opens when 50% of the calls fail (so far 0 of the 5 calls it needs), or after 15 failures in a row \
//!      (now 0). It would then reject every call for 2s. 40 calls were dropped by the caller and not recorded; \
//!      if a timeout drops calls, `Abandoned::FailureAfter` records them as failures."
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! or errors become successes inside the breaker (a client that returns `Ok` for every status, a retry or a fallback inside),
//! or there are too few calls for the rule:
//!
//! ```
//! use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Trip, Window};
//!
//! let config = CircuitBreakerConfig::builder()
//!     .trip(Trip::failure_rate(0.5).minimum_calls(100))
//!     .window(Window::last_calls(100))
//!     .backoff(Backoff::none())
//!     .build()?;
//! let breaker = CircuitBreaker::new("search", config);
//! for _ in 0..12 {
//!     breaker.try_acquire()?.failure();
//! }
//! assert_eq!(
//!     breaker.explain(),
//!     "Circuit breaker `search` is closed: every call passes. Of the last 12 calls, 12 failed. It opens \
//!      when 50% of the calls fail (so far 12 of the 100 calls it needs). It would then reject every \
//!      call for 2s."
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## It recovers slowly
//!
//! The wait has grown, a probe hangs, or there are no calls: a breaker sends no probes of its own, the next call is one.
//!
#![cfg_attr(feature = "test-util", doc = "```")]
#![cfg_attr(not(feature = "test-util"), doc = "```ignore")]
//! use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Trip};
//! use std::time::Duration;
//!
//! let (clock, hands) = Clock::manual();
//! let config = CircuitBreakerConfig::builder()
//!     .trip(Trip::consecutive_failures(1))
//!     .open_duration(Duration::from_secs(5))
//!     .backoff(Backoff::exponential(4.0))
//!     .build()?;
//! let breaker = CircuitBreaker::builder("search").config(config).clock(clock).build();
//! breaker.try_acquire()?.failure();
//! for wait in [5, 20] {
//!     hands.advance(Duration::from_secs(wait));
//!     breaker.try_acquire()?.failure(); // the probe
//! }
//! hands.advance(Duration::from_secs(1));
//! assert_eq!(
//!     breaker.explain(),
//!     "Circuit breaker `search` is open: every call is rejected (0 so far). It opened 1s ago because a \
//!      probe failed. This is the 3rd opening in a row; its wait is 1m. In 59s the next call passes as a \
//!      probe. It closes after 1 success and opens again after 1 failure. If the dependency is known to \
//!      be healthy, `reset()` closes the breaker immediately."
//! );
//!
//! hands.advance(Duration::from_secs(599));
//! assert!(breaker.explain().contains(
//!     "It has been half-open for 9m. No probe is in flight; the next call passes as one."
//! ));
//!
//! // A probe whose call hangs, without a timeout of its own:
//! let _hangs = breaker.try_acquire()?;
//! assert!(breaker.explain().contains(
//!     "1 probe is in flight and must report within 1m, or the breaker opens again. Until then every other \
//!      call is rejected"
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Lower [`Backoff::max`](crate::Backoff::max) or the wait. Add a timeout to the call, and set
//! [`probe_timeout`](crate::HalfOpen::probe_timeout) just above it. Where traffic is sparse, let a health check make the
//! call, or [end the wait](health#a-check-that-ends-the-wait) when it has seen the dependency answer.
//!
//! ## Memory
//!
//! The size of a breaker does not depend on its traffic: a time window costs its buckets, a window of calls 1.3 bytes per call.
//! The number of breakers can grow, if names contain user ids, ports of clients or paths with ids. The status of
//! the registry shows it:
//!
//! ```
//! use halfopen::Registry;
//!
//! let registry = Registry::builder().capacity(100).build();
//! for user in 0..250 {
//!     registry.get_or_create(&format!("/users/{user}"));
//! }
//! let status = registry.status();
//! assert_eq!((status.total, status.overflowed), (100, 150));
//! ```
//!
//! Use one name for what fails together (`"users"`), and set a [capacity](crate::RegistryBuilder::capacity) as well. A
//! [`Listener`](crate::Listener) that collects events can grow too; [`events`](crate::CircuitBreaker::events) is bounded.

#[doc = include_str!("guide/with_other_clients.md")]
pub mod with_other_clients {}

#[cfg_attr(not(doctest), doc = include_str!("guide/error_types.md"))]
#[cfg_attr(doctest, doc = "Its examples need other crates: `tests` runs them.")]
pub mod error_types {}

#[cfg_attr(not(doctest), doc = include_str!("guide/attributes.md"))]
#[cfg_attr(doctest, doc = "Its examples need the feature `macros` and other crates: `tests` runs them.")]
pub mod attributes {}

#[cfg_attr(not(doctest), doc = include_str!("guide/mcp.md"))]
#[cfg_attr(doctest, doc = "Its examples need other crates: `tests` runs them.")]
pub mod mcp {}

#[cfg_attr(not(doctest), doc = include_str!("guide/services.md"))]
#[cfg_attr(doctest, doc = "Its examples need other crates: `tests` runs them.")]
pub mod services {}

#[cfg_attr(not(doctest), doc = include_str!("guide/http_answer.md"))]
#[cfg_attr(doctest, doc = "Its examples need other crates: `tests` runs them.")]
pub mod http_answer {}

#[doc = include_str!("guide/health.md")]
pub mod health {}

#[doc = include_str!("guide/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("../SEMANTICS.md")]
pub mod semantics {}
