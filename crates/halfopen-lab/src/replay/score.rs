//! The openings of a breaker beside the incidents of its log.

use serde::Serialize;

use super::truth::IncidentEdge;
use crate::call::Nanos;

/// Durations: how many, their mean and the longest, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Durations {
    /// How many.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
    /// The longest in seconds.
    pub longest: f64,
}

impl Durations {
    fn add(&mut self, nanos: Nanos) {
        let seconds = nanos as f64 / 1e9;
        self.count += 1;
        self.sum += seconds;
        self.longest = self.longest.max(seconds);
    }

    /// Returns their mean in seconds, or [`None`] if there is none.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    pub(crate) fn merge(&mut self, other: &Durations) {
        self.count += other.count;
        self.sum += other.sum;
        self.longest = self.longest.max(other.longest);
    }
}

/// Openings and incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Detected {
    /// The incidents of the log.
    pub incidents: u64,
    /// Incidents during which the breaker did not open.
    pub missed: u64,
    /// From the begin of an incident to the opening.
    pub detection: Durations,
    /// Openings outside of incidents.
    pub false_trips: u64,
    /// From the end of an incident to closed.
    pub recovery: Durations,
}

impl Detected {
    pub(crate) fn merge(&mut self, other: &Detected) {
        self.incidents += other.incidents;
        self.missed += other.missed;
        self.detection.merge(&other.detection);
        self.false_trips += other.false_trips;
        self.recovery.merge(&other.recovery);
    }
}

/// A change of a breaker from closed, or to closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Opened,
    Closed,
}

/// The account of one breaker: it is given openings and incidents in the order of their times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    is_open: bool,
    /// The begin of the incident that goes on, and whether the breaker has been open during it.
    incident: Option<(Nanos, bool)>,
    /// The end of the last incident, while the breaker is open since.
    recovering: Option<Nanos>,
    found: Detected,
}

impl Score {
    pub(crate) fn turn(&mut self, turn: Turn, at: Nanos) {
        match (turn, &mut self.incident) {
            (Turn::Opened, Some((_, true))) => {}
            (Turn::Opened, Some((since, detected))) => {
                *detected = true;
                self.found.detection.add(at.saturating_sub(*since));
            }
            (Turn::Opened, None) => self.found.false_trips += 1,
            (Turn::Closed, _) => {
                if let Some(ended) = self.recovering.take() {
                    self.found.recovery.add(at.saturating_sub(ended));
                }
            }
        }
        self.is_open = turn == Turn::Opened;
    }

    pub(crate) fn incident(&mut self, edge: IncidentEdge, at: Nanos) {
        match edge {
            IncidentEdge::Begins => {
                self.found.incidents += 1;
                self.recovering = None;
                self.incident = Some((at, self.is_open));
                if self.is_open {
                    self.found.detection.add(0);
                }
            }
            IncidentEdge::Ends => {
                let was_detected = self.incident.take().is_some_and(|(_, detected)| detected);
                self.found.missed += u64::from(!was_detected);
                if self.is_open {
                    self.recovering = Some(at);
                } else if was_detected {
                    self.found.recovery.add(0);
                }
            }
        }
    }

    /// Returns the account at the end of the log.
    pub(crate) fn finish(mut self) -> Detected {
        if let Some((_, false)) = self.incident {
            self.found.missed += 1;
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    fn score(story: impl Fn(&mut Score)) -> Detected {
        let mut score = Score::default();
        story(&mut score);
        score.finish()
    }

    #[test]
    fn an_opening_in_an_incident_detects_it() {
        let found = score(|score| {
            score.incident(IncidentEdge::Begins, 10 * S);
            score.turn(Turn::Opened, 12 * S);
            score.turn(Turn::Closed, 15 * S);
            score.turn(Turn::Opened, 16 * S);
            score.incident(IncidentEdge::Ends, 20 * S);
            score.turn(Turn::Closed, 23 * S);
        });
        assert_eq!((found.incidents, found.missed, found.false_trips), (1, 0, 0));
        assert_eq!(found.detection.mean(), Some(2.0), "the first opening counts");
        assert_eq!(found.recovery.mean(), Some(3.0));
    }

    #[test]
    fn an_opening_outside_of_incidents_is_false() {
        let found = score(|score| {
            score.turn(Turn::Opened, S);
            score.turn(Turn::Closed, 2 * S);
        });
        assert_eq!((found.false_trips, found.detection.count, found.recovery.count), (1, 0, 0));
    }

    #[test]
    fn an_incident_without_an_opening_is_missed() {
        let found = score(|score| {
            score.incident(IncidentEdge::Begins, S);
            score.incident(IncidentEdge::Ends, 2 * S);
            score.incident(IncidentEdge::Begins, 3 * S);
        });
        assert_eq!((found.incidents, found.missed, found.recovery.count), (2, 2, 0));
    }

    #[test]
    fn a_breaker_that_is_open_already_detects_immediately() {
        let found = score(|score| {
            score.turn(Turn::Opened, S);
            score.incident(IncidentEdge::Begins, 2 * S);
        });
        assert_eq!((found.detection.mean(), found.missed), (Some(0.0), 0));
    }
}
