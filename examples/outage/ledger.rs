use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::script::{Outage, Script};

/// What one client lived through. All times are script time.
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
    pub(crate) lost: Duration,
    /// One per second, by the moment a request ended.
    pub(crate) ticks: Vec<Tick>,
    /// One for each outage.
    pub(crate) recoveries: Vec<Recovery>,
}

/// How many callers in a row must be answered before an outage counts as over for them: one
/// lucky probe is no recovery.
pub(crate) const IN_A_ROW: u32 = 10;

/// How callers that arrived after the end of an outage fared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recovery {
    row: u32,
    row_began: Duration,
    recovered: Option<Duration>,
}

/// What ended in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
}

/// How a request ended for its caller, all attempts included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Answered, by an attempt that was sent at this moment.
    Answered {
        sent: Duration,
    },
    Failed,
    /// The breaker had the last word.
    Rejected,
}

impl Account {
    /// Requests whose callers still wait, or waited when the run was stopped.
    pub(crate) fn unfinished(&self) -> u64 {
        self.arrived - self.answered - self.failed - self.rejected
    }
}

impl Ledger {
    pub(crate) fn new(script: Script) -> Self {
        let outages = script.outages();
        let account = Account { recoveries: vec![Recovery::default(); outages.len()], ..Account::default() };
        Self { script, outages, account: Mutex::new(account) }
    }

    pub(crate) fn account(&self) -> Account {
        self.lock().clone()
    }

    pub(crate) fn tick(&self, second: u64) -> Tick {
        let ticks = &self.lock().ticks;
        usize::try_from(second).ok().and_then(|second| ticks.get(second).copied()).unwrap_or_default()
    }

    pub(crate) fn arrived(&self) {
        self.lock().arrived += 1;
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
            if arrival >= outage.to {
                recovery.note(answered, at);
            }
        }
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

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("nothing panics while it holds the account")
    }
}

impl Recovery {
    /// When the first of so many callers in a row was answered.
    pub(crate) fn at(&self) -> Option<Duration> {
        self.recovered
    }

    fn note(&mut self, answered: bool, at: Duration) {
        if !answered {
            self.row = 0;
            return;
        }
        if self.row == 0 {
            self.row_began = at;
        }
        self.row = self.row.saturating_add(1);
        if self.row == IN_A_ROW {
            self.recovered.get_or_insert(self.row_began);
        }
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

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_attempt_that_answers_is_not_lost_time() {
        let ledger = Ledger::new(Script::unknown(10 * SECOND));
        ledger.arrived();
        ledger.ended(SECOND, 5 * SECOND, End::Answered { sent: 3 * SECOND });

        assert_eq!(ledger.account().lost, 2 * SECOND);
    }

    #[test]
    fn a_lucky_answer_is_no_recovery_and_a_row_of_them_is() {
        let ledger = Ledger::new(Script::of_the_demonstration());
        let end = ledger.outages[0].to;
        let recovered = || ledger.account().recoveries.iter().map(Recovery::at).collect::<Vec<_>>();
        let answer = |after: u32| ledger.ended(end, end + after * SECOND, End::Answered { sent: end });

        (1..IN_A_ROW).for_each(answer);
        ledger.ended(end, end + IN_A_ROW * SECOND, End::Rejected);
        assert_eq!(recovered(), [None, None, None]);

        (21..=20 + IN_A_ROW).for_each(answer);
        assert_eq!(recovered(), [Some(end + 21 * SECOND), None, None]);
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
    fn what_has_not_ended_is_unfinished() {
        let ledger = Ledger::new(Script::unknown(10 * SECOND));
        ledger.arrived();
        ledger.arrived();
        ledger.ended(Duration::ZERO, SECOND, End::Failed);

        assert_eq!(ledger.account().unfinished(), 1);
        assert_eq!(ledger.tick(1), Tick { failed: 1, ..Tick::default() });
    }
}
