use halfopen::adapter::Signal;
use halfopen::{
    CircuitBreaker, Counts, Event, Evidence, Interest, Listener, Rejected, Snapshot, State, StateChange,
    TripReason,
};
use tracing::{Level, debug, enabled, info, warn};

use crate::rejections::{Rejections, Summary};

/// The target of all events of this crate.
pub const TARGET: &str = "halfopen";

/// Emits `tracing` events for circuit breakers.
///
/// A listener can be subscribed to any number of breakers with different names. If it is subscribed twice to
/// the same breaker, it emits every event twice. The [crate documentation](crate) lists the events with
/// their levels and fields. It does not subscribe to calls, so it adds no cost to an admitted call. A
/// rejection pays for a check of whether `debug` is enabled and, if it is, for counting.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_tracing::TracingListener;
///
/// let breaker = CircuitBreaker::builder("payments").listener(TracingListener::new()).build();
/// breaker.trip();
/// // WARN halfopen: circuit breaker opened name="payments" from="closed" to="open" reasons="manual" ..
/// ```
#[derive(Debug, Default)]
pub struct TracingListener {
    rejections: Rejections,
}

impl TracingListener {
    /// Creates a listener.
    pub fn new() -> TracingListener {
        TracingListener::default()
    }

    fn rejected(&self, breaker: &CircuitBreaker, rejected: &Rejected) {
        // First, because this is called for every rejected call: without a subscriber it must not take the lock.
        if !enabled!(target: TARGET, Level::DEBUG) {
            return;
        }
        let told = self.rejections.add(breaker, rejected.reason().as_str(), breaker.now());
        if let Some(summary) = told {
            tell_rejections(breaker.name(), &summary);
        }
    }

    fn changed(&self, breaker: &CircuitBreaker, change: &StateChange) {
        // Rejections in the previous state are reported before the transition.
        if let Some(summary) = self.rejections.take(breaker, breaker.now()) {
            tell_rejections(breaker.name(), &summary);
        }
        match change.to {
            State::Open => tell_opening(breaker, change),
            _ => tell_change(change),
        }
    }
}

impl Listener for TracingListener {
    fn interest(&self) -> Interest {
        Interest::default() | Interest::WINDOW_ROLLS
    }

    fn on_signal(&self, breaker: &CircuitBreaker, signal: &Signal) {
        if let Signal::WindowRolled { counts } = signal {
            log_window_roll(breaker.name(), counts);
        }
    }

    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        let name = breaker.name();
        match event {
            Event::StateChanged(change) => self.changed(breaker, change),
            Event::Rejected(rejected) => self.rejected(breaker, rejected),
            Event::WouldTrip { reasons, counts, sequence } => {
                tell_would_trip(name, reasons, counts, *sequence);
            }
            Event::RampChanged { share, reason, sequence } => info!(
                target: TARGET,
                name,
                share,
                reason = reason.as_str(),
                sequence,
                "circuit breaker admits a growing share of the calls"
            ),
            Event::Degraded { share, sequence } => info!(
                target: TARGET,
                name,
                share,
                sequence,
                "circuit breaker stays closed at this share of bad calls"
            ),
            Event::Reset { sequence } => info!(target: TARGET, name, sequence, "circuit breaker reset"),
            Event::ConfigChanged { sequence } => {
                info!(target: TARGET, name, sequence, "circuit breaker configuration replaced");
            }
            Event::Overflowed { capacity } => warn!(
                target: TARGET,
                name,
                capacity,
                "circuit breaker registry is full: this name has a breaker outside of it"
            ),
            // The listener does not subscribe to calls. Events added by a later version are unknown.
            _ => {}
        }
    }
}

/// Emits an event with the counts of a window between the first and the last fields.
macro_rules! tell {
    ($level:ident, [$($first:ident = $is:expr),+], $counts:expr, [$($last:ident = $then:expr),*], $($words:tt)+) => {
        $level!(
            target: TARGET,
            $($first = $is,)+
            calls = $counts.calls,
            failures = $counts.failures,
            slow = $counts.slow,
            consecutive_failures = $counts.consecutive_failures,
            failure_rate = $counts.failure_rate(),
            $($last = $then,)*
            $($words)+
        )
    };
}

fn log_window_roll(name: &str, counts: &Counts) {
    tell!(debug, [name = name], counts, [], "circuit breaker window rolled");
}

fn tell_opening(breaker: &CircuitBreaker, change: &StateChange) {
    if let Some(evidence) = &change.adaptive {
        return tell_opening_by_evidence(change, evidence);
    }
    let StateChange { name, from, to, counts, sequence, .. } = change;
    // The event does not have the wait. The snapshot does, if the breaker has not moved on since.
    let now = Some(breaker.snapshot()).filter(|now| is_of(change, now));
    tell!(
        warn,
        [name = &**name, from = from.as_str(), to = to.as_str(), reasons = &*change.why()],
        counts,
        [
            wait_seconds = now.as_ref().map(|now| now.open_duration.as_secs_f64()),
            hint_seconds = now.as_ref().and_then(|now| now.hint).map(|hint| hint.as_secs_f64()),
            sequence = sequence
        ],
        "circuit breaker opened"
    );
}

/// An adaptive breaker has no wait, but the evidence that led to the opening.
fn tell_opening_by_evidence(change: &StateChange, evidence: &Evidence) {
    let StateChange { name, from, to, counts, sequence, .. } = change;
    tell!(
        warn,
        [name = &**name, from = from.as_str(), to = to.as_str(), reasons = &*change.why()],
        counts,
        [
            normal = evidence.normal,
            down = evidence.down,
            likeliest = evidence.likeliest,
            worth = evidence.worth,
            bad_in_doubt = evidence.bad,
            slow_in_doubt = evidence.slow,
            calls_in_doubt = evidence.calls,
            p95_seconds = evidence.p95.map(|p95| p95.as_secs_f64()),
            slow_limit_seconds = evidence.slow_limit.map(|limit| limit.as_secs_f64()),
            next_probe_seconds = evidence.next_probe.map(|gap| gap.as_secs_f64()),
            relapses = evidence.relapses,
            sequence = sequence
        ],
        "circuit breaker opened"
    );
}

fn tell_change(change: &StateChange) {
    let StateChange { name, from, to, counts, sequence, .. } = change;
    tell!(
        info,
        [name = &**name, from = from.as_str(), to = to.as_str(), reasons = &*change.why()],
        counts,
        [sequence = sequence],
        "circuit breaker is {to}"
    );
}

fn tell_would_trip(name: &str, reasons: &[TripReason], counts: &Counts, sequence: u64) {
    let reasons: Vec<_> = reasons.iter().map(|reason| reason.as_str()).collect();
    tell!(
        info,
        [name = name, reasons = reasons.join("+")],
        counts,
        [sequence = sequence],
        "circuit breaker would have opened"
    );
}

fn tell_rejections(name: &str, summary: &Summary) {
    debug!(
        target: TARGET,
        name,
        rejected = summary.count,
        over_seconds = summary.over.as_secs_f64(),
        reason = summary.reason,
        "circuit breaker rejected calls"
    );
}

/// Returns `true` if the breaker is still in the open state that this transition began.
fn is_of(change: &StateChange, now: &Snapshot) -> bool {
    let is_it = |last: &StateChange| last.sequence == change.sequence;
    now.state == State::Open && now.last_trip.as_ref().is_some_and(is_it)
}
