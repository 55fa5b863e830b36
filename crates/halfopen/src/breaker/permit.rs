use crate::outcome::Ending;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::{CircuitBreaker, Inner};
use crate::classify::Classify;
use crate::clock::{Tick, nanos};
use crate::outcome::Outcome;
use crate::panics::catch_panic;
use crate::report::Report;
use crate::word::{State, Word};

/// Leave to make one call.
///
/// Say how the call ended with [`success`](Self::success), [`failure`](Self::failure) or
/// [`record`](Self::record). A permit that is dropped instead is counted as abandoned and gives a
/// probe's slot back, so a cancelled call never leaves a breaker half-open for ever. A permit that
/// is dropped by a panic in its own thread is a failure. One that is leaked
/// ([`mem::forget`](std::mem::forget)) is counted nowhere; if it was a probe's, the breaker opens
/// again when its [`probe_timeout`](crate::HalfOpen::probe_timeout) is over.
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

/// Leave to make one call, for futures and bodies that outlive the borrow of a breaker.
///
/// The same as a [`Permit`] in every other way.
#[must_use = "a dropped permit is an abandoned call"]
pub struct OwnedPermit {
    /// None once it was said how the call ended. Taken out whole, so that a permit in a caller's hands
    /// can stay in registers: whatever takes the long way takes the breaker with it.
    breaker: Option<CircuitBreaker>,
    ticket: Ticket,
}

/// What a permit remembers of its admission.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) word: Word,
    /// When the call was admitted; [`Tick::NEVER`] if nothing needs to know.
    started: Tick,
}

/// The methods both permits have; `$inner` gives the breaker without running `Drop`.
macro_rules! permit_methods {
    () => {
        /// Reports how the call ended and releases the permit; every other ending is a shorthand of this.
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
            let (ending, took) = report.parts();
            self.end(ending, took);
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

        /// Abandons the call: the same as dropping the permit, also while the thread is panicking for
        /// another reason.
        pub fn abandon(self) {
            self.end(Ending::Abandoned, None);
        }

        /// Reports this outcome; the call took from the admission until now.
        #[inline]
        pub fn record(self, outcome: Outcome) {
            self.report(outcome.into());
        }

        /// Reports this outcome and the duration that the caller measured.
        pub fn record_after(self, outcome: Outcome, took: Duration) {
            self.report(Report::from(outcome).took(took));
        }

        /// Reports a failure with the time that the other side asked to be left alone.
        ///
        /// If this failure opens the breaker, the wait is at least the hint, up to `hint_max`.
        pub fn failure_with_hint(self, retry_after: Duration) {
            self.report(Report::failure().retry_after(retry_after));
        }

        /// Reports the outcome that the classifier finds in this result.
        ///
        /// A panic in the classifier is caught and counted, and the default holds: `Ok` is a
        /// success, `Err` a failure. A hint of the classifier goes with a failure.
        #[inline]
        pub fn settle<T, E, C: Classify<T, E> + ?Sized>(self, result: &Result<T, E>, classify: &C) {
            match classified(self.inner(), result, classify) {
                failure @ (Ending::Failure { .. } | Ending::Throttled { .. }) => {
                    self.end_failure(failure, || classify.describe(result));
                }
                other @ (Ending::Success | Ending::Ignored | Ending::Abandoned) => self.end(other, None),
            }
        }
    };
}

impl<'a> Permit<'a> {
    pub(crate) fn new(breaker: &'a CircuitBreaker, ticket: Ticket) -> Permit<'a> {
        Permit { breaker, ticket }
    }

    permit_methods!();

    fn inner(&self) -> &Inner {
        self.breaker.inner()
    }

    fn end_failure(self, failure: Ending, describe: impl FnOnce() -> Option<String>) {
        let (breaker, ticket) = (self.breaker, self.ticket);
        std::mem::forget(self);
        breaker.end_failure(ticket, failure, describe);
    }

    #[inline]
    fn end(self, ending: Ending, took: Option<u64>) {
        let (breaker, ticket) = (self.breaker, self.ticket);
        std::mem::forget(self);
        breaker.end(ticket, ending, took);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.end(self.ticket, unsaid(), None);
    }
}

impl OwnedPermit {
    pub(crate) fn new(breaker: CircuitBreaker, ticket: Ticket) -> OwnedPermit {
        OwnedPermit { breaker: Some(breaker), ticket }
    }

    permit_methods!();

    /// The breaker that gave this permit.
    pub fn breaker(&self) -> &CircuitBreaker {
        self.breaker.as_ref().expect("a permit that can be asked has not ended")
    }

    /// Whether the call is a probe: admitted by a half-open breaker, in one of its few slots.
    pub fn is_probe(&self) -> bool {
        self.ticket.word.state() == State::HalfOpen
    }

    /// How long ago the call was admitted; none if nothing needs to know and no clock was read.
    pub fn elapsed(&self) -> Option<Duration> {
        let started = self.ticket.started()?;
        Some(Duration::from_nanos(self.inner().clock.now().since(started)))
    }

    fn inner(&self) -> &Inner {
        self.breaker().inner()
    }

    #[cfg(feature = "stream")]
    pub(crate) fn classified<T, E, C: Classify<T, E>>(&self, result: &Result<T, E>, classify: &C) -> Ending {
        classified(self.inner(), result, classify)
    }

    /// Taken apart without an end.
    pub(crate) fn into_parts(mut self) -> (CircuitBreaker, Ticket) {
        let breaker = self.breaker.take().expect("a permit that can be asked has not ended");
        (breaker, self.ticket)
    }

    fn end_failure(self, failure: Ending, describe: impl FnOnce() -> Option<String>) {
        let (breaker, ticket) = self.into_parts();
        breaker.end_failure(ticket, failure, describe);
    }

    // Always, down to the stripe: a call would force the permit into memory.
    #[inline(always)]
    fn end(mut self, ending: Ending, took: Option<u64>) {
        if let Some(breaker) = self.breaker.take() {
            breaker.end_owned(self.ticket, ending, took);
        }
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker.take() {
            end_unsaid(breaker, self.ticket);
        }
    }
}

#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the permit into memory")]
fn end_unsaid(breaker: CircuitBreaker, ticket: Ticket) {
    breaker.end(ticket, unsaid(), None);
}

impl Ticket {
    /// Of a call that nothing needs the time of.
    #[inline]
    pub(crate) fn untimed(word: Word) -> Ticket {
        Ticket { word, started: Tick::NEVER }
    }

    pub(crate) fn timed(word: Word, started: Tick) -> Ticket {
        Ticket { word, started }
    }

    /// When the call was admitted, if anything needs to know.
    #[inline]
    pub(crate) fn started(self) -> Option<Tick> {
        (self.started != Tick::NEVER).then_some(self.started)
    }
}

/// What it means that nobody said how the call ended (S5, S6).
fn unsaid() -> Ending {
    if std::thread::panicking() { Ending::Failure { hint: None } } else { Ending::Abandoned }
}

pub(crate) fn classified<T, E, C: Classify<T, E> + ?Sized>(
    inner: &Inner,
    result: &Result<T, E>,
    classify: &C,
) -> Ending {
    let Some(outcome) = caught(inner, || classify.classify(result)) else {
        return if result.is_ok() { Ending::Success } else { Ending::Failure { hint: None } };
    };
    match outcome {
        Outcome::Success => Ending::Success,
        Outcome::Ignored => Ending::Ignored,
        Outcome::Failure => Ending::Failure { hint: hint_of(inner, result, classify) },
        Outcome::Throttled => Ending::Throttled { hint: hint_of(inner, result, classify) },
    }
}

fn hint_of<T, E, C: Classify<T, E> + ?Sized>(
    inner: &Inner,
    result: &Result<T, E>,
    classify: &C,
) -> Option<u64> {
    caught(inner, || classify.retry_after(result)).flatten().map(nanos)
}

/// What user code says; none if it panicked, which is counted (S4).
#[inline]
pub(crate) fn caught<T>(inner: &Inner, ask: impl FnOnce() -> T) -> Option<T> {
    let answer = catch_panic(ask);
    if answer.is_none() {
        inner.count_panic();
    }
    answer
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

/// Sent to other threads, and shared between them, freely.
const _: () = {
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<Permit<'_>>();
    crosses_threads::<OwnedPermit>();
    crosses_threads::<Arc<OwnedPermit>>();
};
