//! Transitions: a step of the machine under the transition lock, and what becomes visible of it.

use std::sync::Arc;

use super::{CircuitBreaker, Inner, Locked};
use crate::clock::Tick;
use crate::counts::share;
use crate::observe::{Event, Interest, StateChange};
use crate::state::{Change, Entry, Log};
use crate::sync::lock;
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Runs a step of the machine under the lock, publishes what it did, then tells the listeners.
    ///
    /// The clock was read before the lock was taken, and others may have had it meanwhile: the step is given
    /// `now` or the moment of the last change, whichever is later, so that nothing is dated before what led
    /// to it (S26).
    pub(crate) fn transition<T>(&self, now: Tick, step: impl FnOnce(&mut Locked, &mut Log, Tick) -> T) -> T {
        let mut log = Log::new();
        let mut locked = lock(&self.0.locked);
        let now = now.max(locked.machine.since());
        let answer = step(&mut locked, &mut log, now);
        if !log.is_empty() {
            self.0.commit(&mut locked, &log, now);
        }
        drop(locked);
        // Also without a change of our own: somebody's event may have come in between.
        self.0.drain_events(self);
        answer
    }
}

impl Inner {
    /// Makes what the machine did visible: first what belongs to the visit, then the word.
    pub(crate) fn commit(&self, locked: &mut Locked, log: &[Entry], now: Tick) {
        for entry in log {
            match entry {
                Entry::Change(change) => self.note(locked, change),
                Entry::Reset => {
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::Reset { sequence });
                }
                &Entry::Ramp { share_ppb, reason } => {
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::RampChanged { share: share(share_ppb), reason, sequence });
                }
                Entry::ConfigChanged => {
                    let sequence = locked.next_sequence();
                    self.enqueue(Event::ConfigChanged { sequence });
                }
            }
        }
        let (epoch, state) = (locked.machine.epoch(), locked.machine.state());
        let word = self.word.load();
        if word.same_epoch(Word::new(epoch, state)) {
            return self.publish(locked, word.generation());
        }
        let mut generation = word.generation();
        if matches!(state, State::Closed | State::MetricsOnly) {
            generation = self.window.begin(epoch, locked.machine.config(), now);
        }
        let cold = self.cold();
        // Only an opening says this: while the word still says open, a rejection that reads it must find
        // the wait that is over, not one that has not begun.
        if state == State::Open {
            cold.set_opening(locked.machine.deadline(), locked.machine.wait(), locked.machine.cause());
        }
        cold.ledger.end_visit();
        self.publish(locked, generation);
        locked.counters_mut().begin_visit(cold.ledger.begin_visit());
    }

    fn note(&self, locked: &mut Locked, change: &Change) {
        let sequence = locked.next_sequence();
        let opened = change.to == State::Open;
        if opened {
            locked.counters_mut().trips += 1;
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
            locked.counters_mut().last_trip = Some(told);
        }
    }

    fn publish(&self, locked: &Locked, generation: bool) {
        let machine = &locked.machine;
        let config = machine.config();
        let timed = config.needs_timing() || self.want_calls();
        if timed {
            // Made here, so that no call makes it.
            self.cold();
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
        let locked = lock(&self.locked);
        self.publish(&locked, self.word.load().generation());
    }
}
