use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::handle::{Keeper, OwnCount};
use crate::breaker::record::end_owned;
use crate::breaker::{CircuitBreaker, Inner};
use crate::classify::Classify;
use crate::clock::{Tick, nanos};
use crate::evidence::Place;
use crate::outcome::Outcome;
use crate::panics::catch_panic;
use crate::report::Report;
use crate::word::{State, Word};

/// A permit to make one call.
///
/// The outcome of the call is reported with [`success`](Self::success), [`failure`](Self::failure) or
/// [`record`](Self::record). A permit that is dropped instead is counted as abandoned and releases its probe
/// slot, so a cancelled call never leaves a breaker half-open for ever. A permit that
/// is dropped while its thread panics is a failure. A permit that is leaked
/// ([`mem::forget`](std::mem::forget)) is not counted; if it was a probe, the breaker opens
/// again after the [`probe_timeout`](crate::HalfOpen::probe_timeout).
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder("disk").build();
/// let permit = breaker.try_acquire()?;
/// match std::fs::metadata(".") {
///     Ok(_) => permit.success(),
///     Err(_) => permit.failure(),
/// }
/// # Ok::<(), halfopen::Rejected>(())
/// ```
#[must_use = "a dropped permit is an abandoned call"]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    ticket: Ticket,
}

/// A permit to make one call that is `'static`, for futures and bodies that outlive the borrow of a breaker.
///
/// It behaves like a [`Permit`] in every other respect.
#[must_use = "a dropped permit is an abandoned call"]
pub struct OwnedPermit {
    /// [`None`] once the permit has ended. It is moved out as a whole, so that the permit can stay in registers: the
    /// slow paths take the breaker by value.
    breaker: Option<CircuitBreaker>,
    ticket: Ticket,
}

/// A permit of a [`Handle`](crate::adapter::Handle), which counts its permits apart from the breaker.
///
/// It behaves like a [`Permit`] in every other respect.
#[must_use = "a dropped permit is an abandoned call"]
pub struct HandlePermit {
    /// As in an [`OwnedPermit`].
    own: Option<OwnCount>,
    ticket: Ticket,
}

/// An [`OwnedPermit`] or a [`HandlePermit`].
///
/// This trait is sealed. An adapter that holds either in its futures is generic over it, so that each stays in registers.
pub trait AnyPermit: sealed::Sealed + Sized {
    /// Reports a success: the dependency did its work.
    fn success(self);

    /// Reports the outcome that the classifier determines from this result.
    fn settle<T, E, C: Classify<T, E> + ?Sized>(self, result: &Result<T, E>, classify: &C);

    /// Abandons the call, even while the thread panics for another reason.
    fn abandon(self);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! any_permit {
    ($permit:ty) => {
        impl sealed::Sealed for $permit {}

        impl AnyPermit for $permit {
            #[inline(always)]
            fn success(self) {
                self.report(Report::success());
            }

            #[inline]
            fn settle<T, E, C: Classify<T, E> + ?Sized>(self, result: &Result<T, E>, classify: &C) {
                <$permit>::settle(self, result, classify);
            }

            fn abandon(self) {
                <$permit>::abandon(self);
            }
        }
    };
}

any_permit!(OwnedPermit);
any_permit!(HandlePermit);

/// The data of an admission.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    /// The state word that admitted the call.
    pub(crate) word: Word,
    /// The time of the admission, or [`Tick::NEVER`] if the call is not timed.
    pub(super) started: Tick,
}

/// The methods of all permits.
macro_rules! permit_methods {
    () => {
        /// Reports how the call ended and releases the permit. The methods below are shorthands for it.
        ///
        /// # Examples
        ///
        /// ```
        /// use halfopen::{CircuitBreaker, Report};
        /// use std::time::Duration;
        ///
        /// let breaker = CircuitBreaker::builder("mail").build();
        /// let permit = breaker.try_acquire()?;
        /// permit.report(Report::failure().took(Duration::from_millis(80)).retry_after(Duration::from_secs(5)));
        /// assert_eq!(breaker.snapshot().totals.failures, 1);
        /// # Ok::<(), halfopen::Rejected>(())
        /// ```
        #[inline(always)]
        pub fn report(self, report: Report) {
            self.end(Some(report));
        }

        /// Reports a success: the dependency did its work.
        #[inline]
        pub fn success(self) {
            self.report(Report::success());
        }

        /// Reports a failure: the dependency is to blame.
        #[inline]
        pub fn failure(self) {
            self.report(Report::failure());
        }

        /// Reports an outcome that is no evidence about the dependency.
        #[inline]
        pub fn ignore(self) {
            self.report(Report::ignored());
        }

        /// Abandons the call.
        ///
        /// Unlike a drop, it does so even while the thread panics for another reason.
        pub fn abandon(self) {
            self.end(None);
        }

        /// Reports an outcome, with the time since the admission as the duration of the call.
        #[inline]
        pub fn record(self, outcome: Outcome) {
            self.report(outcome.into());
        }

        /// Reports an outcome and the duration that the caller measured.
        pub fn record_after(self, outcome: Outcome, took: Duration) {
            self.report(Report::from(outcome).took(took));
        }

        /// Reports a failure with the time for which the server asked its clients to stay away.
        ///
        /// If this failure opens the breaker, the wait is at least as long, up to
        /// [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max).
        pub fn failure_with_hint(self, retry_after: Duration) {
            self.report(Report::failure().retry_after(retry_after));
        }

        /// Reports the outcome that the classifier determines from this result.
        ///
        /// A panic in the classifier is caught and counted, and the default applies: `Ok` is a
        /// success, `Err` a failure. A failure is reported with the hint of the classifier.
        #[inline]
        pub fn settle<T, E, C: Classify<T, E> + ?Sized>(self, result: &Result<T, E>, classify: &C) {
            let report = classified(self.inner(), result, classify);
            if report.outcome.is_failure() {
                self.end_failure(report, || classify.describe(result));
            } else {
                self.end(Some(report));
            }
        }
    };
}

impl<'a> Permit<'a> {
    pub(crate) fn new(breaker: &'a CircuitBreaker, ticket: Ticket) -> Permit<'a> {
        Permit { breaker, ticket }
    }

    permit_methods!();

    #[cfg(all(test, not(loom), feature = "test-util"))]
    pub(super) fn ticket_place(&self) -> Place {
        self.ticket.place()
    }

    fn inner(&self) -> &Inner {
        self.breaker.inner()
    }

    fn end_failure(self, failure: Report, describe: impl FnOnce() -> Option<String>) {
        // Forgotten, because `Drop` would end the permit a second time, as abandoned.
        let (breaker, ticket) = (self.breaker, self.ticket);
        std::mem::forget(self);
        breaker.end_failure(ticket, failure, describe);
    }

    /// Ends the permit with its report, or with [`None`] as abandoned.
    #[inline(always)]
    fn end(self, report: Option<Report>) {
        let (breaker, ticket) = (self.breaker, self.ticket);
        // `Drop` would end the permit a second time, as abandoned.
        std::mem::forget(self);
        breaker.end(ticket, report);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.end(self.ticket, unreported());
    }
}

impl OwnedPermit {
    pub(crate) fn new(breaker: CircuitBreaker, ticket: Ticket) -> OwnedPermit {
        OwnedPermit { breaker: Some(breaker), ticket }
    }

    permit_methods!();

    /// Returns the breaker that gave this permit.
    pub fn breaker(&self) -> &CircuitBreaker {
        self.breaker.as_ref().expect("a permit is consumed when it ends")
    }

    /// Returns whether the call is a probe: it was admitted by a half-open breaker.
    pub fn is_probe(&self) -> bool {
        self.ticket.word.state() == State::HalfOpen
    }

    /// Returns the time since the call was admitted, or [`None`] if the call is not timed.
    pub fn elapsed(&self) -> Option<Duration> {
        let started = self.breaker().started(self.ticket)?;
        Some(Duration::from_nanos(self.inner().clock.now().since(started)))
    }

    fn inner(&self) -> &Inner {
        self.breaker().inner()
    }

    #[cfg(feature = "stream")]
    /// Returns the report that the classifier determines from a result.
    pub(crate) fn classified<T, E, C: Classify<T, E>>(&self, result: &Result<T, E>, classify: &C) -> Report {
        classified(self.inner(), result, classify)
    }

    /// Takes the permit apart without ending it. The caller must end the ticket.
    pub(crate) fn into_parts(mut self) -> (CircuitBreaker, Ticket) {
        let breaker = self.breaker.take().expect("a permit is consumed when it ends");
        (breaker, self.ticket)
    }

    fn end_failure(self, failure: Report, describe: impl FnOnce() -> Option<String>) {
        let (breaker, ticket) = self.into_parts();
        breaker.end_failure(ticket, failure, describe);
    }

    // Always inline, down to the striped counter: a function call would force the permit into memory.
    #[inline(always)]
    fn end(mut self, report: Option<Report>) {
        if let Some(breaker) = self.breaker.take() {
            end_owned(breaker, self.ticket, report);
        }
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker.take() {
            end_unreported_slow(breaker, self.ticket);
        }
    }
}

impl HandlePermit {
    #[inline(always)]
    pub(super) fn new(own: OwnCount, ticket: Ticket) -> HandlePermit {
        HandlePermit { own: Some(own), ticket }
    }

    permit_methods!();

    fn breaker(&self) -> &CircuitBreaker {
        self.own.as_ref().expect("a permit is consumed when it ends").breaker()
    }

    fn inner(&self) -> &Inner {
        self.breaker().inner()
    }

    fn end_failure(mut self, failure: Report, describe: impl FnOnce() -> Option<String>) {
        if let Some(own) = self.own.take() {
            own.breaker().end_failure(self.ticket, failure, describe);
        }
    }

    #[inline(always)]
    fn end(mut self, report: Option<Report>) {
        if let Some(own) = self.own.take() {
            end_owned(own, self.ticket, report);
        }
    }
}

impl Drop for HandlePermit {
    #[inline]
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            end_unreported_slow(own, self.ticket);
        }
    }
}

#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the permit into memory")]
fn end_unreported_slow<K: Keeper>(keeper: K, ticket: Ticket) {
    keeper.breaker().end(ticket, unreported());
}

impl Ticket {
    /// Creates the ticket of a call that is not timed.
    #[inline]
    pub(crate) fn untimed(word: Word) -> Ticket {
        Ticket { word, started: Tick::NEVER }
    }

    pub(crate) fn timed(word: Word, started: Tick) -> Ticket {
        Ticket { word, started }
    }

    /// Creates the ticket of a call that evidence counts.
    pub(super) fn placed(word: Word, place: Place) -> Ticket {
        Ticket { word: word.with_stripe(place.stripe), started: place.entered }
    }

    pub(super) fn place(self) -> Place {
        Place { stripe: self.word.stripe(), entered: self.started }
    }

    /// Returns the time of the admission, if the call is timed.
    #[inline]
    pub(crate) fn started(self) -> Option<Tick> {
        // A sentinel and not an `Option`, which would make the ticket three words: two are passed in registers.
        (self.started != Tick::NEVER).then_some(self.started)
    }
}

/// Returns the report of a permit that was dropped without one: a failure if its thread panics, otherwise [`None`], which
/// is abandoned (S5, S6).
fn unreported() -> Option<Report> {
    std::thread::panicking().then(Report::failure)
}

/// Returns the report that the classifier determines from a result.
pub(crate) fn classified<T, E, C: Classify<T, E> + ?Sized>(
    inner: &Inner,
    result: &Result<T, E>,
    classify: &C,
) -> Report {
    let Some(outcome) = caught(inner, || classify.classify(result)) else {
        return if result.is_ok() { Report::success() } else { Report::failure() };
    };
    let report = Report::from(outcome);
    // Only failures are asked for a hint, so a success runs no more user code than `classify`.
    if outcome.is_failure() {
        Report { retry_after: hint_of(inner, result, classify), ..report }
    } else {
        report
    }
}

fn hint_of<T, E, C: Classify<T, E> + ?Sized>(
    inner: &Inner,
    result: &Result<T, E>,
    classify: &C,
) -> Option<u64> {
    caught(inner, || classify.retry_after(result)).flatten().map(nanos)
}

/// Runs user code, and returns its result, or [`None`] if it panicked, which is counted (S4).
#[inline]
pub(crate) fn caught<T>(inner: &Inner, user_code: impl FnOnce() -> T) -> Option<T> {
    let result = catch_panic(user_code);
    if result.is_none() {
        inner.count_panic();
    }
    result
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("breaker", &self.breaker().name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for HandlePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlePermit").field("breaker", &self.breaker().name()).finish_non_exhaustive()
    }
}

/// All permits are `Send` and `Sync`.
const _: () = {
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<Permit<'_>>();
    crosses_threads::<OwnedPermit>();
    crosses_threads::<Arc<OwnedPermit>>();
    crosses_threads::<HandlePermit>();
};
