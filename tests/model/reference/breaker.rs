//! The state of the breaker, and its transitions, which all other parts make through this module.

use std::collections::{BTreeMap, BTreeSet};

use super::jitter::Waits;
use super::memory::Memory;
use super::settings::{HalfOpen, Settings};
use super::words::{Change, Counts, Nanos, Queued, Reason, State, Told, Totals, in_order};

#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    pub(super) settings: Settings,
    pub(super) custom: Option<fn(&Counts) -> bool>,
    /// Whether a listener subscribes to every call: then every call is timed.
    pub(super) watched: bool,
    pub(super) now: Nanos,
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    pub(super) since: Nanos,
    /// Openings that are not forgotten (S20).
    pub(super) openings: u32,
    pub(super) waits: Waits,
    pub(super) rejected: u64,
    pub(super) totals: Totals,
    pub(super) last_trip: Option<Change>,
    pub(super) queued: Vec<Queued>,
    /// The sequence of the next event that is taken from the queue.
    sequence: u64,
    pub(super) told: Vec<Told>,
    /// Probes that ended without a verdict.
    pub(super) slots_back: usize,
    pub(super) next_probe: u64,
    /// The calls in flight of this visit (S32).
    pub(super) ring: Option<Ring>,
    rings: u64,
}

/// S32: the admission times of the calls in flight that count.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    number: u64,
    limit: Nanos,
    entered: BTreeMap<u64, Nanos>,
    next: u64,
}

impl Ring {
    /// S32: a bucket is overdue when the last call that it could contain is overdue.
    fn overdue(&self, now: Nanos) -> u64 {
        let width = self.limit.div_ceil(8).max(1_000);
        let due = |entered: &Nanos| (entered / width + 1) * width + self.limit <= now;
        self.entered.values().filter(|entered| due(entered)).count() as u64
    }
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Closed(Memory),
    Open {
        deadline: Nanos,
        wait: Nanos,
        counts: Counts,
    },
    HalfOpen(Visit),
    ForcedOpen,
    /// `by_rule`: disabled by a configuration, and not overridden by the operator since.
    Disabled {
        by_rule: bool,
    },
    /// `holding`: a rule held at the last recorded outcome.
    MetricsOnly {
        memory: Memory,
        holding: bool,
    },
}

/// One visit to half-open, decided by the settings with which it started (S30).
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) policy: HalfOpen,
    pub(super) slow_threshold: Option<f64>,
    /// The admission time of each probe in flight.
    pub(super) probes: BTreeMap<u64, Nanos>,
    pub(super) counts: Counts,
    /// The counts of the verdict in progress.
    pub(super) round: Counts,
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) ramp: Option<Ramp>,
}

/// S31: a ramp in progress. Shares are in parts per billion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    pub(super) began: Nanos,
    /// The credit earned by the attempts so far.
    pub(super) credit: u128,
}

pub(super) const WHOLE: u128 = 1_000_000_000;

impl Visit {
    /// S31: a tenth at first, and all at the end of the ramp; without a ramp only the probes.
    pub(super) fn share(&self, now: Nanos) -> u128 {
        let Some(ramp) = &self.ramp else { return 0 };
        let (elapsed, length) = (u128::from(now.saturating_sub(ramp.began)), u128::from(self.policy.ramp));
        if elapsed >= length { WHOLE } else { WHOLE / 10 + (WHOLE - WHOLE / 10) * elapsed / length }
    }

    /// S31: the first time at which the share admits the next call, found by bisection.
    pub(super) fn admits_at(&self) -> Option<Nanos> {
        let ramp = self.ramp.as_ref()?;
        let admits = |elapsed: Nanos| ramp.credit + self.share(ramp.began + elapsed) >= WHOLE;
        let (mut low, mut high) = (0, self.policy.ramp);
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if admits(middle) { (low, middle) } else { (middle + 1, high) };
        }
        Some(ramp.began + high)
    }
}

/// S3: a permit carries the epoch in which it was issued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit {
    pub(super) epoch: u64,
    pub(super) probe: Option<u64>,
    pub(super) acquired: Option<Nanos>,
    /// The ring that contains the call, and its index there.
    pub(super) filed: Option<(u64, u64)>,
}

impl Permit {
    pub(crate) fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The time since it was issued, if anything needs it.
    pub(crate) fn age(&self, now: Nanos) -> Option<Nanos> {
        self.acquired.map(|acquired| now.saturating_sub(acquired))
    }
}

/// How long an opening lasts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    Usual,
    /// S21: never shorter than the usual wait.
    Hinted(Nanos),
    Fixed(Nanos),
}

impl Breaker {
    pub(crate) fn new(settings: Settings, custom: Option<fn(&Counts) -> bool>, watched: bool) -> Self {
        let phase = Phase::Closed(Memory::new(settings.window, 0));
        let mut breaker = Self {
            settings,
            custom,
            watched,
            now: 0,
            epoch: 0,
            phase,
            since: 0,
            openings: 0,
            waits: Waits::default(),
            rejected: 0,
            totals: Totals::default(),
            last_trip: None,
            queued: Vec::new(),
            sequence: 1,
            told: Vec::new(),
            slots_back: 0,
            next_probe: 0,
            ring: None,
            rings: 0,
        };
        breaker.provide_ring();
        breaker
    }

    /// S32: calls of this visit are filed by the limit of the rule; those with another limit are not.
    pub(super) fn provide_ring(&mut self) {
        let counts = matches!(self.phase, Phase::Closed(_) | Phase::MetricsOnly { .. });
        let Some(limit) = self.settings.overdue_after().filter(|_| counts) else { return };
        if self.ring.as_ref().is_none_or(|ring| ring.limit != limit) {
            self.rings += 1;
            self.ring = Some(Ring { number: self.rings, limit, entered: BTreeMap::new(), next: 0 });
        }
    }

    /// Files a call that is admitted now, if calls in flight count.
    pub(super) fn file(&mut self) -> Option<(u64, u64)> {
        let counts = matches!(self.phase, Phase::Closed(_) | Phase::MetricsOnly { .. });
        if !counts || self.settings.overdue_after().is_none() {
            return None;
        }
        let (now, ring) = (self.now, self.ring.as_mut()?);
        ring.entered.insert(ring.next, now);
        ring.next += 1;
        Some((ring.number, ring.next - 1))
    }

    pub(super) fn leave(&mut self, filed: Option<(u64, u64)>) {
        let ring = self.ring.as_mut().filter(|ring| filed.is_some_and(|(number, _)| number == ring.number));
        if let (Some((_, place)), Some(ring)) = (filed, ring) {
            ring.entered.remove(&place);
        }
    }

    /// S32: the calls in flight that are overdue, if they count.
    pub(super) fn overdue(&self) -> u64 {
        let counts = self.settings.overdue_after().is_some();
        self.ring.as_ref().filter(|_| counts).map_or(0, |ring| ring.overdue(self.now))
    }

    /// The time of the clock, which may be earlier than the previous one (S26: differences saturate at zero).
    pub(crate) fn time_is(&mut self, now: Nanos) {
        self.now = now;
    }

    /// S26: the time of a transition, no earlier than the previous one.
    pub(super) fn moment(&self) -> Nanos {
        self.now.max(self.since)
    }

    /// The queued events since the last call, and the sequence of the first of them.
    pub(crate) fn take_queued(&mut self) -> (u64, Vec<Queued>) {
        let queued = std::mem::take(&mut self.queued);
        let first = self.sequence;
        self.sequence += queued.len() as u64;
        (first, queued)
    }

    pub(crate) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    pub(crate) fn take_slots_back(&mut self) -> usize {
        std::mem::take(&mut self.slots_back)
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::Disabled { .. } => State::Disabled,
            Phase::MetricsOnly { .. } => State::MetricsOnly,
        }
    }

    /// The counts of the current phase.
    pub(super) fn counts(&self) -> Counts {
        match &self.phase {
            Phase::Closed(memory) | Phase::MetricsOnly { memory, .. } => {
                Counts { overdue: self.overdue(), ..memory.counts(self.now) }
            }
            Phase::Open { counts, .. } => *counts,
            Phase::HalfOpen(visit) => visit.counts,
            Phase::ForcedOpen | Phase::Disabled { .. } => Counts::default(),
        }
    }

    /// S3: every transition starts a new epoch. S28: it reports from, to, the reasons and the counts that led
    /// to it.
    pub(super) fn change(&mut self, phase: Phase, reasons: &BTreeSet<Reason>, counts: Counts, at: Nanos) {
        let from = self.state();
        self.phase = phase;
        self.since = at;
        self.epoch += 1;
        self.ring = None;
        self.provide_ring();
        self.rejected = 0;
        let change = Change { from, to: self.state(), reasons: in_order(reasons), counts, at };
        if change.to == State::Open {
            self.totals.trips += 1;
            self.last_trip = Some(change.clone());
        }
        self.queued.push(Queued::Changed(change));
    }

    /// S20: the openings before the next one that are not forgotten at `at`.
    pub(super) fn remembered(&self, at: Nanos) -> u32 {
        match (&self.phase, self.settings.forget_after) {
            (Phase::Closed(_), Some(period)) => {
                let periods = at.saturating_sub(self.since) / period;
                self.openings.saturating_sub(periods.try_into().unwrap_or(u32::MAX))
            }
            _ => self.openings,
        }
    }

    pub(super) fn open(&mut self, at: Nanos, reasons: &BTreeSet<Reason>, wait: Wait) {
        let before = self.remembered(at);
        let usual = || self.waits.of(self.epoch + 1, self.settings.waits(before));
        let wait = match wait {
            Wait::Usual => usual(),
            Wait::Hinted(hint) => usual().max(hint.min(self.settings.hint_max)),
            Wait::Fixed(wait) => wait,
        };
        let counts = self.counts();
        self.openings = before.saturating_add(1);
        self.change(Phase::Open { deadline: end_of_wait(at, wait), wait, counts }, reasons, counts, at);
    }

    /// Closes the breaker after a visit: S17, S20.
    pub(super) fn close(&mut self) {
        if self.settings.forget_after.is_none() {
            self.openings = 0;
        }
        let counts = self.counts();
        self.change(
            Phase::Closed(Memory::new(self.settings.window, self.moment())),
            &BTreeSet::new(),
            counts,
            self.moment(),
        );
    }

    /// S24: the next admission or outcome makes the transitions that an overdue probe caused: the reopening,
    /// and the half-open after it if that wait is over as well.
    pub(super) fn catch_up(&mut self) {
        let before = self.epoch;
        self.settle_timeout();
        if self.epoch != before {
            self.settle_wait();
        }
    }

    /// S24: the reopening has the time at which the first probe timed out.
    fn settle_timeout(&mut self) {
        let Phase::HalfOpen(visit) = &self.phase else { return };
        let Some(oldest) = visit.probes.values().min() else { return };
        let due = oldest.saturating_add(visit.policy.probe_timeout);
        if self.moment() >= due {
            self.open(due, &BTreeSet::from([Reason::ProbeTimedOut]), Wait::Usual);
        }
    }

    /// S18: the transition that the first admission after the wait makes. Its time is the deadline, which
    /// readers have observed already.
    pub(super) fn settle_wait(&mut self) {
        let Phase::Open { deadline, .. } = self.phase else { return };
        if self.moment() < deadline {
            return;
        }
        let counts = self.counts();
        let visit = Visit {
            policy: self.settings.half_open,
            slow_threshold: self.settings.slow_rule().map(|(threshold, _)| threshold),
            probes: BTreeMap::new(),
            counts: Counts::default(),
            round: Counts::default(),
            passed: 0,
            failed: 0,
            ramp: None,
        };
        self.change(Phase::HalfOpen(visit), &BTreeSet::new(), counts, deadline);
    }
}

/// S26: the end of a wait is a time that the clock can represent.
fn end_of_wait(at: Nanos, wait: Nanos) -> Nanos {
    at.saturating_add(wait).min(Nanos::MAX - 1)
}
