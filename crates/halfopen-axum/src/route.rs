use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use halfopen::{ConfigError, ConfigProblem, Rejected};
use halfopen_http::HttpClassify;
use halfopen_limit::{Bulkhead, BulkheadConfig, BulkheadPermit, Protection, QuotaBuilder, RateLimiter};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::Rejection;
use crate::rules::RouteRules;

/// The protection of one route: a circuit breaker, and the limits and the fallback that it needs.
///
/// Without further calls every 5xx response is a failure, and a rejected request is answered by a [`Rejection`].
/// A request passes the rate limit first, then the bulkhead, then the breaker.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen_axum::Route;
/// use halfopen_limit::Quota;
/// use serde_json::json;
///
/// let route = Route::breaker("query_handler")
///     .max_concurrent_calls(50)
///     .rate_limit(Quota::calls(100).per(Duration::from_secs(60)))
///     .fallback(json!({"error": "Service temporarily unavailable"}));
/// # let _ = route;
/// ```
#[derive(Clone)]
#[must_use = "a route does nothing until a protection has it"]
pub struct Route {
    breaker: Arc<str>,
    bulkhead: Option<Slots>,
    rate_limiter: Option<Rate>,
    rules: RouteRules,
    fallback: Option<Fallback>,
    held: Option<Protection>,
}

#[derive(Clone)]
enum Rate {
    Own(QuotaBuilder),
    Shared(RateLimiter),
}

#[derive(Clone)]
enum Slots {
    Own(u32),
    Shared(Bulkhead),
}

type Fallback = Arc<dyn Fn(&Rejected) -> Response + Send + Sync>;

/// A limit, and whether the route has made it for itself.
struct Limit<L> {
    limit: L,
    is_own: bool,
}

/// A route whose limits are built.
pub(crate) struct Protected {
    breaker: Arc<str>,
    bulkhead: Option<Limit<Bulkhead>>,
    rate_limiter: Option<Limit<RateLimiter>>,
    rules: RouteRules,
    fallback: Option<Fallback>,
    /// Limits of a document are kept while something uses their protection.
    #[expect(dead_code, reason = "held")]
    held: Option<Protection>,
}

impl Route {
    /// A route whose calls pass the breaker with this name.
    ///
    /// Routes with one name share its breaker; their limits are their own.
    pub fn breaker(name: impl Into<Arc<str>>) -> Route {
        Route {
            breaker: name.into(),
            bulkhead: None,
            rate_limiter: None,
            rules: RouteRules::server_errors(),
            fallback: None,
            held: None,
        }
    }

    /// Sets how many requests may be in flight together: at least 1. Further ones are rejected immediately.
    ///
    /// A request is in flight until the body of its response has ended, or is dropped.
    pub fn max_concurrent_calls(mut self, calls: u32) -> Route {
        self.bulkhead = Some(Slots::Own(calls));
        self
    }

    /// Sets a bulkhead that other routes or code may share; its queue is not used.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Route {
        self.bulkhead = Some(Slots::Shared(bulkhead));
        self
    }

    /// Sets how many requests may come over time, by a [`Quota`](halfopen_limit::Quota) or the builder of one; those
    /// above it are answered by 429.
    pub fn rate_limit(mut self, quota: impl Into<QuotaBuilder>) -> Route {
        self.rate_limiter = Some(Rate::Own(quota.into()));
        self
    }

    /// Sets a rate limiter that other routes or code may share; its queue is not used.
    pub fn rate_limiter(mut self, limiter: RateLimiter) -> Route {
        self.rate_limiter = Some(Rate::Shared(limiter));
        self
    }

    /// Sets the rules by which a response is a failure of the route.
    ///
    /// The response to a rejection is ignored whatever they are.
    pub fn classify(mut self, rules: HttpClassify) -> Route {
        self.rules = RouteRules(rules);
        self
    }

    /// Answers rejected requests by this JSON, with the status and the `Retry-After` of a [`Rejection`].
    ///
    /// # Panics
    ///
    /// If the value cannot be JSON (a map whose keys are no strings, for example).
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_axum::Route;
    /// use serde_json::json;
    ///
    /// let route = Route::breaker("query").fallback(json!({"error": "Service temporarily unavailable"}));
    /// # let _ = route;
    /// ```
    pub fn fallback(self, value: impl Serialize) -> Route {
        let json = serde_json::to_vec(&value).expect("the fallback is JSON");
        let json = Bytes::from(json);
        self.fallback_with(move |rejected| {
            let mut response = halfopen_http::rejected_response(rejected).map(|()| Body::from(json.clone()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        })
    }

    /// Answers rejected requests by this function instead of a [`Rejection`].
    ///
    /// Its response is sent as it is: the status and a `Retry-After` are the function's to set. It runs inside
    /// the task of the connection, so it should not block.
    ///
    /// A panic of the function propagates like a panic of the handler. The request holds no slot by then, and its
    /// rejection is counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use halfopen_axum::Route;
    ///
    /// let route = Route::breaker("search").fallback_with(|_| (StatusCode::OK, "no results"));
    /// # let _ = route;
    /// ```
    pub fn fallback_with<R, F>(mut self, fallback: F) -> Route
    where
        R: IntoResponse,
        F: Fn(&Rejected) -> R + Send + Sync + 'static,
    {
        self.fallback = Some(Arc::new(move |rejected| fallback(rejected).into_response()));
        self
    }

    /// Keeps a protection in use for as long as the route is.
    #[cfg(feature = "config")]
    pub(crate) fn held(mut self, protection: Protection) -> Route {
        self.held = Some(protection);
        self
    }

    pub(crate) fn build(self, pattern: &str, problems: &mut Vec<ConfigProblem>) -> Protected {
        let Route { breaker, bulkhead, rate_limiter, rules, fallback, held } = self;
        let bulkhead = bulkhead.and_then(|slots| match slots {
            Slots::Shared(bulkhead) => Some(Limit::shared(bulkhead)),
            Slots::Own(calls) => match BulkheadConfig::builder().max_concurrent_calls(calls).build() {
                Ok(config) => Some(Limit::own(Bulkhead::new(Arc::clone(&breaker), config))),
                Err(error) => {
                    problems.extend(of_route(pattern, &error));
                    None
                }
            },
        });
        let rate_limiter = rate_limiter.and_then(|rate| match rate {
            Rate::Shared(limiter) => Some(Limit::shared(limiter)),
            Rate::Own(quota) => match quota.build() {
                Ok(quota) => Some(Limit::own(RateLimiter::new(Arc::clone(&breaker), quota))),
                Err(error) => {
                    problems.extend(of_route(pattern, &error));
                    None
                }
            },
        });
        Protected { breaker, bulkhead, rate_limiter, rules, fallback, held }
    }
}

fn of_route<'a>(pattern: &'a str, error: &'a ConfigError) -> impl Iterator<Item = ConfigProblem> + 'a {
    error.problems().iter().map(move |problem| {
        let value = format!("{} (route `{pattern}`)", problem.value());
        ConfigProblem::new(field_of(problem), value, problem.range())
    })
}

/// The field of a route that has the problem.
fn field_of(problem: &ConfigProblem) -> &'static str {
    match problem.field() {
        "calls" => "rate_limit.calls",
        "per" => "rate_limit.per",
        "burst" => "rate_limit.burst",
        _ => "max_concurrent_calls",
    }
}

impl<L> Limit<L> {
    fn own(limit: L) -> Limit<L> {
        Limit { limit, is_own: true }
    }

    fn shared(limit: L) -> Limit<L> {
        Limit { limit, is_own: false }
    }
}

impl Protected {
    pub(crate) fn breaker(&self) -> &str {
        &self.breaker
    }

    /// Takes over the limits that the route had before, so that calls in flight stay counted and used calls used.
    pub(crate) fn adopt(&mut self, before: &Protected) {
        // Another breaker is another resource, so its limits start anew.
        if self.breaker != before.breaker {
            return;
        }
        if let (Some(now), Some(was)) = (&mut self.bulkhead, &before.bulkhead)
            && now.is_own
            && was.is_own
        {
            was.limit.set_config(now.limit.config());
            // The limit before goes on, with the calls that hold its slots; only its numbers are new.
            now.limit = was.limit.clone();
        }
        if let (Some(now), Some(was)) = (&mut self.rate_limiter, &before.rate_limiter)
            && now.is_own
            && was.is_own
        {
            if was.limit.quota() != now.limit.quota() {
                was.limit.set_quota(now.limit.quota());
            }
            now.limit = was.limit.clone();
        }
    }

    pub(crate) fn rules(&self) -> &RouteRules {
        &self.rules
    }

    /// Takes what the limits ask for: a call of the quota, and a slot.
    pub(crate) fn enter(&self) -> Result<Option<BulkheadPermit>, Rejected> {
        // The rate first, so that a call that it rejects never holds a slot, not even for a moment.
        if let Some(limiter) = &self.rate_limiter {
            limiter.limit.try_acquire()?;
        }
        self.bulkhead.as_ref().map(|bulkhead| bulkhead.limit.try_acquire()).transpose()
    }

    #[cold]
    pub(crate) fn reject_slow(&self, rejected: Rejected) -> Response {
        let Some(fallback) = &self.fallback else { return Rejection(rejected).into_response() };
        let mut response = fallback(&rejected);
        // For a protected route further out, and for the server's own middleware.
        response.extensions_mut().insert(rejected);
        response
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Route");
        fields.field("breaker", &self.breaker).field("bulkhead", &self.bulkhead.is_some());
        fields.field("rate_limiter", &self.rate_limiter.is_some()).field("classify", &self.rules.0);
        fields.field("fallback", &self.fallback.is_some()).finish()
    }
}
