use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::aside::Aside;
use crate::builder::CircuitBreakerBuilder;
use crate::clock::{Clock, Moment, Tick};
use crate::config::CircuitBreakerConfig;
use crate::history::Control;
use crate::listeners::Listeners;
use crate::snapshot::share_of;
use crate::state::{Change, Entry, Log, Machine, StateWord, View, Word};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::totals::Timing;
use crate::window::Window;
use crate::{
    Counts, Event, Interest, Listener, Snapshot, State, StateChange, Subscription, Totals, TripCause,
};

/// A circuit breaker: lets calls through while the other side answers, and says no at once while it
/// does not.
///
/// Cheap to clone; every clone is the same breaker. It can be shared between threads and tasks and
/// needs no runtime.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError};
///
/// # async fn fetch(_: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
/// # async fn example() -> Result<(), CircuitBreakerError<std::io::Error>> {
/// let breaker = CircuitBreaker::new("weather", CircuitBreakerConfig::default());
/// let report = breaker.call(|| fetch("/today")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Inner>);

pub(crate) type CustomRule = Box<dyn Fn(&Counts) -> bool + Send + Sync>;

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) word: StateWord,
    pub(crate) window: Window,
    pub(crate) clock: Clock,
    pub(crate) name: Arc<str>,
    pub(crate) aside: OnceLock<Box<Aside>>,
    /// The transition lock. No call in Closed and no rejection in Open takes it.
    pub(crate) control: Mutex<Control>,
}

/// A handle that keeps no breaker alive and does not count as a use of it, for listeners that keep something of
/// each breaker they hear.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, adapter::WeakCircuitBreaker};
///
/// let breaker = CircuitBreaker::builder("pod-7").build();
/// let weak = WeakCircuitBreaker::of(&breaker);
/// assert!(!weak.is_gone());
/// drop(breaker);
/// assert!(weak.is_gone());
/// ```
#[derive(Clone)]
pub struct WeakCircuitBreaker(Weak<Inner>);

impl WeakCircuitBreaker {
    /// A weak handle of this breaker.
    pub fn of(breaker: &CircuitBreaker) -> WeakCircuitBreaker {
        WeakCircuitBreaker(breaker.weak())
    }

    /// Whether the last strong handle has been dropped.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl fmt::Debug for WeakCircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakCircuitBreaker").field("is_gone", &self.is_gone()).finish()
    }
}

impl CircuitBreaker {
    /// A closed breaker on the system's clock.
    pub fn new(name: impl Into<Arc<str>>, config: CircuitBreakerConfig) -> Self {
        Self::builder(name).config(config).build()
    }

    /// A breaker with more than a configuration: a clock, listeners, a rule of its own.
    pub fn builder(name: impl Into<Arc<str>>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    pub(crate) fn from_parts(
        name: Arc<str>,
        config: CircuitBreakerConfig,
        clock: Clock,
        seed: u64,
        custom: Vec<CustomRule>,
    ) -> CircuitBreaker {
        let now = clock.now();
        let machine = Machine::new(config, seed, now);
        let inner = Inner {
            word: StateWord::new(Word::new(machine.epoch(), State::Closed)),
            window: Window::new(machine.epoch(), machine.config(), now),
            clock,
            name,
            aside: if custom.is_empty() {
                OnceLock::new()
            } else {
                Box::new(Aside::new(custom.into())).into()
            },
            control: Mutex::new(Control::new(machine)),
        };
        // The models do not see what a `OnceLock` orders, so there it is made before any race.
        #[cfg(loom)]
        inner.aside().listeners();
        inner.republish();
        CircuitBreaker(Arc::new(inner))
    }

    pub(crate) fn weak(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    #[inline]
    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The name given when it was built.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The time on the breaker's own clock, since that clock began.
    ///
    /// For deadlines that must be judged by the same clock as the breaker (a manual one in tests).
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.clock.now().0)
    }

    /// Returns the configuration in force: a shared handle, so nothing is allocated.
    pub fn config(&self) -> CircuitBreakerConfig {
        self.0.window.config()
    }

    /// Replaces the configuration under running calls.
    ///
    /// State, deadline, backoff step and the consecutive run stay, and so do the samples if the
    /// window keeps its kind, size and buckets. New rules are asked at the next recorded outcome; a
    /// half-open visit is judged to its end by the numbers it began with.
    pub fn set_config(&self, config: CircuitBreakerConfig) {
        let now = self.0.clock.now();
        let _old = self.transition(now, |control, log, now| {
            let moment = Moment::at(&self.0.clock, now);
            // What is due already happens by the numbers it was due by.
            control.machine.catch_up(now, log);
            let generation = self.0.window.reconfigure(&config, &moment);
            let clocked = config.needs_clock();
            self.0.word.publish(self.0.word.load().with_generation(generation).with_clocked(clocked));
            control.machine.set_config(config, log)
        });
    }

    // ---- observation --------------------------------------------------------------------------

    /// The state an admission would find now: an open breaker whose wait is over is half-open.
    pub fn state(&self) -> State {
        let word = self.0.word.load();
        match word.state() {
            state @ (State::Closed | State::ForcedOpen | State::Disabled | State::MetricsOnly) => state,
            State::Open | State::HalfOpen => self.view().state,
        }
    }

    fn view(&self) -> View {
        let now = self.0.clock.now();
        lock(&self.0.control).machine.view(now)
    }

    /// Returns true if the breaker is [`State::Closed`], and in no other state.
    ///
    /// For the question whether a call would pass see [`is_permitting`](Self::is_permitting).
    #[inline]
    pub fn is_closed(&self) -> bool {
        // Time alone makes no state `Closed`, so the clock is not read.
        self.0.word.load().state() == State::Closed
    }

    /// Returns true if the breaker is [`State::Open`], and in no other state.
    ///
    /// For the question whether a call would be rejected see [`is_rejecting`](Self::is_rejecting).
    pub fn is_open(&self) -> bool {
        self.state() == State::Open
    }

    /// Returns true if the breaker is [`State::HalfOpen`], also if an open breaker's wait is over and
    /// the next call would be the first probe.
    pub fn is_half_open(&self) -> bool {
        self.state() == State::HalfOpen
    }

    /// Returns true if a call made now would be admitted: in closed, disabled and metrics-only, and in
    /// half-open while a probe's slot is free.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.disable();
    /// assert!(breaker.is_permitting() && !breaker.is_closed());
    ///
    /// breaker.force_open();
    /// assert!(breaker.is_rejecting() && !breaker.is_open());
    /// ```
    #[inline]
    pub fn is_permitting(&self) -> bool {
        self.refusal().is_none()
    }

    /// Returns true if a call made now would be rejected: in open and forced open, and in half-open
    /// while all probes are in flight.
    #[inline]
    pub fn is_rejecting(&self) -> bool {
        !self.is_permitting()
    }

    /// How long until time alone changes the state: the rest of the wait while open, the time the
    /// first probe has left while half-open; none elsewhere.
    pub fn changes_in(&self) -> Option<Duration> {
        let now = self.0.clock.now();
        lock(&self.0.control).machine.view(now).changes_in()
    }

    /// The breaker at this moment; changes nothing.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.0.clock.now();
        let control = lock(&self.0.control);
        let view = control.machine.view(now);
        let past = control.past();
        let totals = self.0.totals(&control);
        let rejected_before = past.map_or(0, |past| past.rejected_before);
        Snapshot {
            name: Arc::clone(&self.0.name),
            state: view.state,
            counts: view.counts.unwrap_or_else(|| self.0.window.counts(&Moment::at(&self.0.clock, now))),
            retry_after: view.left.map(Duration::from_nanos),
            rejected: if view.moved { 0 } else { totals.rejected.saturating_sub(rejected_before) },
            reopenings: view.reopenings,
            open_duration: Duration::from_nanos(view.wait),
            hint: view.hint.map(Duration::from_nanos),
            share: share_of(view.state),
            cause: match view.state {
                State::Open | State::HalfOpen => TripCause::of(control.machine.why(now)),
                State::Closed | State::ForcedOpen | State::Disabled | State::MetricsOnly => None,
            },
            probes: (view.state == State::HalfOpen).then(|| control.machine.probes(now).into()),
            has_custom_rule: !self.0.custom().is_empty(),
            disabled_by_config: control.is_disabled_by_rule(),
            in_state_for: Duration::from_nanos(now.since(view.since)),
            last_trip: past.and_then(|past| past.last_trip.clone()),
            totals,
        }
    }

    // ---- listening ----------------------------------------------------------------------------

    /// Lets a listener hear what this breaker does, until the subscription is dropped.
    pub fn subscribe(&self, listener: impl Listener) -> Subscription {
        let ear = Listeners::ear(Box::new(listener));
        self.0.adopt(&ear);
        Subscription::new(Arc::downgrade(&self.0), &ear)
    }

    /// The same as [`subscribe`](Self::subscribe), for closures.
    pub fn on_event(&self, f: impl Fn(&CircuitBreaker, &Event) + Send + Sync + 'static) -> Subscription {
        self.subscribe(f)
    }

    pub(crate) fn listen_for_ever(&self, listener: Box<dyn Listener>) {
        self.0.adopt(&Listeners::ear(listener));
    }

    // ---- transitions --------------------------------------------------------------------------

    /// Runs a step of the machine under the lock, publishes what it did, then tells the listeners.
    ///
    /// The clock was read before the lock was taken, and others may have had it meanwhile: the step is given
    /// `now` or the moment of the last change, whichever is later, so that nothing is dated before what led
    /// to it (S26).
    pub(crate) fn transition<T>(&self, now: Tick, step: impl FnOnce(&mut Control, &mut Log, Tick) -> T) -> T {
        let mut log = Log::new();
        let mut control = lock(&self.0.control);
        let now = now.max(control.machine.since());
        let answer = step(&mut control, &mut log, now);
        if !log.is_empty() {
            self.0.commit(&mut control, &log, now);
        }
        drop(control);
        // Also without a change of our own: somebody's event may have come in between.
        self.0.drain_events(self);
        answer
    }

    /// Only the registry holds it: no clone, no permit.
    pub(crate) fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Inner {
    /// What is made when it is first needed.
    pub(crate) fn aside(&self) -> &Aside {
        self.aside.get_or_init(|| Box::new(Aside::new(Box::default())))
    }

    /// Who listens; none if nobody ever has.
    #[inline]
    pub(crate) fn listeners(&self) -> Option<&Listeners> {
        self.aside.get()?.listeners.get().map(|listeners| &**listeners)
    }

    /// Whether anybody wants to hear of every call.
    #[inline]
    pub(crate) fn want_calls(&self) -> bool {
        self.listeners().is_some_and(|listeners| listeners.want(Interest::CALLS))
    }

    pub(crate) fn enqueue(&self, event: Event) {
        if let Some(listeners) = self.listeners() {
            listeners.enqueue(event);
        }
    }

    pub(crate) fn drain_events(&self, breaker: &CircuitBreaker) {
        if let Some(listeners) = self.listeners() {
            listeners.drain(breaker);
        }
    }

    /// The user's own rules.
    pub(crate) fn custom(&self) -> &[CustomRule] {
        self.aside.get().map_or(&[], |aside| &aside.custom)
    }

    fn totals(&self, control: &Control) -> Totals {
        let (successes, failures, slow) = self.window.totals();
        let mut totals = Totals { successes, failures, slow, ..Totals::default() };
        self.window.add_timing_to(&mut totals);
        if let Some(aside) = self.aside.get() {
            aside.timing.add_to(&mut totals);
            aside.ledger.add_to(&mut totals);
        }
        if let Some(past) = control.past() {
            past.add_to(&mut totals);
        }
        totals
    }

    /// Where this thread adds up how long its calls took.
    #[inline]
    pub(crate) fn timing(&self) -> &Timing {
        self.window.timing().unwrap_or_else(|| &self.aside().timing)
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[inline]
    pub(crate) fn word(&self) -> &StateWord {
        &self.word
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        lock(&self.control)
    }

    pub(crate) fn count_panic(&self) {
        self.aside().ledger.panics.add(1);
    }

    /// Makes what the machine did visible: first what belongs to the visit, then the word.
    pub(crate) fn commit(&self, control: &mut Control, log: &[Entry], now: Tick) {
        for entry in log {
            match entry {
                Entry::Change(change) => self.note(control, change),
                Entry::Reset => {
                    let sequence = control.next_sequence();
                    self.enqueue(Event::Reset { sequence });
                }
                Entry::ConfigChanged => {
                    let sequence = control.next_sequence();
                    self.enqueue(Event::ConfigChanged { sequence });
                }
            }
        }
        let (epoch, state) = (control.machine.epoch(), control.machine.state());
        let word = self.word.load();
        if word.same_epoch(Word::new(epoch, state)) {
            return self.publish(control, word.generation());
        }
        let mut generation = word.generation();
        if matches!(state, State::Closed | State::MetricsOnly) {
            generation = self.window.begin(epoch, control.machine.config(), now);
        }
        let aside = self.aside();
        // Only an opening says this: while the word still says open, a rejection that reads it must find
        // the wait that is over, not one that has not begun.
        if state == State::Open {
            aside.set_opening(control.machine.deadline(), control.machine.wait(), control.machine.cause());
        }
        aside.ledger.end_visit();
        self.publish(control, generation);
        control.past_mut().begin_visit(aside.ledger.begin_visit());
    }

    fn note(&self, control: &mut Control, change: &Change) {
        let sequence = control.next_sequence();
        let opened = change.to == State::Open;
        if opened {
            control.past_mut().trips += 1;
        }
        let heard = self.listeners().is_some_and(|listeners| listeners.want(Interest::CHANGES));
        if !opened && !heard {
            return;
        }
        let told = StateChange {
            name: Arc::clone(&self.name),
            from: change.from,
            to: change.to,
            reasons: change.cause.reasons.iter().collect(),
            counts: change.counts,
            at: self.clock.wall(change.at),
            sequence,
        };
        if heard {
            self.enqueue(Event::StateChanged(told.clone()));
        }
        if opened {
            control.past_mut().last_trip = Some(told);
        }
    }

    fn publish(&self, control: &Control, generation: bool) {
        let machine = &control.machine;
        let config = machine.config();
        let timed = config.needs_timing() || self.want_calls();
        if timed {
            // Made here, so that no call makes it.
            self.aside();
        }
        let weighed = !self.custom().is_empty() || machine.state() == State::MetricsOnly;
        let word = Word::new(machine.epoch(), machine.state())
            .with_generation(generation)
            .with_timed(timed)
            .with_weighed(weighed)
            .with_clocked(config.needs_clock());
        self.word.publish(word);
    }

    /// Publishes the same state with the flags as they are now.
    pub(crate) fn republish(&self) {
        let control = lock(&self.control);
        self.publish(&control, self.word.load().generation());
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
