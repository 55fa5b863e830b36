//! Transitions: a step of the machine under the transition lock, and its publication.

use std::sync::Arc;

use super::observation::evidence;
use super::{CircuitBreaker, Inner, Locked};
use crate::clock::Tick;
use crate::counts::share;
use crate::observe::{Event, Interest, StateChange};
use crate::state::{Change, Entry, Log, Machine};
use crate::sync::{MutexGuard, lock, try_lock};
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Runs a step of the machine under the lock, publishes its result, then notifies the listeners.
    ///
    /// The clock was read before the lock was taken, and another thread may have made a transition in between. The
    /// step receives `now` or the time of the last change, whichever is later, so that no change is dated before
    /// the one that led to it (S26).
    pub(crate) fn transition<T>(&self, now: Tick, step: impl FnOnce(&mut Locked, &mut Log, Tick) -> T) -> T {
        let answer = self.step(lock(&self.0.locked), now, step);
        self.after_transition(now);
        answer
    }

    /// Like [`transition`](Self::transition), or returns [`None`] if another thread holds the lock.
    pub(super) fn try_transition<T>(
        &self,
        now: Tick,
        step: impl FnOnce(&mut Locked, &mut Log, Tick) -> T,
    ) -> Option<T> {
        let answer = self.step(try_lock(&self.0.locked)?, now, step);
        self.after_transition(now);
        Some(answer)
    }

    pub(super) fn step<T>(
        &self,
        mut locked: MutexGuard<'_, Locked>,
        now: Tick,
        step: impl FnOnce(&mut Locked, &mut Log, Tick) -> T,
    ) -> T {
        let mut log = Log::new();
        let now = now.max(locked.machine.since());
        let answer = step(&mut locked, &mut log, now);
        // By the first call of an adaptive breaker.
        let allocated = locked.machine.traffic().is_some() && self.0.traffic().is_none();
        if !log.is_empty() {
            self.0.commit(&mut locked, &log, now);
        } else if allocated || self.0.word.load().doubted() != is_doubted(&locked.machine) {
            self.0.publish(&locked);
        }
        answer
    }

    /// Delivers the events and weighs the outcomes that other threads have left, once the lock is released.
    fn after_transition(&self, now: Tick) {
        // Also if this step changed nothing: another thread may have enqueued an event and left it to the drainer.
        self.0.drain_events(self);
        if let Some(traffic) = self.0.traffic() {
            self.weigh_pending(traffic, now);
        }
    }
}

/// Returns whether the evidence of this machine doubts, in a state that admits calls without the lock.
fn is_doubted(machine: &Machine) -> bool {
    machine.hears() && machine.state().is_unlocked() && machine.is_in_doubt()
}

impl Inner {
    /// Publishes the changes of the machine: first the data of the new visit, then the word that makes it visible.
    pub(crate) fn commit(&self, locked: &mut Locked, log: &[Entry], now: Tick) {
        for entry in log {
            match entry {
                Entry::Change(change) => self.note(locked, change),
                Entry::WouldTrip { cause, counts } => {
                    locked.counters_mut().would_trip += 1;
                    let sequence = locked.next_sequence();
                    let reasons = cause.reasons.iter().collect();
                    self.enqueue(Event::WouldTrip { reasons, counts: *counts, sequence });
                }
                Entry::Reset => {
                    // Numbered under the lock, in the order of the changes; listeners are notified without it, and
                    // can order events by the number.
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::Reset { sequence });
                }
                &Entry::Ramp { share_ppb, reason } => {
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::RampChanged { share: share(share_ppb), reason, sequence });
                }
                &Entry::Degraded { share_ppb } => {
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::Degraded { share: share(share_ppb), sequence });
                }
                Entry::ConfigChanged => {
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::ConfigChanged { sequence });
                }
            }
        }
        let (epoch, state) = (locked.machine.epoch(), locked.machine.state());
        // No change of state: the flags may have changed, with the configuration or the doubt, and a ramp of an adaptive
        // breaker has an epoch of its own (A8). The rejections go on.
        if !log.iter().any(|entry| matches!(entry, Entry::Change(_))) {
            return self.publish(locked);
        }
        // The window restarts before the word names the new epoch, so that an outcome of the new visit never finds the
        // samples of an earlier one.
        if matches!(state, State::Closed | State::MetricsOnly) {
            self.window.begin(epoch, locked.machine.config(), now);
        }
        let cold = self.cold();
        // Only for an opening: while the word is still `Open`, a concurrent rejection must find the wait that is
        // over, not one that has not begun.
        if state == State::Open {
            cold.set_opening(locked.machine.deadline(), locked.machine.wait(), locked.machine.cause());
        }
        // Until `begin_visit`, a rejection without the lock cannot be counted: it could belong to either visit.
        cold.ledger.rejections.end_visit();
        self.publish(locked);
        locked.counters_mut().begin_visit(cold.ledger.rejections.begin_visit());
    }

    /// Counts a change, and reports it if a listener is interested.
    fn note(&self, locked: &mut Locked, change: &Change) {
        let sequence = locked.next_sequence();
        let opened = change.to == State::Open;
        if opened {
            locked.counters_mut().trips += 1;
        }
        let heard = self.listeners().is_some_and(|listeners| listeners.want(Interest::CHANGES));
        // The change is allocated only if it is needed: for a listener, or as the last trip of a snapshot.
        if !opened && !heard {
            return;
        }
        let known = locked.machine.known(change.at).map(|known| evidence(&known, change.at));
        let reported = StateChange {
            name: Arc::clone(&self.name),
            from: change.from,
            to: change.to,
            reasons: change.cause.reasons.iter().collect(),
            counts: change.counts,
            at: self.clock.wall(change.at),
            sequence,
            adaptive: known.map(Arc::new),
        };
        if heard {
            self.enqueue(Event::StateChanged(reported.clone()));
        }
        if opened {
            locked.counters_mut().last_trip = Some(reported);
        }
    }

    fn publish(&self, locked: &Locked) {
        let machine = &locked.machine;
        let config = machine.config();
        // A listener of calls gets their durations, so the flag changes with the listeners as well as with the
        // configuration.
        let timed = config.needs_timing() || self.want_calls();
        if timed {
            // Allocated here, so that no call on the fast path has to.
            self.cold();
        }
        // Only in the two states whose window a rule about calls in flight can look at. Probes are counted by their
        // slots.
        let turn = match (machine.state(), config.overdue_after_nanos()) {
            (State::Closed | State::MetricsOnly, Some(limit)) => {
                self.cold().file_in_flight(machine.epoch(), limit)
            }
            (State::Closed | State::MetricsOnly, None)
            | (State::Open | State::HalfOpen | State::ForcedOpen | State::Disabled, _) => 0,
        };
        let by_evidence = machine.hears();
        if let (true, Some(traffic)) = (by_evidence, machine.traffic()) {
            self.cold().traffic.get_or_init(|| Arc::clone(traffic));
        }
        // A rule of the user's may look at anything, so no success can be left out. Metrics-only must also learn
        // that a rule no longer holds.
        let watches = machine.state() == State::MetricsOnly && !by_evidence;
        let word = Word::new(machine.epoch(), machine.state())
            .with_timed(timed)
            .with_evaluated(!self.custom().is_empty() || watches)
            .with_clocked(config.needs_clock())
            .with_doubted(is_doubted(machine))
            .with_turn(turn)
            .with_shadowed(self.is_shadowed());
        let word = if by_evidence { word.with_evidence() } else { word };
        self.word.publish(word);
    }

    /// Publishes the same state with up-to-date flags, after the listeners or their interests have changed.
    pub(crate) fn republish(&self) {
        let locked = lock(&self.locked);
        self.publish(&locked);
    }
}
