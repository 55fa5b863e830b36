use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::decide::Rules;
use crate::error::HealthCheckError;
use crate::schedule;
use crate::target::Target;

/// A check: its target, its schedule and its thresholds.
///
/// [`every`](Self::every) begins one, and a method of [`HealthCheckBuilder`] ends it with the target. The numbers are
/// validated when the check is added to a [`HealthMonitor`](crate::HealthMonitor).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen_health::HealthCheck;
///
/// # async fn select_one() -> Result<(), std::io::Error> { Ok(()) }
/// let check = HealthCheck::every(Duration::from_secs(15))
///     .timeout(Duration::from_secs(3))
///     .failure_threshold(2)
///     .gate_probes(true)
///     .run(select_one);
/// ```
#[derive(Clone, PartialEq)]
pub struct HealthCheck {
    pub(crate) plan: Plan,
    pub(crate) target: Target,
}

/// A check without a target.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a check needs a target, such as `run`"]
pub struct HealthCheckBuilder {
    plan: Plan,
}

/// The schedule and the thresholds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) jitter: f64,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
    pub(crate) gate_probes: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            jitter: 0.1,
            failure_threshold: 3,
            success_threshold: 1,
            gate_probes: false,
        }
    }
}

/// The longest interval and timeout: a day.
pub(crate) const LONGEST: Duration = Duration::from_secs(86_400);

impl Plan {
    pub(crate) fn validate(&self, name: &str) -> Result<(), HealthCheckError> {
        let wrong = |message: String| Err(HealthCheckError::new(name, message));
        for (field, value) in [("interval", self.interval), ("timeout", self.timeout)] {
            if value.is_zero() || value > LONGEST {
                return wrong(format!("{field} is {value:?}, but must be above 0s and at most 24h"));
            }
        }
        // Negated, so that NaN is an error.
        if !(0.0..1.0).contains(&self.jitter) {
            return wrong(format!("jitter is {}, but must be from 0 to below 1", self.jitter));
        }
        let thresholds =
            [("failure_threshold", self.failure_threshold), ("success_threshold", self.success_threshold)];
        for (field, value) in thresholds {
            if value == 0 {
                return wrong(format!("{field} is 0, but must be at least 1"));
            }
        }
        Ok(())
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            failures: self.failure_threshold,
            successes: self.success_threshold,
            gate_probes: self.gate_probes,
            longest: schedule::longest(self.interval, self.jitter, self.timeout),
        }
    }
}

impl HealthCheck {
    /// Begins a check that runs every `interval`, measured from begin to begin: above zero and at most a day.
    ///
    /// A check that takes longer than the interval delays the next one.
    pub fn every(interval: Duration) -> HealthCheckBuilder {
        HealthCheckBuilder { plan: Plan { interval, ..Plan::default() } }
    }
}

impl HealthCheckBuilder {
    /// Sets the time after which a check has failed: above zero and at most a day. The default is 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = timeout;
        self
    }

    /// Sets the share by which each interval varies, from 0 to below 1. The default is 0.1.
    ///
    /// The first check is delayed within this share of an interval.
    pub fn jitter(mut self, share: f64) -> Self {
        self.plan.jitter = share;
        self
    }

    /// Sets the number of failed checks in a row that open the breaker, at least 1. The default is 3.
    pub fn failure_threshold(mut self, checks: u32) -> Self {
        self.plan.failure_threshold = checks;
        self
    }

    /// Sets the number of passed checks in a row that end the breaker's wait, at least 1. The default is 1.
    pub fn success_threshold(mut self, checks: u32) -> Self {
        self.plan.success_threshold = checks;
        self
    }

    /// Sets whether an open breaker stays open until a check has passed, so that no caller is a probe before. The
    /// default is false.
    ///
    /// The wait of a breaker that opens is extended as soon as its listeners are called, so its `open_duration`
    /// must not be zero.
    pub fn gate_probes(mut self, gate: bool) -> Self {
        self.plan.gate_probes = gate;
        self
    }

    /// Checks with a function: it passes if the result is `Ok`.
    ///
    /// The future runs in a task of its own. At the timeout it is dropped, and a panic is a failed check. A database
    /// is checked with a query:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use halfopen_health::HealthCheck;
    /// # #[derive(Clone)] struct Pool;
    /// # impl Pool { async fn execute(&self, _: &str) -> Result<(), std::io::Error> { Ok(()) } }
    /// # let pool = Pool;
    /// let check = HealthCheck::every(Duration::from_secs(15)).run(move || {
    ///     let pool = pool.clone();
    ///     async move { pool.execute("SELECT 1").await }
    /// });
    /// ```
    pub fn run<F, Fut, T, E>(self, f: F) -> HealthCheck
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: fmt::Display,
    {
        self.on(Target::function(f))
    }

    /// Checks that another breaker of the registry is not open: a service is down while its database is.
    ///
    /// A breaker that does not exist counts as closed. It cannot be the breaker of the check itself, nor one that waits for
    /// it in turn: neither would recover.
    pub fn from_breaker(self, name: impl Into<String>) -> HealthCheck {
        self.on(Target::Breaker(name.into()))
    }

    /// Checks that a server accepts connections at an address such as `db.internal:5432`.
    #[cfg(feature = "tcp")]
    pub fn tcp(self, address: impl Into<String>) -> HealthCheck {
        self.on(Target::Tcp(address.into()))
    }

    /// Checks that the response of a URL is a success (2xx), with a client of its own that follows no redirect.
    ///
    /// A URL with `https` requires a TLS feature of [`reqwest`], which the program enables.
    #[cfg(feature = "url")]
    pub fn url(self, url: impl Into<String>) -> HealthCheck {
        self.on(Target::Url(crate::target::UrlTarget::new(url.into(), None)))
    }

    /// Like [`url`](Self::url), with a client of the program's: its TLS, proxies, headers and redirects.
    #[cfg(feature = "url")]
    pub fn url_with(self, client: reqwest::Client, url: impl Into<String>) -> HealthCheck {
        self.on(Target::Url(crate::target::UrlTarget::new(url.into(), Some(client))))
    }

    /// Checks that a server answers `SERVING` to `grpc.health.v1.Health/Check` for a service, an empty one for the
    /// whole server.
    ///
    /// The connection is made by the first check, and again when it is lost.
    #[cfg(feature = "grpc")]
    pub fn grpc(self, uri: impl Into<String>, service: impl Into<String>) -> HealthCheck {
        self.on(Target::Grpc(crate::target::GrpcTarget::new(uri.into(), service.into())))
    }

    /// Like [`grpc`](Self::grpc), with a channel of the program's: its TLS, its balancing and its headers.
    #[cfg(feature = "grpc")]
    pub fn grpc_with(self, channel: tonic::transport::Channel, service: impl Into<String>) -> HealthCheck {
        self.on(Target::Grpc(crate::target::GrpcTarget::of(channel, service.into())))
    }

    fn on(self, target: Target) -> HealthCheck {
        HealthCheck { plan: self.plan, target }
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck").field("target", &self.target).field("plan", &self.plan).finish()
    }
}
