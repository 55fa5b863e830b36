use std::sync::{Arc, Mutex};

use halfopen::{CircuitBreaker, Ended, Event, Interest, Listener, State};

use crate::ledger::Count;
use crate::violations::Violations;

/// Listens to a breaker from its creation, and records a violation for each event that is duplicated, late or
/// missing.
pub(crate) struct Witness {
    wants_calls: bool,
    told: Mutex<Told>,
    pub(crate) rejections: Count,
    pub(crate) ended: [Count; 5],
    violations: Arc<Violations>,
}

/// Events that are delivered one at a time, in order.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) sequence: u64,
    pub(crate) state: State,
    pub(crate) changes: u64,
    pub(crate) openings: u64,
    pub(crate) would_trips: u64,
    pub(crate) configs: u64,
}

impl Witness {
    pub(crate) fn new(wants_calls: bool, violations: &Arc<Violations>) -> Arc<Witness> {
        Arc::new(Witness {
            wants_calls,
            told: Mutex::default(),
            rejections: Count::default(),
            ended: Default::default(),
            violations: Arc::clone(violations),
        })
    }

    pub(crate) fn told(&self) -> Told {
        *self.told.lock().expect("no panic under this lock")
    }

    fn in_line(&self, name: &str, sequence: u64, note: impl FnOnce(&mut Told)) {
        let Ok(mut told) = self.told.try_lock() else {
            return self.violations.unless(false, || format!("{name}: two changes were told at once"));
        };
        self.violations.unless(sequence == told.sequence + 1, || {
            format!("{name}: change {sequence} was told after {}", told.sequence)
        });
        told.sequence = sequence;
        note(&mut told);
    }
}

impl Listener for Witness {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        let name = breaker.name();
        match event {
            Event::StateChanged(change) => self.in_line(name, change.sequence, |told| {
                self.violations.unless(change.from == told.state, || {
                    format!("{name}: left {} though it was {}", change.from, told.state)
                });
                self.violations
                    .unless(change.counts.calls == change.counts.successes + change.counts.failures, || {
                        format!("{name}: counts that do not add up: {:?}", change.counts)
                    });
                told.state = change.to;
                told.changes += 1;
                told.openings += u64::from(change.to == State::Open);
            }),
            &Event::WouldTrip { sequence, .. } => {
                self.in_line(name, sequence, |told| told.would_trips += 1);
            }
            &Event::RampChanged { sequence, .. }
            | &Event::Degraded { sequence, .. }
            | &Event::Reset { sequence } => {
                self.in_line(name, sequence, |_| {});
            }
            &Event::ConfigChanged { sequence } => self.in_line(name, sequence, |told| told.configs += 1),
            Event::Rejected(_) => self.rejections.add(),
            Event::Recorded { ended, .. } => self.ended[place(*ended)].add(),
            _ => {}
        }
    }

    fn interest(&self) -> Interest {
        if self.wants_calls {
            Interest::default() | Interest::CALLS | Interest::PROBES
        } else {
            Interest::default()
        }
    }
}

fn place(ended: Ended) -> usize {
    match ended {
        Ended::Success => 0,
        Ended::Failure => 1,
        Ended::Ignored => 2,
        Ended::Abandoned => 3,
        Ended::Late => 4,
        other => unreachable!("the books have no {other:?}"),
    }
}
