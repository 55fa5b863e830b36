//! What the dashboard shows and no breaker has: bounded, and changed in single steps under one lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use halfopen::StateChange;

use crate::alert::{Alert, AlertStatus};
use crate::dashboard::DashboardAlerts;

#[derive(Default)]
pub(crate) struct Board {
    /// The rejected calls a second of the breakers that have rejected any.
    pub(crate) rates: HashMap<Arc<str>, f64>,
    pub(crate) history: VecDeque<StateChange>,
    pub(crate) history_dropped: u64,
    firing: BTreeMap<(Arc<str>, Arc<str>), Alert>,
    recent: VecDeque<Alert>,
    #[cfg(feature = "page")]
    pub(crate) page: Page,
}

/// The alerts and the actions that the dashboard has had.
const RECENT: usize = 200;

impl Board {
    pub(crate) fn note(&mut self, alert: &Alert) {
        match alert.status {
            AlertStatus::Firing => drop(self.firing.insert(alert.key(), alert.clone())),
            AlertStatus::Resolved => drop(self.firing.remove(&alert.key())),
        }
        push(&mut self.recent, alert.clone());
        #[cfg(feature = "page")]
        {
            self.page.firing = None;
        }
    }

    /// Adds a change of state, and drops the oldest beyond `most`.
    pub(crate) fn state_changed(&mut self, change: StateChange, most: usize) {
        self.history.push_back(change);
        while self.history.len() > most {
            self.history.pop_front();
            self.history_dropped = self.history_dropped.saturating_add(1);
        }
    }

    /// Returns the number of all changes of state.
    pub(crate) fn changes(&self) -> u64 {
        self.history_dropped.saturating_add(self.history.len() as u64)
    }

    pub(crate) fn firing(&self) -> Vec<Alert> {
        self.firing.values().cloned().collect()
    }

    pub(crate) fn alerts_firing(&self) -> u64 {
        self.firing.len() as u64
    }

    pub(crate) fn alerts(&self) -> DashboardAlerts {
        DashboardAlerts { firing: self.firing(), recent: self.recent.iter().cloned().collect() }
    }
}

fn push<T>(lines: &mut VecDeque<T>, line: T) {
    if lines.len() >= RECENT {
        lines.pop_front();
    }
    lines.push_back(line);
}

#[cfg(feature = "page")]
pub(crate) use page::{MOST_LINES, Page};

#[cfg(feature = "page")]
mod page {
    use std::time::SystemTime;

    use super::{Alert, Arc, Board, VecDeque, push};
    use crate::alert::since_1970;

    /// The alerts, and the changes of state, that the page shows.
    pub(crate) const MOST_LINES: usize = 100;

    /// What only the page has, with the lists that its frames share until they change.
    #[derive(Default)]
    pub(crate) struct Page {
        audit: VecDeque<String>,
        /// The refused requests: one line per reason, or a stranger could push the actions out of the log.
        refused: Vec<(&'static str, u64, SystemTime)>,
        pub(super) firing: Option<Arc<[Alert]>>,
        lines: Option<Arc<[String]>>,
    }

    impl Board {
        /// Adds an action of an operator.
        pub(crate) fn acted(&mut self, action: &str, at: SystemTime) {
            push(&mut self.page.audit, format!("{} {action}", since_1970(at).as_secs()));
            self.page.lines = None;
        }

        /// Counts a refused request. The reasons are few.
        pub(crate) fn refused(&mut self, why: &'static str, at: SystemTime) {
            let page = &mut self.page;
            let times = match page.refused.iter().position(|(known, ..)| *known == why) {
                Some(index) => page.refused.remove(index).1,
                None => 0,
            };
            page.refused.push((why, times.saturating_add(1), at));
            page.lines = None;
        }

        /// Returns the actions and the refused requests, the oldest first.
        pub(crate) fn audit(&mut self) -> Arc<[String]> {
            let Page { audit, refused, lines, .. } = &mut self.page;
            Arc::clone(lines.get_or_insert_with(|| {
                let refused = refused.iter().map(|(why, times, at)| {
                    let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
                    format!("{} refused: {why}{times}", since_1970(*at).as_secs())
                });
                let mut all: Vec<String> = audit.iter().cloned().chain(refused).collect();
                // Stable: actions of the same second stay in their order.
                all.sort_by_key(|line| line.split(' ').next().and_then(|at| at.parse::<u64>().ok()));
                all.into()
            }))
        }

        /// Returns the alerts that are firing, the most severe first, and at most [`MOST_LINES`].
        pub(crate) fn most_severe(&mut self) -> Arc<[Alert]> {
            let firing = &self.firing;
            Arc::clone(self.page.firing.get_or_insert_with(|| {
                let mut alerts: Vec<&Alert> = firing.values().collect();
                alerts.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
                alerts.into_iter().take(MOST_LINES).cloned().collect()
            }))
        }
    }

    #[cfg(test)]
    mod tests {
        use std::time::Duration;

        use super::*;

        #[test]
        fn refused_requests_do_not_push_actions_out() {
            let mut board = Board::default();
            let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            board.acted("trip of `db`: now open", at(1));
            for second in 0..1_000 {
                board.refused(
                    if second % 2 == 0 { "the token is wrong" } else { "no such breaker" },
                    at(second),
                );
            }
            let audit = board.audit();
            let expected = [
                "1 trip of `db`: now open",
                "998 refused: the token is wrong (500 times)",
                "999 refused: no such breaker (500 times)",
            ];
            assert_eq!(*audit, expected);
        }
    }
}
