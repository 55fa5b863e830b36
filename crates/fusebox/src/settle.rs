//! What becomes of a permit: the one way out, as admission is the one way in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::clock::Tick;
use crate::config::Abandoned;
use crate::permit::{Ending, Ticket};
use crate::policy::trip;
use crate::state::{Cause, HalfOpenEnd, Verdict};
use crate::{CircuitBreaker, Counts, Ended, Event, State};

/// An ended call, with what the configuration makes of it.
#[derive(Clone, Copy)]
struct Call {
    ended: Ended,
    slow: bool,
    hint: Option<u64>,
}

impl CircuitBreaker {
    /// Ends a permit.
    pub(crate) fn end(&self, ticket: Ticket, ending: Ending, took: Option<u64>) {
        let inner = self.inner();
        let now = inner.clock.now();
        let took = took.or_else(|| ticket.started.map(|started| now.since(started)));
        let age = ticket.started.map(|started| now.since(started));
        let call = self.weigh(ending, took, age);
        let ended = match ticket.word.state() {
            State::Closed | State::MetricsOnly => self.end_recorded(ticket, call, now),
            State::HalfOpen => self.end_probe(ticket, call, now),
            State::Disabled => {
                if inner.load_word().same_epoch(ticket.word) { call.ended } else { Ended::Late }
            }
            // No permit is given there.
            State::Open | State::ForcedOpen => Ended::Late,
        };
        self.count(ended, call.slow, took);
    }

    /// Turns what the caller said into what the breaker counts (S5, S14).
    fn weigh(&self, ending: Ending, took: Option<u64>, age: Option<u64>) -> Call {
        let control = self.inner().control();
        let config = control.machine.config();
        let slow = match (config.slow_after_nanos(), took) {
            (Some(limit), Some(took)) => took >= limit,
            _ => false,
        };
        match ending {
            Ending::Success => Call { ended: Ended::Success, slow, hint: None },
            Ending::Failure { hint } => Call { ended: Ended::Failure, slow, hint },
            Ending::Ignored => Call { ended: Ended::Ignored, slow: false, hint: None },
            Ending::Abandoned => {
                let failed = match config.abandoned() {
                    Abandoned::Ignore => false,
                    Abandoned::Failure => true,
                    Abandoned::FailureAfter(limit) => {
                        age.is_some_and(|age| Duration::from_nanos(age) >= limit)
                    }
                };
                let ended = if failed { Ended::Failure } else { Ended::Abandoned };
                Call { ended, slow: failed && slow, hint: None }
            }
        }
    }

    fn end_recorded(&self, ticket: Ticket, call: Call, now: Tick) -> Ended {
        let inner = self.inner();
        let failure = match call.ended {
            Ended::Success => false,
            Ended::Failure => true,
            Ended::Ignored | Ended::Abandoned | Ended::Late => {
                return if inner.load_word().same_epoch(ticket.word) { call.ended } else { Ended::Late };
            }
        };
        let Some(counts) = inner.window.record(ticket.word.epoch(), failure, call.slow, now) else {
            return Ended::Late;
        };
        if !inner.load_word().same_epoch(ticket.word) {
            return Ended::Late;
        }
        let fired = self.ask_rules(&counts);
        match ticket.word.state() {
            State::Closed => {
                if let Some(cause) = fired {
                    self.transition(now, |control, log| {
                        control.machine.trip(ticket.word.epoch(), cause, counts, call.hint, now, log);
                    });
                }
            }
            State::MetricsOnly => self.note_holding(ticket, fired, counts),
            State::Open | State::HalfOpen | State::ForcedOpen | State::Disabled => {}
        }
        call.ended
    }

    fn ask_rules(&self, counts: &Counts) -> Option<Cause> {
        let inner = self.inner();
        let config = inner.control().machine.config().clone();
        let fired = trip::fired(config.rules(), counts);
        let Some(custom) = &inner.custom else { return fired };
        let answer = catch_unwind(AssertUnwindSafe(|| custom(counts)));
        let holds = answer.unwrap_or_else(|_| {
            inner.count_panic();
            false
        });
        if holds { Some(trip::with_custom(fired, counts)) } else { fired }
    }

    /// Metrics-only: told once when a rule begins to hold, and again only after none did.
    fn note_holding(&self, ticket: Ticket, fired: Option<Cause>, counts: Counts) {
        let inner = self.inner();
        let mut control = inner.control();
        if control.machine.epoch() != ticket.word.epoch() {
            return;
        }
        let began = fired.filter(|_| !control.held);
        control.held = fired.is_some();
        if let Some(cause) = began {
            inner.ledger.would_trip.add(1);
            let sequence = control.next_sequence();
            let reasons = cause.reasons.iter().collect();
            inner.listeners().enqueue(Event::WouldTrip { reasons, counts, sequence });
        }
        drop(control);
        inner.listeners().drain(self);
    }

    fn end_probe(&self, ticket: Ticket, call: Call, now: Tick) -> Ended {
        let end = match call.ended {
            Ended::Success => HalfOpenEnd::Success { slow: call.slow },
            Ended::Failure => HalfOpenEnd::Failure { slow: call.slow, hint: call.hint },
            Ended::Ignored | Ended::Abandoned | Ended::Late => HalfOpenEnd::Nothing,
        };
        let started = ticket.started.unwrap_or(now);
        let epoch = ticket.word.epoch();
        let (verdict, moved) = self.transition(now, |control, log| {
            let verdict = control.machine.settle(epoch, started, end, now, log);
            (verdict, !log.is_empty())
        });
        if verdict == Verdict::Late {
            return Ended::Late;
        }
        if !moved {
            self.inner().listeners().tell_now(self, &Event::ProbeEnded);
        }
        call.ended
    }

    fn count(&self, ended: Ended, slow: bool, took: Option<u64>) {
        let inner = self.inner();
        let ledger = &inner.ledger;
        match ended {
            Ended::Success => ledger.successes.add(1),
            Ended::Failure => ledger.failures.add(1),
            Ended::Ignored => ledger.ignored.add(1),
            Ended::Abandoned => ledger.abandoned.add(1),
            Ended::Late => ledger.late.add(1),
        }
        let counted = matches!(ended, Ended::Success | Ended::Failure);
        if counted && slow {
            ledger.slow.add(1);
        }
        if let (true, Some(took)) = (counted, took) {
            ledger.time(took);
        }
        if inner.listeners().want_calls() {
            let took = took.map(Duration::from_nanos);
            inner.listeners().tell_call(self, &Event::Recorded { ended, slow: counted && slow, took });
        }
    }
}
