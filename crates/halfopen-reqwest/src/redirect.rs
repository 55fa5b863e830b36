use std::cell::Cell;
use std::mem;

use halfopen::{CircuitBreaker, OwnedPermit, Registry, Rejected};
use halfopen_http::WatchedCall;
use http::StatusCode;
use reqwest::Response;
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest_middleware::{Error, Result};

use crate::host::host_of;
use crate::rules::Rules;

/// The limit of reqwest's default policy.
const REDIRECTS: usize = 10;

thread_local! {
    /// The request that this thread polls, if it has one breaker per host.
    // A redirect policy is called from within the poll of a request, but without that request. The one that is
    // being polled is therefore left here for it.
    static POLLED: Cell<Option<Hops>> = const { Cell::new(None) };
}

/// Returns a policy that follows up to ten redirects, each if the breaker of its host permits it.
///
/// [`ResilientHttpClient`](crate::ResilientHttpClient) uses it by default. For limits of your own, call
/// [`follow_if_permitted`] in a custom policy.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use halfopen_reqwest::{CircuitBreakerMiddleware, redirect_policy};
/// use reqwest_middleware::ClientBuilder;
///
/// let http = reqwest::Client::builder().redirect(redirect_policy()).build()?;
/// let client = ClientBuilder::new(http).with(CircuitBreakerMiddleware::per_host(Registry::new())).build();
/// # drop(client);
/// # Ok::<(), reqwest::Error>(())
/// ```
pub fn redirect_policy() -> Policy {
    Policy::custom(|attempt| {
        // As reqwest counts: a custom policy has no limit of its own.
        if attempt.previous().len() > REDIRECTS {
            return Policy::limited(REDIRECTS).redirect(attempt); // the error of reqwest
        }
        follow_if_permitted(attempt)
    })
}

/// Follows a redirect if the breaker of its host permits it, in a custom redirect policy.
///
/// reqwest follows redirects below all middleware, so without this function the outcome of the whole
/// request is recorded for the host of its first URL. With it, the response that redirects is an outcome of
/// the host that sent it, and what follows is a call of the next host: permitted by its breaker, and
/// recorded there. If that breaker rejects the call, the request fails with a redirect error in which
/// [`halfopen::rejection`] finds the rejection.
///
/// Applies to requests of a middleware with one breaker [per host](crate::CircuitBreakerMiddleware::per_host).
/// For every other request, and for a redirect to the same host, it is the same as `attempt.follow()`.
/// Classifiers receive the response that redirects with its status, without headers and body.
///
/// # Examples
///
/// ```
/// use halfopen_reqwest::follow_if_permitted;
/// use reqwest::redirect::Policy;
///
/// let within_the_company = Policy::custom(|attempt| match attempt.url().host_str() {
///     Some(host) if host.ends_with(".internal") && attempt.previous().len() < 5 => follow_if_permitted(attempt),
///     Some(_) | None => attempt.stop(),
/// });
/// let http = reqwest::Client::builder().redirect(within_the_company).build()?;
/// # drop(http);
/// # Ok::<(), reqwest::Error>(())
/// ```
pub fn follow_if_permitted(attempt: Attempt<'_>) -> Action {
    // Taken out of the thread's cell meanwhile: listeners of the breaker may poll requests of their own.
    let Some(mut hops) = POLLED.take() else { return attempt.follow() };
    let admitted = hops.follow(&attempt);
    POLLED.set(Some(hops));
    match admitted {
        Ok(()) => attempt.follow(),
        Err(rejected) => attempt.error(rejected),
    }
}

/// The breakers of a request that may be redirected to other hosts.
pub(crate) struct Hops {
    registry: Registry,
    /// The breaker of the host that is called now, whose name is that of the host.
    breaker: CircuitBreaker,
    /// The redirect of this poll, if there was one. In a box, because few requests have one and each poll moves it.
    hop: Option<Box<Hop>>,
}

/// A redirect to another host.
struct Hop {
    /// The status of the response that redirects.
    status: StatusCode,
    /// The permit of the next host, or [`None`] if its breaker has rejected the call.
    permit: Option<OwnedPermit>,
}

impl Hops {
    pub(crate) fn new(registry: Registry, breaker: CircuitBreaker) -> Hops {
        Hops { registry, breaker, hop: None }
    }

    fn follow(&mut self, attempt: &Attempt<'_>) -> std::result::Result<(), Rejected> {
        let (from, to) = (attempt.previous().last().map(host_of), host_of(attempt.url()));
        // Another client's request can be polled within this one.
        // To the same host nothing changes: the call goes on with its permit.
        if *to == *self.breaker.name() || from.as_deref() != Some(self.breaker.name()) {
            return Ok(());
        }
        self.breaker = self.registry.get_or_create(&to);
        let permit = self.breaker.try_acquire_owned();
        let rejected = permit.as_ref().err().cloned();
        // Also if it is rejected: the call to the host before has ended with a redirect, and that is a success.
        self.hop = Some(Box::new(Hop { status: attempt.status(), permit: permit.ok() }));
        rejected.map_or(Ok(()), Err)
    }

    /// Polls a request, and records each response that redirects to another host. `call` becomes the call of the last
    /// host, or [`None`] if its breaker has rejected the call.
    pub(crate) fn poll<T>(
        hops: &mut Option<Hops>,
        call: &mut Option<WatchedCall>,
        rules: &Rules,
        next_call: impl Fn(OwnedPermit) -> WatchedCall,
        poll: impl FnOnce() -> T,
    ) -> T {
        let polled = with_polled(hops, || match &mut *call {
            Some(call) => call.poll_with(poll),
            None => poll(),
        });
        // After the poll in which the redirect was followed: from here on the permit of the next host watches
        // the request.
        if let Some(hop) = hops.as_mut().and_then(|hops| hops.hop.take())
            && let Some(call) = mem::replace(call, hop.permit.map(next_call))
        {
            call.settle::<Response, Error, _>(&redirecting(hop.status), rules);
        }
        polled
    }
}

/// Runs `poll` while `hops` are those of the request that this thread polls.
fn with_polled<R>(hops: &mut Option<Hops>, poll: impl FnOnce() -> R) -> R {
    // Put back by a guard, because the poll may panic, and the thread goes on to poll other requests.
    let outer = Outer(POLLED.replace(hops.take()));
    let polled = poll();
    *hops = POLLED.take();
    drop(outer);
    polled
}

/// Restores the hops of the outer request, also after a panic.
struct Outer(Option<Hops>);

impl Drop for Outer {
    fn drop(&mut self) {
        POLLED.set(self.0.take());
    }
}

/// The response that redirects, as far as a policy knows it.
fn redirecting(status: StatusCode) -> Result<Response> {
    let mut response = http::Response::new(reqwest::Body::default());
    *response.status_mut() = status;
    Ok(Response::from(response))
}
