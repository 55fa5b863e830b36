//! Breakers of fixed rules, as other libraries have them: models of the rules, with the defaults of each library.

use std::collections::VecDeque;

use crate::chance::Chance;
use crate::policy::{Answer, Outcome, Policy, Seconds};

/// When it opens.
#[derive(Clone, Copy, Debug)]
pub enum Trip {
    /// After so many failures in a row.
    InARow(u32),
    /// When so many of the last calls are known, and this share of them failed.
    LastCalls(usize, f64),
    /// When at least so many calls of the last seconds are known, and this share of them failed.
    LastSeconds(Seconds, usize, f64),
}

/// How long it stays open.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Always as long.
    Fixed(Seconds),
    /// From the first to the second, doubled with each opening in a row, and up to this part longer.
    Doubled(Seconds, Seconds, f64),
}

/// How it closes.
#[derive(Clone, Copy, Debug)]
pub enum Probes {
    /// One call decides, and another is sent after the wait if it has not ended.
    One,
    /// So many calls are admitted, of which less than this share may fail.
    Some(u32, f64),
}

/// A breaker.
#[derive(Debug)]
pub struct Rules {
    trip: Trip,
    wait: Wait,
    probes: Probes,
    chance: Chance,
    state: State,
    /// Calls of earlier states are ignored.
    epoch: u64,
    in_a_row: u32,
    last: VecDeque<(Seconds, bool)>,
    openings: i32,
}

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Seconds, wait: Seconds },
    HalfOpen { left: u32, good: u32, bad: u32, again: Seconds, wait: Seconds },
}

/// The rules with the defaults of other libraries, by name.
pub const PEERS: [(&str, Trip, Wait, Probes); 6] = [
    ("resilience4j", Trip::LastCalls(100, 0.5), Wait::Fixed(60.0), Probes::Some(10, 0.5)),
    ("Polly 8", Trip::LastSeconds(30.0, 100, 0.1), Wait::Fixed(5.0), Probes::One),
    ("Hystrix", Trip::LastSeconds(10.0, 20, 0.5), Wait::Fixed(5.0), Probes::One),
    ("gobreaker", Trip::InARow(6), Wait::Fixed(60.0), Probes::Some(1, 1.0)),
    ("linkerd", Trip::InARow(7), Wait::Doubled(1.0, 60.0, 0.5), Probes::Some(1, 1.0)),
    ("a plain breaker (five in a row, 30 s)", Trip::InARow(5), Wait::Fixed(30.0), Probes::Some(1, 1.0)),
];

impl Rules {
    /// Closed, with nothing counted.
    pub fn new(trip: Trip, wait: Wait, probes: Probes, seed: u64) -> Rules {
        Rules {
            trip,
            wait,
            probes,
            chance: Chance::seeded(seed),
            state: State::Closed,
            epoch: 0,
            in_a_row: 0,
            last: VecDeque::new(),
            openings: 0,
        }
    }

    fn open(&mut self, now: Seconds) {
        let wait = match self.wait {
            Wait::Fixed(wait) => wait,
            Wait::Doubled(first, most, jitter) => {
                (first * 2.0_f64.powi(self.openings.min(30))).min(most)
                    * self.chance.between(1.0, 1.0 + jitter)
            }
        };
        self.openings += 1;
        self.epoch += 1;
        self.state = State::Open { until: now + wait, wait };
    }

    fn close(&mut self) {
        (self.state, self.openings, self.in_a_row) = (State::Closed, 0, 0);
        self.epoch += 1;
        self.last.clear();
    }

    /// Counts a call in closed; returns whether it opens.
    fn trips(&mut self, bad: bool, now: Seconds) -> bool {
        self.in_a_row = if bad { self.in_a_row + 1 } else { 0 };
        let (least, share) = match self.trip {
            Trip::InARow(most) => return self.in_a_row >= most,
            Trip::LastCalls(calls, share) => {
                if self.last.len() == calls {
                    self.last.pop_front();
                }
                (calls, share)
            }
            Trip::LastSeconds(length, calls, share) => {
                while self.last.pop_front_if(|(at, _)| *at <= now - length).is_some() {}
                (calls, share)
            }
        };
        self.last.push_back((now, bad));
        // Only a bad call raises the share.
        if !bad || self.last.len() < least {
            return false;
        }
        let failed = self.last.iter().filter(|(_, bad)| *bad).count();
        failed as f64 >= share * self.last.len() as f64
    }
}

impl Policy for Rules {
    fn admit(&mut self, now: Seconds) -> Option<u64> {
        if let State::Open { until, wait } = self.state
            && now >= until
        {
            let left = if let Probes::Some(calls, _) = self.probes { calls } else { 1 };
            self.state = State::HalfOpen { left, good: 0, bad: 0, again: now + wait, wait };
            self.epoch += 1;
        }
        match (&mut self.state, self.probes) {
            (State::Closed, _) => {}
            (State::Open { .. }, _) => return None,
            (State::HalfOpen { left: 0, again, wait, .. }, Probes::One) if now >= *again => {
                *again = now + *wait;
            }
            (State::HalfOpen { left: 0, .. }, _) => return None,
            (State::HalfOpen { left, .. }, _) => *left -= 1,
        }
        Some(self.epoch)
    }

    fn end(&mut self, call: u64, _: Seconds, answer: &Answer, now: Seconds) {
        if call != self.epoch {
            return;
        }
        let bad = answer.outcome != Outcome::Success;
        match (&mut self.state, self.probes) {
            (State::Open { .. }, _) => {}
            (State::Closed, _) => {
                if self.trips(bad, now) {
                    self.open(now);
                }
            }
            (State::HalfOpen { .. }, Probes::One) if bad => self.open(now),
            (State::HalfOpen { .. }, Probes::One) => self.close(),
            (State::HalfOpen { good, bad: failed, .. }, Probes::Some(calls, share)) => {
                if bad {
                    *failed += 1;
                } else {
                    *good += 1;
                }
                let (known, failed) = (*good + *failed, *failed);
                if known < calls {
                    return;
                }
                if f64::from(failed) >= share * f64::from(calls) { self.open(now) } else { self.close() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(rules: &mut Rules, outcome: Outcome, now: Seconds) {
        let call = rules.admit(now).expect("it admits");
        rules.end(call, now, &Answer { outcome, took: 0.0, retry_after: None }, now);
    }

    #[test]
    fn rules_open_wait_probe_and_close() {
        let mut rules = Rules::new(Trip::InARow(2), Wait::Fixed(5.0), Probes::Some(1, 1.0), 1);
        end(&mut rules, Outcome::Failure, 0.0);
        end(&mut rules, Outcome::Failure, 0.0);
        assert_eq!(rules.admit(4.9), None);
        end(&mut rules, Outcome::Failure, 5.0);
        assert_eq!(rules.admit(9.9), None, "the probe failed");
        end(&mut rules, Outcome::Success, 10.0);
        assert!(rules.admit(10.0).is_some());
    }
}
