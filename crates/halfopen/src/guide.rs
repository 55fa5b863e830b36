//! The user's guide.
//!
//! Every example here is a test. Those that print [`explain`](crate::CircuitBreaker::explain) show
//! what a person on call would read.
//!
//! - [What a call should look like](#what-a-call-should-look-like)
//! - [Choosing rules and numbers](#choosing-rules-and-numbers)
//! - [What is a failure](#what-is-a-failure)
//! - [Timeouts inside and outside](#timeouts-inside-and-outside)
//! - [Fallbacks](#fallbacks)
//! - [Many dependencies](#many-dependencies)
//! - [The operator's switch](#the-operators-switch)
//! - [Testing your own code](#testing-your-own-code)
//! - [With other clients](with_other_clients): kube, octocrab, OTLP, etcd, OpenAI, AWS, ureq, ..
//! - [When not to use a breaker](#when-not-to-use-a-breaker)
//! - [Troubles](#troubles): [opens too often](#it-opens-too-often), [never
//!   opens](#it-never-opens), [recovers slowly](#it-recovers-slowly), [memory](#memory)
//!
//! # What a call should look like
//!
//! From the outside in: a fallback, the breaker, a retry if the call may be repeated, a timeout, the
//! call. The breaker sees what the timeout makes of a hang, and its rejection is never retried.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::CircuitBreaker;
//! use std::io;
//! use std::time::Duration;
//!
//! async fn fetch() -> io::Result<String> {
//!     Ok("fresh".to_owned())
//! }
//!
//! let breaker = CircuitBreaker::builder("news").build();
//! let page = breaker
//!     .call_or_else(
//!         || async {
//!             let limit = Duration::from_secs(1);
//!             tokio::time::timeout(limit, fetch()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
//!         },
//!         |_error| async { "from the cache".to_owned() },
//!     )
//!     .await;
//! assert_eq!(page, "fresh");
//! # }
//! ```
//!
//! # Choosing rules and numbers
//!
//! The [defaults](crate::CircuitBreakerConfig) are a failure rate of 50 % over the last 10 seconds from 5 calls on, and
//! a wait of 2 seconds. Start with them, and change one number when you can say why.
//!
//! | you have | take | because |
//! |---|---|---|
//! | steady traffic | [`failure_rate`](crate::Trip::failure_rate) over a time window | it means the same at ten and at ten thousand calls a second |
//! | a few calls a minute | [`failure_rate`](crate::Trip::failure_rate) over [`last_calls`](crate::Window::last_calls) | ten seconds hold no sample |
//! | a dependency that is up or down, nothing between | [`consecutive_failures`](crate::Trip::consecutive_failures) | quickest; but one lucky answer resets it, so a brown-out of 80 % errors may never open it |
//! | a dependency that becomes slow before it fails | add [`slow_call_rate`](crate::Trip::slow_call_rate) | slow answers hold your own resources |
//! | a rule of your own | [`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip) | it sees all the counts |
//!
//! - **Threshold**: clearly above the errors of a good day. A service that answers 2 % errors all day and is worth calling with
//!   30 % should not open at 30 %.
//! - **`minimum_calls`**: as many as make chance unlikely. Two failures of three mean little; 5 at 50 % is quick, 20 is calm.
//! - **Wait** (`open_duration`): as long as you can bear to miss a recovery, seconds rather than minutes. A long outage is what a
//!   [`Backoff`](crate::Backoff) is for.
//! - **Probes**: one probe and one success are enough for most. More (`success_threshold`) where the first answer proves little.
//! - **Jitter**: leave it on where many processes call the same dependency, or they probe in step.
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
//! To try numbers without risk set the breaker to [`metrics_only`](crate::CircuitBreaker::metrics_only): every call passes, and
//! [`Totals::would_trip`](crate::Totals::would_trip) and [`Event::WouldTrip`](crate::Event::WouldTrip) tell what it would have done.
//!
//! # Numbers from your own settings
//!
//! With the feature `serde` a configuration can stand in a struct of yours and be read from whatever you read that from.
//! Durations are text (`30s`, `500ms`, `1m30s`); a part that is not written keeps its default; what is wrong is told with the
//! field's name.
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
//!             "open_duration": "5s"
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
//! What the dependency is to blame for: errors of the connection, timeouts, overload, "internal error". Not: "no such user",
//! "you may not", "this is no valid order": those are answers. Say so with a classifier, or one user's bad input opens the
//! breaker for all.
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
//! [`Outcome::Ignored`](crate::Outcome::Ignored) is for what says nothing either way: your own bulkhead was full, the caller
//! cancelled. Where calls pass through two breakers, [`errors`](crate::errors) ignores the inner one's rejections.
//!
//! # Timeouts inside and outside
//!
//! A timeout **inside** the call turns a hang into an error, and the breaker counts it. A timeout **outside** drops the call; the
//! breaker learns only that nobody waited any more. That is an abandoned call, and by default it counts as nothing: a user who
//! closes a browser tab is no evidence. So with the timeout outside, a dependency that hangs never opens the breaker, unless you
//! say how old a dropped call must be to count:
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
//!     drop(call); // what a timeout outside does
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
//! A fallback should be cheaper and more reliable than the call: a cached answer, a default, an honest "not now". It runs outside
//! the breaker, and its outcome is not recorded. A second dependency as a fallback wants a breaker of its own, and room for the
//! whole load.
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
//! One breaker for everything that fails together, and no more: one a host, or one a database, seldom one a route. A
//! [`Registry`](crate::Registry) makes them by name, with configurations by name or prefix. Where names come from outside, give it a
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
//! # The operator's switch
//!
//! | | calls | until |
//! |---|---|---|
//! | [`trip`](crate::CircuitBreaker::trip), [`open_for`](crate::CircuitBreaker::open_for) | rejected | the wait is over, then probes as usual |
//! | [`force_open`](crate::CircuitBreaker::force_open) | rejected | `reset()` or `force_closed()` |
//! | [`disable`](crate::CircuitBreaker::disable) | pass, only totals are counted | the same |
//! | [`metrics_only`](crate::CircuitBreaker::metrics_only) | pass, rules are asked and told | the same |
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
//!      It stays so until somebody calls `reset()` or `force_closed()`."
//! );
//! ```
//!
//! # Testing your own code
//!
//! With the feature `test-util` a test moves the breaker's clock itself, and waits for nothing:
//!
#![cfg_attr(feature = "test-util", doc = "```")]
#![cfg_attr(not(feature = "test-util"), doc = "```ignore")]
//! use halfopen::{CircuitBreaker, Clock, State};
//! use std::time::Duration;
//!
//! let (clock, hands) = Clock::manual();
//! let breaker = CircuitBreaker::builder("payments").clock(clock).build();
//!
//! // Your code under an outage, and after it.
//! breaker.open_for(Duration::from_secs(30));
//! assert_eq!(breaker.try_acquire().unwrap_err().retry_after(), Some(Duration::from_secs(30)));
//!
//! hands.advance(Duration::from_secs(30));
//! breaker.try_acquire().unwrap().success();
//! assert_eq!(breaker.state(), State::Closed);
//! ```
//!
//! To begin in a state there is [`start_in`](crate::CircuitBreakerBuilder::start_in); for repeatable jitter
//! [`seed`](crate::CircuitBreakerBuilder::seed).
//!
//! # Seeing what happens
//!
//! | who asks | gets |
//! |---|---|
//! | a person, of one breaker | [`explain`](crate::CircuitBreaker::explain): a paragraph; a [`Snapshot`](crate::Snapshot) displayed: a line |
//! | a person, of all | [`status`](crate::Registry::status) displayed: a table, those in trouble first |
//! | a program | the same two as values, or as JSON with the feature `serde` |
//! | a post-mortem | [`keep_history`](crate::Registry::keep_history): the last changes with reasons and counts |
//! | a dashboard | the crates `halfopen-metrics` and `halfopen-opentelemetry`, or your own on [`watch`](crate::Registry::watch) |
//! | a log | the crate `halfopen-tracing`, or a [`Listener`](crate::Listener) |
//!
//! None of them costs an admitted call anything, but a listener that asks for every call.
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
//! - Where a call cannot fail from the outside: a computation, a local file.
//! - Where there is nothing better to do than to try: a nightly job with one call an hour, a shutdown hook.
//! - Against your own overload: a [bulkhead or rate limit](https://docs.rs/tower/latest/tower/limit/) bounds what you send; a breaker only
//!   sees what comes back.
//! - Where a load balancer already takes bad endpoints out, and all that is left is good.
//! - Around a queue that is meant to wait.
//!
//! # Troubles
//!
//! Ask the breaker first: [`explain`](crate::CircuitBreaker::explain) says what it counts and what it waits for.
//!
//! ## It opens too often
//!
//! The sample is too small, or answers are taken for failures. The last sentence shows the sample that opened it:
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
//! Raise `minimum_calls`, then the threshold; look at what your classifier calls a failure; then ask whether the service is not
//! in truth ill.
//!
//! ## It never opens
//!
//! Most often because the failures do not reach it. Either the calls are dropped by a timeout outside (see
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
//!      opens when 50% of the calls fail (so far 0 of the 5 calls it needs to judge). It would then \
//!      reject every call for 2s. 40 calls were dropped by the caller and counted as nothing; if a \
//!      timeout does that, `Abandoned::FailureAfter` makes a failure of it."
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! or something inside the call turns errors into answers (a client that returns `Ok` for every status, a retry or a fallback
//! inside the breaker), so that it counts successes; or there are too few calls for the rule:
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
//!      when 50% of the calls fail (so far 12 of the 100 calls it needs to judge). It would then reject \
//!      every call for 2s."
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## It recovers slowly
//!
//! Because the wait has grown, because a probe hangs, or because nobody calls: a breaker sends no probes of its own, the next
//! call is one.
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
//!      be well, `reset()` closes the breaker at once."
//! );
//!
//! hands.advance(Duration::from_secs(599));
//! assert!(breaker.explain().contains("It has been half-open for 9m. No probe is out; the next call passes as one."));
//!
//! // A probe whose call hangs, without a timeout of its own:
//! let _hangs = breaker.try_acquire()?;
//! assert!(breaker.explain().contains(
//!     "1 probe is out and has 1m left to report (or it opens again). Until then every other call is rejected"
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Lower [`Backoff::max`](crate::Backoff::max) or the wait; give the call a timeout, and
//! [`probe_timeout`](crate::HalfOpen::probe_timeout) a value just above it; where traffic is sparse let a health check make the call.
//!
//! ## Memory
//!
//! A breaker keeps a fixed number of bytes, whatever its traffic: a window of time costs its buckets, one of last calls a byte and a third a call.
//! What can grow is the number of breakers: a name a user id, a port of a client, a path with an id in it. The registry's
//! status shows it:
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
//! Name what fails together (`"users"`), and give the registry a [capacity](crate::RegistryBuilder::capacity) all the same. The other
//! thing that grows is a [`Listener`](crate::Listener) that collects: [`events`](crate::CircuitBreaker::events) is bounded.

#[doc = include_str!("guide/with_other_clients.md")]
pub mod with_other_clients {}
