use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::recovery::Recovery;
use crate::script::{Outage, Script};

/// The results of one client. All times are script time.
#[derive(Debug)]
pub(crate) struct Ledger {
    script: Script,
    outages: Vec<Outage>,
    account: Mutex<Account>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Requests that callers made.
    pub(crate) arrived: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    /// Attempts handed to the network, retries included.
    pub(crate) sent: u64,
    pub(crate) sent_while_sick: u64,
    /// The time lost by callers whose requests have ended.
    lost: Duration,
    /// The sum of the arrival times of callers that still wait.
    waiting_since: Duration,
    /// One per second, by the time at which a request ended.
    pub(crate) ticks: Vec<Tick>,
    /// One for each outage.
    pub(crate) recoveries: Vec<Recovery>,
    /// One for each outage: the requests of callers that arrived in it, or after it and before the next.
    pub(crate) chapters: Vec<Chapter>,
}

/// The requests from the start of an outage to the start of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chapter {
    pub(crate) arrived: u64,
    pub(crate) answered: u64,
}

/// The requests that ended in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
}

/// The result of a request for its caller, all attempts included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Answered, by an attempt that was sent at this time.
    Answered {
        sent: Duration,
    },
    Failed,
    /// Rejected by the breaker, at the first or a later attempt.
    Rejected,
}

impl Account {
    /// Requests whose callers still wait, or waited when the run was stopped.
    pub(crate) fn unfinished(&self) -> u64 {
        self.arrived - self.answered - self.failed - self.rejected
    }

    /// The time lost by waiting, including that of callers that still wait at `now`.
    pub(crate) fn lost_until(&self, now: Duration) -> Duration {
        let waiting = now.mul_f64(self.unfinished() as f64).saturating_sub(self.waiting_since);
        self.lost + waiting
    }
}

impl Ledger {
    pub(crate) fn new(script: Script) -> Self {
        let outages = script.outages();
        let account = Account {
            recoveries: vec![Recovery::default(); outages.len()],
            chapters: vec![Chapter::default(); outages.len()],
            ..Account::default()
        };
        Self { script, outages, account: Mutex::new(account) }
    }

    pub(crate) fn account(&self) -> Account {
        self.lock().clone()
    }

    pub(crate) fn tick(&self, second: u64) -> Tick {
        let ticks = &self.lock().ticks;
        usize::try_from(second).ok().and_then(|second| ticks.get(second).copied()).unwrap_or_default()
    }

    pub(crate) fn arrived(&self, at: Duration) {
        let mut account = self.lock();
        account.arrived += 1;
        if let Some(chapter) = self.chapter_at(at) {
            account.chapters[chapter].arrived += 1;
        }
        account.waiting_since += at;
    }

    pub(crate) fn sent(&self, at: Duration) {
        let sick = self.script.is_sick_at(at);
        let mut account = self.lock();
        account.sent += 1;
        account.sent_while_sick += u64::from(sick);
    }

    pub(crate) fn ended(&self, arrival: Duration, at: Duration, end: End) {
        let answered = matches!(end, End::Answered { .. });
        let mut account = self.lock();
        for (outage, recovery) in self.outages.iter().zip(&mut account.recoveries) {
            // Without new callers a queue drains by itself, which is not a recovery.
            if arrival >= outage.to && at <= self.script.length() {
                recovery.note(answered, at);
            }
        }
        if let Some(chapter) = self.chapter_at(arrival).filter(|_| answered) {
            account.chapters[chapter].answered += 1;
        }
        account.waiting_since = account.waiting_since.saturating_sub(arrival);
        let tick = account.tick_at(at);
        match end {
            End::Answered { .. } => tick.answered += 1,
            End::Failed => tick.failed += 1,
            End::Rejected => tick.rejected += 1,
        }
        match end {
            End::Answered { sent } => {
                account.answered += 1;
                account.lost += sent.saturating_sub(arrival);
            }
            End::Failed => {
                account.failed += 1;
                account.lost += at.saturating_sub(arrival);
            }
            End::Rejected => {
                account.rejected += 1;
                account.lost += at.saturating_sub(arrival);
            }
        }
    }

    /// The last outage that has started.
    fn chapter_at(&self, moment: Duration) -> Option<usize> {
        self.outages.iter().rposition(|outage| outage.from <= moment)
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("nothing panics while it holds the account")
    }
}

impl Account {
    fn tick_at(&mut self, at: Duration) -> &mut Tick {
        let index = usize::try_from(at.as_secs()).expect("a run is shorter than a day");
        if self.ticks.len() <= index {
            self.ticks.resize(index + 1, Tick::default());
        }
        &mut self.ticks[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::IN_A_ROW;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_attempt_that_answers_is_not_lost_time() {
        let ledger = Ledger::new(Script::unknown(10 * SECOND));
        ledger.arrived(SECOND);
        ledger.ended(SECOND, 5 * SECOND, End::Answered { sent: 3 * SECOND });

        assert_eq!(ledger.account().lost_until(9 * SECOND), 2 * SECOND);
    }

    #[test]
    fn a_chapter_lasts_until_the_next_outage_begins() {
        let ledger = Ledger::new(Script::of_the_demonstration());
        let [first, second] = [ledger.outages[0].from, ledger.outages[1].from];
        for arrival in [first - SECOND, first, second - SECOND, second] {
            ledger.arrived(arrival);
            ledger.ended(arrival, arrival + SECOND, End::Answered { sent: arrival });
        }
        ledger.arrived(second - SECOND);
        ledger.ended(second - SECOND, second + SECOND, End::Failed);

        let chapters = ledger.account().chapters;
        assert_eq!(chapters[0], Chapter { arrived: 3, answered: 2 });
        assert_eq!(chapters[1], Chapter { arrived: 1, answered: 1 });
    }

    #[test]
    fn who_came_during_the_outage_shows_no_recovery() {
        let ledger = Ledger::new(Script::of_the_demonstration());
        let end = ledger.outages[0].to;
        for _ in 0..IN_A_ROW {
            ledger.ended(end - SECOND, end + SECOND, End::Answered { sent: end });
        }

        assert_eq!(ledger.account().recoveries[0].at(), None);
    }

    #[test]
    fn answers_after_the_script_show_no_recovery() {
        let ledger = Ledger::new(Script::of_the_demonstration());
        let (last, end) = (ledger.outages.len() - 1, ledger.script.length());
        for _ in 0..IN_A_ROW {
            ledger.ended(end - SECOND, end + SECOND, End::Answered { sent: end });
        }

        assert_eq!(ledger.account().recoveries[last].at(), None);
    }

    #[test]
    fn a_caller_without_an_answer_has_waited() {
        let ledger = Ledger::new(Script::unknown(10 * SECOND));
        ledger.arrived(SECOND);
        ledger.arrived(2 * SECOND);
        ledger.ended(SECOND, 3 * SECOND, End::Failed);

        let account = ledger.account();
        assert_eq!(ledger.tick(3), Tick { failed: 1, ..Tick::default() });
        assert_eq!(account.unfinished(), 1);
        assert_eq!(account.lost_until(6 * SECOND), 2 * SECOND + 4 * SECOND);
    }
}
