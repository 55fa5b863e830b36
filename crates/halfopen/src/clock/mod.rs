use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

mod system;
mod timer;

pub(crate) use timer::Alarm;

use timer::Tasks;

// The atomics of std even under loom: the clock is an input of the models, not a part of them.
use std::sync::atomic::{AtomicU64, Ordering};

/// An instant of one breaker's clock: nanoseconds since the start of the clock, up to 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

impl Tick {
    /// An instant that is never reached.
    pub(crate) const NEVER: Tick = Tick(u64::MAX);

    /// Returns the nanoseconds from `earlier` to this instant, or zero if the clock has stepped back.
    pub(crate) fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the instant of a clock that reads `nanos`, clamped below [`NEVER`](Self::NEVER).
    fn of(nanos: u64) -> Tick {
        Tick(nanos.min(Tick::NEVER.0 - 1))
    }

    pub(crate) fn after(self, nanos: u64) -> Tick {
        Tick(self.0.saturating_add(nanos))
    }

    /// Returns the end of a wait that begins now, clamped to the last instant of the clock, so that a wait which begins
    /// late in the clock's 584 years ends as well.
    pub(crate) fn end_of_wait(self, nanos: u64) -> Tick {
        Tick::of(self.0.saturating_add(nanos))
    }
}

/// Returns the nanoseconds of a duration, clamped to the range of a [`Tick`].
pub(crate) fn nanos(duration: Duration) -> u64 {
    // Avoids the 128-bit arithmetic of `as_nanos`, because every timed call comes here.
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(duration.subsec_nanos().into())
}

/// The source of a breaker's time: one monotonic clock for all its decisions.
///
/// # Examples
///
/// A test advances a manual clock instead of waiting (feature `test-util`):
///
#[cfg_attr(feature = "test-util", doc = "```")]
#[cfg_attr(not(feature = "test-util"), doc = "```ignore")]
/// use halfopen::{CircuitBreaker, Clock};
/// use std::time::Duration;
///
/// let (clock, hands) = Clock::manual();
/// let breaker = CircuitBreaker::builder("payments").clock(clock).build();
/// breaker.open_for(Duration::from_secs(30));
/// assert!(breaker.is_open());
///
/// hands.advance(Duration::from_secs(30));
/// assert!(breaker.is_half_open());
/// ```
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    #[cfg_attr(not(feature = "test-util"), expect(dead_code, reason = "only tests make one"))]
    Manual(Arc<Hands>),
    Custom(Arc<dyn Fn() -> u64 + Send + Sync>),
}

#[derive(Debug)]
struct Hands {
    nanos: AtomicU64,
    started: SystemTime,
    tasks: Arc<Tasks>,
    /// How far lagging readings are behind; without one there are none.
    #[cfg(test)]
    lag: std::sync::OnceLock<u64>,
}

/// The longest lag for which decisions by a lagging reading are those of the precise clock, in nanoseconds.
///
/// The kernel advances its coarse clock at each timer interrupt, every 1 to 10 ms. A virtual machine that gets no time for
/// longer than this while another of its processors runs may count a success in the bucket that has just ended, or reject a
/// call that much after the end of a wait.
pub(crate) const LONGEST_LAG: u64 = 50_000_000;

#[cfg(test)]
impl Hands {
    fn lagging(&self) -> Option<Tick> {
        let lag = *self.lag.get()?;
        Some(Tick::of(self.nanos.load(Ordering::Acquire).saturating_sub(lag)))
    }
}

impl Clock {
    /// Returns the monotonic clock of the operating system.
    ///
    /// Linux and Android have a second one that is read in a fraction of the time and lags by a few milliseconds. A
    /// breaker reads that one first, and the precise one only if the answer could differ: near the end of a bucket or a
    /// wait. The [`retry_after`](crate::Rejected::retry_after) of a rejection can be too long by the lag.
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// Creates a clock that reads its time from a function, which returns the time since an arbitrary start.
    ///
    /// Intended for the clock of a runtime or a simulation. The function is called on the path of calls, so it must
    /// be fast. A step back counts as no time elapsed. The timestamps of events remain wall time.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, Clock};
    /// use std::time::{Duration, Instant};
    ///
    /// let started = Instant::now();
    /// let clock = Clock::from_fn(move || started.elapsed());
    /// let breaker = CircuitBreaker::builder("payments").clock(clock).build();
    /// breaker.open_for(Duration::ZERO);
    /// assert!(breaker.is_half_open());
    /// ```
    pub fn from_fn(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Clock {
        Clock::from_nanos(move || nanos(elapsed()))
    }

    /// The same as [`from_fn`](Self::from_fn) for a function that returns nanoseconds, as the clocks do that are read
    /// in a few of them: a [`Duration`] costs a division and a multiplication per call.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Clock;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let cycles = Arc::new(AtomicU64::new(30));
    /// let read = Arc::clone(&cycles);
    /// let clock = Clock::from_nanos(move || read.load(Ordering::Relaxed) / 3);
    /// assert_eq!(clock.elapsed_nanos(), 10);
    /// ```
    pub fn from_nanos(elapsed: impl Fn() -> u64 + Send + Sync + 'static) -> Clock {
        Clock(Source::Custom(Arc::new(elapsed)))
    }

    /// Creates a clock that stands still until its [`ManualClock`] advances it.
    #[cfg(feature = "test-util")]
    pub fn manual() -> (Clock, ManualClock) {
        let hands = Arc::new(Hands {
            nanos: AtomicU64::new(0),
            started: system_wall(),
            tasks: Arc::default(),
            #[cfg(test)]
            lag: std::sync::OnceLock::new(),
        });
        (Clock(Source::Manual(Arc::clone(&hands))), ManualClock(hands))
    }

    /// Returns the time that has passed since the start of this clock.
    ///
    /// Intended for limits and checks that must follow the same clock as the breakers next to them.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Clock;
    ///
    /// let clock = Clock::system();
    /// let earlier = clock.elapsed();
    /// assert!(clock.elapsed() >= earlier);
    /// ```
    #[inline]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now().0)
    }

    /// Returns the nanoseconds that have passed since the start of this clock, up to 584 years.
    #[inline]
    pub fn elapsed_nanos(&self) -> u64 {
        self.now().0
    }

    /// Wakes a task after `time`, or earlier: the task must read the clock again.
    pub(crate) fn wake_in(&self, time: Duration, waker: &Waker) -> Alarm {
        match &self.0 {
            Source::System => Alarm::after(time, waker),
            Source::Manual(hands) => Alarm::on_change(&hands.tasks, waker),
            // Such a clock may stand still while real time passes; the minimum keeps the task from spinning.
            Source::Custom(_) => Alarm::after(time.max(Duration::from_millis(1)), waker),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Tick {
        match &self.0 {
            Source::System => system::now(),
            // Acquire, paired with the Release in `advance` and `set`: a thread that reads the new time sees what
            // the test did before it.
            Source::Manual(hands) => Tick::of(hands.nanos.load(Ordering::Acquire)),
            Source::Custom(elapsed) => Tick::of(elapsed()),
        }
    }

    /// Returns an earlier reading of this clock if that suffices to know that `limit` is not reached.
    ///
    /// If it returns [`None`], the answer takes a precise reading.
    #[inline]
    pub(crate) fn lagging_before(&self, limit: Tick) -> Option<Tick> {
        self.lagging().filter(|lagging| lagging.after(LONGEST_LAG) < limit)
    }

    /// Returns a reading that is behind the clock by up to [`LONGEST_LAG`], if there is one that is faster to get.
    #[inline]
    pub(crate) fn lagging(&self) -> Option<Tick> {
        match &self.0 {
            Source::System => system::lagging(),
            #[cfg(test)]
            Source::Manual(hands) => hands.lagging(),
            #[cfg(not(test))]
            Source::Manual(_) => None,
            Source::Custom(_) => None,
        }
    }

    /// Returns the wall time at `tick`, for the timestamps of events; no decision depends on it.
    pub(crate) fn wall(&self, tick: Tick) -> SystemTime {
        match &self.0 {
            // A transition can be dated earlier than now, so its age is subtracted from the present wall time.
            Source::System | Source::Custom(_) => {
                let (now, wall) = read_together(|| self.now(), system_wall);
                let ago = Duration::from_nanos(now.since(tick));
                wall.checked_sub(ago).unwrap_or(wall)
            }
            Source::Manual(hands) => {
                hands.started.checked_add(Duration::from_nanos(tick.0)).unwrap_or(hands.started)
            }
        }
    }
}

/// Reads two clocks within 50 microseconds of each other.
///
/// A thread that is preempted between the two readings would date an event later than those that follow it, so it
/// reads again. If it is preempted each time, the closest pair is used.
fn read_together<T>(tick: impl Fn() -> Tick, other: impl Fn() -> T) -> (Tick, T) {
    const CLOSE: u64 = 50_000;
    const ATTEMPTS: usize = 8;
    let read = || {
        let before = tick();
        let other = other();
        (tick().since(before), before, other)
    };
    let mut closest = read();
    for _ in 1..ATTEMPTS {
        if closest.0 <= CLOSE {
            break;
        }
        let again = read();
        if again.0 < closest.0 {
            closest = again;
        }
    }
    (closest.1, closest.2)
}

fn system_wall() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    SystemTime::now()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::System => f.write_str("Clock::system()"),
            Source::Manual(hands) => write!(f, "Clock::manual() at {:?}", now_of(hands)),
            Source::Custom(_) => f.write_str("Clock::from_fn(..)"),
        }
    }
}

fn now_of(hands: &Hands) -> Duration {
    // Acquire, paired as in `Clock::now`.
    Duration::from_nanos(hands.nanos.load(Ordering::Acquire))
}

/// Controls a manual [`Clock`]: every breaker with that clock sees the time that is set here.
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[cfg(feature = "test-util")]
impl ManualClock {
    /// Advances the clock, up to its maximum of 584 years.
    pub fn advance(&self, by: Duration) {
        let step = nanos(by);
        // AcqRel, paired with the Acquire load in `Clock::now`.
        let _ = self
            .0
            .nanos
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| Some(now.saturating_add(step)));
        self.0.tasks.wake_all();
    }

    /// Sets the time since the start of the clock.
    ///
    /// The clock may step back; a breaker treats that as no time elapsed.
    pub fn set(&self, since_start: Duration) {
        // Release, paired with the Acquire load in `Clock::now`.
        self.0.nanos.store(nanos(since_start), Ordering::Release);
        self.0.tasks.wake_all();
    }

    /// Returns the time since the start of the clock.
    pub fn now(&self) -> Duration {
        now_of(&self.0)
    }

    /// Lets the clock have lagging readings, `by` behind the precise ones.
    #[cfg(test)]
    pub(crate) fn lag(&self, by: Duration) {
        self.0.lag.set(nanos(by)).expect("the lag is set once");
    }
}

/// The instant at which a call ends. The clock is read once, the first time that the instant is needed.
pub(crate) struct Moment<'a> {
    clock: &'a Clock,
    tick: Cell<Option<Tick>>,
    rolled: Cell<bool>,
}

impl<'a> Moment<'a> {
    #[inline]
    pub(crate) fn of(clock: &'a Clock) -> Moment<'a> {
        Moment { clock, tick: Cell::new(None), rolled: Cell::new(false) }
    }

    pub(crate) fn at(clock: &'a Clock, now: Tick) -> Moment<'a> {
        Moment { clock, tick: Cell::new(Some(now)), rolled: Cell::new(false) }
    }

    #[inline]
    pub(crate) fn get(&self) -> Tick {
        match self.tick.get() {
            Some(tick) => tick,
            None => {
                let now = self.clock.now();
                self.tick.set(Some(now));
                now
            }
        }
    }

    /// Returns whether the instant is before `limit`, by a lagging reading if that suffices.
    #[inline]
    pub(crate) fn is_before(&self, limit: Tick) -> bool {
        match self.tick.get() {
            Some(tick) => tick < limit,
            None => self.clock.lagging_before(limit).is_some() || self.get() < limit,
        }
    }

    /// Returns the instant or, if both are before `limit`, perhaps one a little earlier.
    #[inline]
    pub(crate) fn before_or_now(&self, limit: Tick) -> Tick {
        match self.tick.get() {
            Some(tick) => tick,
            None => self.clock.lagging_before(limit).unwrap_or_else(|| self.get()),
        }
    }

    /// Notes that a window has rolled to this instant.
    pub(crate) fn note_roll(&self) {
        self.rolled.set(true);
    }

    pub(crate) fn has_rolled(&self) -> bool {
        self.rolled.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a clock that advances by a microsecond with each reading, and by these pauses before every other one.
    fn paired(pauses: &[u64]) -> (Tick, u64) {
        let (now, readings) = (Cell::new(0), Cell::new(0));
        let read = || {
            now.set(now.get() + 1_000);
            now.get()
        };
        let other = || {
            now.set(now.get() + pauses.get(readings.get()).copied().unwrap_or(0));
            readings.set(readings.get() + 1);
            read()
        };
        read_together(|| Tick(read()), other)
    }

    #[test]
    fn a_pause_between_two_clocks_is_not_dated() {
        for pauses in
            [&[][..], &[3_000_000], &[3_000_000, 5_000_000], &[9_000_000, 60_000, 9_000_000, 70_000]]
        {
            let (tick, other) = paired(pauses);
            assert!(other - tick.0 <= 50_000, "{} ns apart after {pauses:?}", other - tick.0);
        }
        let (tick, other) = paired(&[900_000, 800_000, 700_000, 600_000, 500_000, 400_000, 300_000, 200_000]);
        assert_eq!(other - tick.0, 201_000, "the closest pair of a machine that always pauses");
    }
}
