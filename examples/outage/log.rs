use std::time::Duration;

use halfopen::{State, StateChange};

use crate::protection::Transition;
use crate::script::Outage;

/// The transitions of the breaker so far, in order.
#[derive(Debug, Default)]
pub(crate) struct Log {
    transitions: Vec<Transition>,
}

impl Log {
    pub(crate) fn add(&mut self, transition: Transition) {
        self.transitions.push(transition);
    }

    pub(crate) fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    pub(crate) fn state_at(&self, moment: Duration) -> State {
        state_after(self.transitions.iter().take_while(|transition| transition.at <= moment))
    }

    /// Returns the state to display for one second: the state at its end, or half-open if the second had a
    /// probe that changed nothing, which would otherwise be too short to be visible.
    pub(crate) fn state_in_second(&self, second: u64) -> State {
        let (from, to) = (Duration::from_secs(second), Duration::from_secs(second + 1));
        let at_end = state_after(self.transitions.iter().take_while(|transition| transition.at < to));
        let probed = self
            .transitions
            .iter()
            .any(|transition| (from..to).contains(&transition.at) && transition.change.to == State::HalfOpen);
        if probed && at_end == State::Open { State::HalfOpen } else { at_end }
    }

    /// Returns the time from the start of an outage until the breaker ceased to permit all calls, or zero if it had before. An
    /// adaptive breaker that is throttled goes to half-open, without opening.
    pub(crate) fn detection(&self, outage: &Outage) -> Option<Duration> {
        if self.state_at(outage.from) == State::Open {
            return Some(Duration::ZERO);
        }
        let during = |at: &Duration| (outage.from..outage.to).contains(at);
        let left_closed = |change: &StateChange| {
            change.to == State::Open || (change.from, change.to) == (State::Closed, State::HalfOpen)
        };
        let opened = self.transitions.iter().find(|step| left_closed(&step.change) && during(&step.at))?;
        Some(opened.at - outage.from)
    }
}

fn state_after<'a>(transitions: impl Iterator<Item = &'a Transition>) -> State {
    transitions.last().map_or(State::Closed, |transition| transition.change.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_outage_is_detected_when_the_breaker_opens_in_it() {
        let log = log(&[(3_500, State::Open), (4_600, State::HalfOpen), (4_700, State::Closed)]);

        assert_eq!(log.detection(&outage(2, 5)), Some(SECOND * 3 / 2));
        assert_eq!(log.detection(&outage(4, 5)), Some(Duration::ZERO));
        assert_eq!(log.detection(&outage(5, 9)), None);

        let throttled = self::log(&[(3_000, State::HalfOpen), (3_500, State::Open)]);
        assert_eq!(throttled.detection(&outage(2, 5)), Some(SECOND));
    }

    #[test]
    fn a_probe_that_changed_nothing_is_still_seen() {
        let log = log(&[(500, State::Open), (1_500, State::HalfOpen), (1_510, State::Open)]);

        let seen: Vec<_> = (0..3).map(|second| log.state_in_second(second)).collect();
        assert_eq!(seen, [State::Open, State::HalfOpen, State::Open]);
    }

    fn log(steps: &[(u64, State)]) -> Log {
        let mut log = Log::default();
        let mut from = State::Closed;
        for &(at, to) in steps {
            let mut change = StateChange::default();
            (change.from, change.to) = (from, to);
            from = to;
            log.add(Transition { at: Duration::from_millis(at), change, wait: None });
        }
        log
    }

    fn outage(from: u32, to: u32) -> Outage {
        Outage { name: String::new(), from: from * SECOND, to: to * SECOND }
    }
}
