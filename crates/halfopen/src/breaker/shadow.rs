//! Shadows: other configurations that decide about the calls of a breaker without effect.
//!
//! A flag in the state word keeps the calls of a breaker with shadows off the fast paths, so a breaker without one pays
//! nothing. Each admitted call is entered in a table, with the decision of each shadow. Its ticket has the flag and the
//! place in the table instead of the time; [`CircuitBreaker::end_shadows_slow`] exchanges it for the ticket that the
//! breaker gave.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{CircuitBreaker, Inner, OwnedPermit, Ticket};
use crate::clock::{Moment, Tick};
use crate::config::CircuitBreakerConfig;
use crate::observe::{ShadowCalls, ShadowSnapshot};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The most shadows of one breaker.
const MOST_SHADOWS: usize = 8;
/// The most calls in flight that shadows see. Permits that are leaked stay among them.
const MOST_CALLS: usize = 1 << 16;
/// The jitter of a shadow's waits spreads no calls, so it needs no chance.
const SEED: u64 = 0;

/// Another configuration that decides about the calls of a breaker without effect, and counts what it would have rejected.
///
/// Created by [`CircuitBreaker::shadow`]. Dropping it ends it; it does not keep the breaker alive.
#[must_use = "a shadow ends when it is dropped"]
pub struct Shadow {
    breaker: Weak<Inner>,
    track: Arc<Track>,
}

/// The reason why a breaker has no further shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowError {
    name: Arc<str>,
    is_taken: bool,
}

impl fmt::Display for ShadowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.is_taken {
            write!(f, "shadow `{name}` exists already")
        } else {
            write!(f, "shadow `{name}` is one too many: a breaker has at most {MOST_SHADOWS}")
        }
    }
}

impl std::error::Error for ShadowError {}

/// The decisions of one shadow.
struct Track {
    /// A breaker of the shadow's configuration, which sees the calls that are admitted.
    breaker: CircuitBreaker,
    admitted: Tally,
    rejected: Tally,
    rejected_nanos: AtomicU64,
    untracked: AtomicU64,
    /// The rejections of the breaker before this shadow, and those since.
    rejected_before: u64,
    unseen: AtomicU64,
}

#[derive(Default)]
struct Tally {
    successes: AtomicU64,
    failures: AtomicU64,
    ignored: AtomicU64,
    abandoned: AtomicU64,
}

/// The shadows of a breaker, and the calls in flight that they see.
#[derive(Default)]
pub(super) struct Shadows {
    list: Mutex<Vec<Arc<Track>>>,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    slots: Vec<Option<Call>>,
    free: Vec<usize>,
}

struct Call {
    /// The ticket that the breaker gave.
    ticket: Ticket,
    started: Tick,
    /// The permit of each shadow that admits the call.
    decisions: Vec<(Arc<Track>, Option<OwnedPermit>)>,
}

impl CircuitBreaker {
    /// Adds a shadow: another configuration that decides about the calls of this breaker without effect, until the
    /// handle is dropped.
    ///
    /// A shadow starts closed and decides about each call that this breaker admits, as a breaker of its
    /// configuration would that makes those calls alone. It counts the calls that it would have rejected, by how they
    /// ended: the exact cost and gain of a change before it is made. They are part of [`snapshot`](Self::snapshot) and of the
    /// metrics.
    ///
    /// - A call that this breaker rejects has no outcome: it is [`unseen`](ShadowSnapshot::unseen).
    /// - Overrides, [`reset`](Self::reset) and [`set_config`](Self::set_config) of this breaker change no shadow. While it is
    ///   disabled or metrics-only a shadow sees all calls, and while it is forced open none.
    /// - Custom rules and listeners are not those of a shadow. A stream counts as its first data or error.
    /// - A call that would have been rejected is made all the same, so the dependency has more load than with the
    ///   configuration of the shadow.
    ///
    /// While a breaker has shadows its calls take a lock and allocate. Without one it pays nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).build()?;
    /// let shadow = breaker.shadow("strict", strict)?;
    /// for _ in 0..5 {
    ///     breaker.try_acquire()?.failure();
    /// }
    /// assert_eq!(shadow.snapshot().rejected.failures, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ShadowError`] if this breaker has a shadow of this name, or eight shadows already.
    pub fn shadow(
        &self,
        name: impl Into<Arc<str>>,
        config: CircuitBreakerConfig,
    ) -> Result<Shadow, ShadowError> {
        let (name, inner) = (name.into(), self.inner());
        let clock = inner.clock.clone();
        let track = Arc::new(Track {
            breaker: CircuitBreaker::from_parts(Arc::clone(&name), config, clock, SEED, Vec::new()),
            admitted: Tally::default(),
            rejected: Tally::default(),
            rejected_nanos: AtomicU64::new(0),
            untracked: AtomicU64::new(0),
            rejected_before: inner.rejected_in_total(),
            unseen: AtomicU64::new(0),
        });
        {
            let mut list = lock(&inner.cold().shadows().list);
            let is_taken = list.iter().any(|other| other.breaker.name() == &*name);
            if is_taken || list.len() >= MOST_SHADOWS {
                return Err(ShadowError { name, is_taken });
            }
            list.push(Arc::clone(&track));
        }
        // The flag makes the calls from now on pass the shadows.
        inner.republish();
        Ok(Shadow { breaker: self.weak(), track })
    }

    /// Enters an admitted call for the shadows, and returns the ticket that it ends with.
    #[cold]
    #[inline(never)]
    pub(super) fn shadowed_slow(&self, ticket: Ticket) -> Ticket {
        let inner = self.inner();
        let ticket = ticket.shadowed(false);
        let Some(shadows) = inner.shadows() else { return ticket };
        let tracks = lock(&shadows.list).clone();
        if tracks.is_empty() {
            return ticket;
        }
        let Some(place) = lock(&shadows.calls).reserve() else {
            for track in &tracks {
                track.untracked.fetch_add(1, Ordering::Relaxed);
            }
            return ticket;
        };
        let started = ticket.started().filter(|_| !ticket.word.is_by_evidence());
        let started = started.unwrap_or_else(|| inner.clock.now());
        // Outside of the lock: a clock may be the user's own function.
        let decide = |track: Arc<Track>| {
            let permit = track.breaker.try_acquire_owned().ok();
            (track, permit)
        };
        let decisions = tracks.into_iter().map(decide).collect();
        lock(&shadows.calls).slots[place] = Some(Call { ticket, started, decisions });
        ticket.at_place(place)
    }

    /// Ends a call for the shadows, and returns the ticket that the breaker gave.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_shadows_slow(
        &self,
        ticket: Ticket,
        report: Option<Report>,
        moment: &Moment<'_>,
    ) -> Ticket {
        let call = self.inner().shadows().and_then(|shadows| lock(&shadows.calls).leave(ticket));
        let Some(Call { ticket, started, decisions }) = call else {
            return Ticket::untimed(ticket.word.with_shadowed(false));
        };
        let took = report.and_then(|report| report.took).unwrap_or_else(|| moment.get().since(started));
        for (track, permit) in decisions {
            match (permit, report) {
                (Some(permit), Some(report)) => {
                    track.admitted.add(Some(report));
                    permit.report(report);
                }
                (Some(permit), None) => {
                    track.admitted.add(None);
                    permit.abandon();
                }
                (None, report) => {
                    track.rejected.add(report);
                    track.rejected_nanos.fetch_add(took, Ordering::Relaxed);
                }
            }
        }
        ticket
    }

    /// Returns the time of an admission, if the call is timed.
    pub(crate) fn started(&self, ticket: Ticket) -> Option<Tick> {
        if !ticket.word.is_shadowed() {
            return ticket.started();
        }
        lock(&self.inner().shadows()?.calls).started(ticket)
    }

    /// Returns the snapshots of all shadows.
    pub(super) fn shadow_snapshots(&self, rejected: u64) -> Vec<ShadowSnapshot> {
        let Some(shadows) = self.inner().shadows() else { return Vec::new() };
        let tracks = lock(&shadows.list).clone();
        tracks.iter().map(|track| track.snapshot(Some(rejected))).collect()
    }
}

impl Inner {
    /// Returns the shadows, or [`None`] if there has never been one.
    fn shadows(&self) -> Option<&Shadows> {
        self.cold.get()?.shadows.get().map(|shadows| &**shadows)
    }

    /// Returns whether calls must pass shadows.
    pub(super) fn is_shadowed(&self) -> bool {
        self.shadows().is_some_and(|shadows| !lock(&shadows.list).is_empty())
    }
}

impl Shadow {
    /// Returns the name.
    pub fn name(&self) -> &str {
        self.track.breaker.name()
    }

    /// Returns the counts of the calls that have ended since the shadow was created.
    pub fn snapshot(&self) -> ShadowSnapshot {
        let rejected = self.breaker.upgrade().map(|inner| inner.rejected_in_total());
        self.track.snapshot(rejected)
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        let Some(inner) = self.breaker.upgrade() else { return };
        if let Some(shadows) = inner.shadows() {
            lock(&shadows.list).retain(|track| !Arc::ptr_eq(track, &self.track));
        }
        inner.republish();
    }
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Track {
    /// `rejected` are the rejections of the breaker so far, or [`None`] if it is gone.
    fn snapshot(&self, rejected: Option<u64>) -> ShadowSnapshot {
        if let Some(rejected) = rejected {
            let unseen = rejected.saturating_sub(self.rejected_before);
            self.unseen.fetch_max(unseen, Ordering::Relaxed);
        }
        let snapshot = self.breaker.snapshot();
        ShadowSnapshot {
            name: snapshot.name,
            state: snapshot.state,
            trips: snapshot.totals.trips,
            admitted: self.admitted.get(),
            rejected: self.rejected.get(),
            rejected_time: Duration::from_nanos(self.rejected_nanos.load(Ordering::Relaxed)),
            unseen: self.unseen.load(Ordering::Relaxed),
            untracked: self.untracked.load(Ordering::Relaxed),
        }
    }
}

impl Tally {
    fn add(&self, report: Option<Report>) {
        let count = match report.map(|report| report.outcome) {
            Some(Outcome::Success) => &self.successes,
            Some(Outcome::Failure | Outcome::Throttled) => &self.failures,
            Some(Outcome::Ignored) => &self.ignored,
            None => &self.abandoned,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> ShadowCalls {
        ShadowCalls {
            successes: self.successes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            ignored: self.ignored.load(Ordering::Relaxed),
            abandoned: self.abandoned.load(Ordering::Relaxed),
        }
    }
}

impl Calls {
    /// Returns a free place, or [`None`] if there is none.
    fn reserve(&mut self) -> Option<usize> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        (self.slots.len() < MOST_CALLS).then(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    fn leave(&mut self, ticket: Ticket) -> Option<Call> {
        let place = ticket.place_in_table()?;
        let call = self.slots.get_mut(place)?.take()?;
        self.free.push(place);
        Some(call)
    }

    fn started(&self, ticket: Ticket) -> Option<Tick> {
        Some(self.slots.get(ticket.place_in_table()?)?.as_ref()?.started)
    }
}

impl Ticket {
    fn shadowed(self, shadowed: bool) -> Ticket {
        Ticket { word: self.word.with_shadowed(shadowed), ..self }
    }

    /// The ticket of a call that is entered at this place.
    fn at_place(self, place: usize) -> Ticket {
        Ticket::timed(self.word.with_shadowed(true), Tick(place as u64))
    }

    fn place_in_table(self) -> Option<usize> {
        usize::try_from(self.started()?.0).ok()
    }
}

#[cfg(all(test, not(loom), feature = "test-util"))]
mod tests {
    use crate::{
        CircuitBreaker, CircuitBreakerConfig, Clock, HalfOpen, ManualClock, OwnedPermit, ShadowCalls, State,
        Trip, Window,
    };
    use crate::{Outcome, Report};
    use std::time::Duration;

    const STEPS: u32 = if cfg!(miri) { 60 } else { 4_000 };

    fn configs() -> Vec<CircuitBreakerConfig> {
        let rules = |trip: Trip, window: Window| {
            let half_open = HalfOpen::new().max_calls(2).success_threshold(2);
            let wait = Duration::from_secs(2);
            let builder = CircuitBreakerConfig::builder().trip(trip).window(window);
            builder.open_duration(wait).half_open(half_open).build().expect("valid")
        };
        let seconds = Duration::from_secs;
        vec![
            rules(Trip::consecutive_failures(3), Window::last_calls(10)),
            rules(Trip::failure_rate(0.4).minimum_calls(5), Window::last(seconds(5))),
            rules(Trip::slow_call_rate(0.4, Duration::from_millis(700)), Window::last_calls(20)),
            rules(
                Trip::slow_call_rate(0.5, Duration::from_millis(400)).in_flight(true),
                Window::last(seconds(20)),
            ),
            CircuitBreakerConfig::default(),
            CircuitBreakerConfig::adaptive(),
        ]
    }

    fn breaker(config: &CircuitBreakerConfig, clock: &Clock) -> CircuitBreaker {
        CircuitBreaker::builder("real").config(config.clone()).clock(clock.clone()).seed(0).build()
    }

    /// A call of the breaker with a shadow, of its twin without one, and of a breaker of the shadow's configuration.
    struct InFlight {
        own: OwnedPermit,
        twin: OwnedPermit,
        alone: Option<OwnedPermit>,
    }

    struct Story {
        hands: ManualClock,
        own: CircuitBreaker,
        twin: CircuitBreaker,
        alone: CircuitBreaker,
        in_flight: Vec<InFlight>,
        rejected: ShadowCalls,
        rejected_by_own: u64,
    }

    impl Story {
        fn admit(&mut self) {
            match (self.own.try_acquire_owned(), self.twin.try_acquire_owned()) {
                (Ok(own), Ok(twin)) => {
                    let alone = self.alone.try_acquire_owned().ok();
                    self.in_flight.push(InFlight { own, twin, alone });
                }
                (Err(_), Err(_)) => self.rejected_by_own += 1,
                (own, twin) => panic!("a shadow has an effect: {own:?} for {twin:?}"),
            }
        }

        fn end(&mut self, place: usize, report: Option<Report>) {
            let InFlight { own, twin, alone } = self.in_flight.swap_remove(place);
            if alone.is_none() {
                match report.map(|report| report.outcome) {
                    Some(Outcome::Success) => self.rejected.successes += 1,
                    Some(Outcome::Failure | Outcome::Throttled) => self.rejected.failures += 1,
                    Some(Outcome::Ignored) => self.rejected.ignored += 1,
                    None => self.rejected.abandoned += 1,
                }
            }
            for permit in [Some(own), Some(twin), alone].into_iter().flatten() {
                match report {
                    Some(report) => permit.report(report),
                    None => permit.abandon(),
                }
            }
        }
    }

    /// Plays a history that follows from the seed, and compares the shadow with the breaker of its configuration.
    /// Returns the calls that the shadow would have rejected, and those that it has not seen.
    fn play(config: &CircuitBreakerConfig, candidate: &CircuitBreakerConfig, mut seed: u64) -> [u64; 2] {
        let (clock, hands) = Clock::manual();
        let mut story = Story {
            hands,
            own: breaker(config, &clock),
            twin: breaker(config, &clock),
            alone: breaker(candidate, &clock),
            in_flight: Vec::new(),
            rejected: ShadowCalls::default(),
            rejected_by_own: 0,
        };
        let shadow = story.own.shadow("candidate", candidate.clone()).expect("the first");
        let mut is_down = false;
        for step in 0..STEPS {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let luck = seed >> 33;
            is_down ^= luck % 97 == 0;
            match luck % 16 {
                0..6 => story.admit(),
                6..10 if !story.in_flight.is_empty() => {
                    let place = luck as usize / 16 % story.in_flight.len();
                    let is_bad = luck / 256 % 100 < if is_down { 80 } else { 3 };
                    let report = match luck / 4096 % 24 {
                        0 => None,
                        1 => Some(Report::ignored()),
                        2 => Some(Report::throttled().retry_after(Duration::from_secs(1))),
                        3 => Some(Report::success().took(Duration::from_secs(1))),
                        _ if is_bad => Some(Report::failure()),
                        _ => Some(Report::success()),
                    };
                    story.end(place, report);
                }
                _ => story.hands.advance(Duration::from_millis(luck / 64 % 200)),
            }
            for real in [&story.own, &story.twin] {
                match luck / 32 % 1_000 {
                    0 => real.force_open(),
                    1 => real.disable(),
                    2 => real.metrics_only(),
                    3 => real.reset(),
                    4 => real.set_config(config.clone()),
                    5..15 => real.force_closed(),
                    15..20 => real.end_wait(),
                    _ => {}
                }
            }
            assert_eq!(story.own.state(), story.twin.state(), "step {step}: a shadow has no effect");
        }
        while !story.in_flight.is_empty() {
            story.end(0, None);
        }
        let (found, expected) = (shadow.snapshot(), story.alone.snapshot());
        assert_eq!(found.rejected, story.rejected);
        assert_eq!((found.state, found.trips), (expected.state, expected.totals.trips));
        assert_eq!(found.admitted.calls(), expected.totals.calls());
        assert_eq!(found.unseen, story.rejected_by_own);
        assert_eq!(found.untracked, 0);
        let (own, twin) = (story.own.snapshot(), story.twin.snapshot());
        assert_eq!((own.counts, own.totals), (twin.counts, twin.totals), "a shadow has no effect");
        [found.rejected.calls(), found.unseen]
    }

    #[test]
    fn a_shadow_decides_as_a_breaker_of_its_own() {
        let mut sums = [0; 2];
        for (place, config) in configs().iter().enumerate() {
            for (other, candidate) in configs().iter().enumerate() {
                for seed in 0..if cfg!(miri) { 1 } else { 3 } {
                    let found = play(config, candidate, seed * 100 + place as u64 * 10 + other as u64);
                    sums = [sums[0] + found[0], sums[1] + found[1]];
                }
            }
        }
        assert!(cfg!(miri) || sums.into_iter().all(|sum| sum > 1_000), "both reject: {sums:?}");
    }

    fn strict() -> CircuitBreakerConfig {
        CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().expect("valid")
    }

    #[test]
    fn a_dropped_shadow_leaves_no_trace() {
        let own = CircuitBreaker::builder("own").build();
        let shadow = own.shadow("strict", strict()).expect("the first");
        let before = own.try_acquire().expect("closed");
        assert!(own.inner().word().load().is_shadowed());
        drop(shadow);
        assert!(!own.inner().word().load().is_shadowed(), "calls are on the fast path again");
        before.failure();
        assert!(own.snapshot().shadows.is_empty());
        assert_eq!(own.snapshot().totals.failures, 1, "the call that a shadow had seen still counts");
    }

    #[test]
    fn a_call_counts_where_it_began() {
        let own = CircuitBreaker::builder("own").build();
        let before = own.try_acquire().expect("closed");
        let shadow = own.shadow("strict", strict()).expect("the first");
        before.failure();
        assert_eq!(shadow.snapshot().admitted.calls(), 0, "a shadow sees calls from their admission on");
        own.try_acquire().expect("closed").failure();
        let seen = own.try_acquire().expect("closed");
        drop(seen);
        let found = own.snapshot().shadows.remove(0);
        assert_eq!((found.admitted.failures, found.rejected.abandoned), (1, 1));
        assert_eq!(found.state, State::Open);
        assert_eq!(found, shadow.snapshot());
        let explained = own.explain();
        let line =
            " Shadow `strict` (open) would have rejected 1 of 2 calls, of which 0 failed and 0 succeeded.";
        assert!(explained.ends_with(line), "{explained}");
    }

    #[test]
    fn shadows_have_names_and_a_limit() {
        let own = CircuitBreaker::builder("own").build();
        let add = |name: &str| own.shadow(name, strict());
        let kept: Vec<_> = (0..8).map(|place| add(&place.to_string()).expect("few")).collect();
        let error = |name: &str| add(name).expect_err("refused").to_string();
        assert_eq!(error("3"), "shadow `3` exists already");
        assert_eq!(error("8"), "shadow `8` is one too many: a breaker has at most 8");
        drop(kept);
        assert!(add("3").is_ok());
    }

    #[test]
    fn a_shadow_outlives_its_breaker() {
        let own = CircuitBreaker::builder("own").build();
        let shadow = own.shadow("strict", strict()).expect("the first");
        own.try_acquire().expect("closed").success();
        drop(own);
        assert_eq!(shadow.snapshot().admitted.successes, 1);
    }

    #[test]
    fn a_stream_counts_as_its_first_data() {
        let own = CircuitBreaker::builder("own").build();
        let shadow = own.shadow("strict", strict()).expect("the first");
        let end = own.try_acquire_owned().expect("closed").success_at_first_data();
        end.record(Outcome::Failure, None, None);
        own.open_for(Duration::ZERO);
        let _end = own.try_acquire_owned().expect("a probe").success_at_first_data();
        let found = shadow.snapshot();
        assert_eq!((found.admitted.successes, found.admitted.failures), (2, 0));
        assert_eq!(own.state(), State::Closed);
    }
}
