use std::time::Duration;

use halfopen::StateChange;
use serde::Serialize;

use crate::clients::Library;
use crate::ledger::{Account, Ledger};
use crate::log::Log;
use crate::protection::Transition;
use crate::request::Sender;
use crate::script::Script;
use crate::seen::Seen;
use crate::words;

/// The result of a run, shown as the table or as a JSON document. All times are script seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) rate_per_second: u32,
    pub(crate) client: Library,
    pub(crate) server: String,
    pub(crate) interrupted: bool,
    pub(crate) ran_for_seconds: f64,
    pub(crate) script: Vec<SceneReport>,
    pub(crate) bare: ClientReport,
    pub(crate) protected: ClientReport,
    pub(crate) outages: Vec<OutageReport>,
    pub(crate) transitions: Vec<TransitionReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SceneReport {
    pub(crate) server: &'static str,
    pub(crate) sick: bool,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct ClientReport {
    pub(crate) requests: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    pub(crate) unfinished: u64,
    pub(crate) caller_seconds_lost: f64,
    pub(crate) sent: u64,
    /// [`None`] if the server is not ours: its health is unknown.
    pub(crate) sent_to_sick_server: Option<u64>,
    pub(crate) arrived_at_server: Option<u64>,
    pub(crate) arrived_at_sick_server: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct OutageReport {
    pub(crate) name: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// From the start of this outage to the start of the next.
    pub(crate) bare: ChapterReport,
    pub(crate) protected: ChapterReport,
    /// Of the protected client; the bare one detects nothing.
    pub(crate) detected_after: Option<f64>,
    pub(crate) bare_recovered_after: Option<f64>,
    pub(crate) protected_recovered_after: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ChapterReport {
    pub(crate) requests: u64,
    pub(crate) answered: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct TransitionReport {
    pub(crate) at: f64,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) reason: String,
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
    pub(crate) open_for: Option<f64>,
}

/// The sources of a report.
pub(crate) struct Findings<'a> {
    pub(crate) script: &'a Script,
    pub(crate) bare: &'a Ledger,
    pub(crate) protected: &'a Ledger,
    pub(crate) log: &'a Log,
    pub(crate) seen: Option<&'a Seen>,
    pub(crate) ran_for: Duration,
}

impl Findings<'_> {
    pub(crate) fn client(&self, sender: Sender) -> ClientReport {
        let account = match sender {
            Sender::Bare => self.bare.account(),
            Sender::Protected => self.protected.account(),
        };
        let scripted = !self.script.scenes().is_empty();
        ClientReport {
            requests: account.arrived,
            answered: account.answered,
            failed: account.failed,
            rejected: account.rejected,
            unfinished: account.unfinished(),
            caller_seconds_lost: rounded(account.lost_until(self.ran_for)),
            sent: account.sent,
            sent_to_sick_server: scripted.then_some(account.sent_while_sick),
            arrived_at_server: self.seen.map(|seen| seen.all(sender)),
            arrived_at_sick_server: self.seen.map(|seen| seen.while_sick(sender)),
        }
    }

    pub(crate) fn scenes(&self) -> Vec<SceneReport> {
        let scene = |scene: &crate::script::Scene| SceneReport {
            server: scene.health.name(),
            sick: scene.health.is_sick(),
            from: rounded(scene.from),
            to: rounded(scene.to),
        };
        self.script.scenes().iter().map(scene).collect()
    }

    /// The outages that had started when the run ended.
    pub(crate) fn outages(&self) -> Vec<OutageReport> {
        let (bare, protected) = (self.bare.account(), self.protected.account());
        let recovery = |account: &Account, index: usize, end: Duration| {
            account.recoveries[index].at().map(|answer| rounded(answer.saturating_sub(end)))
        };
        let chapter = |account: &Account, index: usize| ChapterReport {
            requests: account.chapters[index].arrived,
            answered: account.chapters[index].answered,
        };
        (0..)
            .zip(self.script.outages())
            .filter(|(_, outage)| outage.from < self.ran_for)
            .map(|(index, outage)| OutageReport {
                from: rounded(outage.from),
                to: rounded(outage.to),
                bare: chapter(&bare, index),
                protected: chapter(&protected, index),
                detected_after: self.log.detection(&outage).map(rounded),
                bare_recovered_after: recovery(&bare, index, outage.to),
                protected_recovered_after: recovery(&protected, index, outage.to),
                name: outage.name,
            })
            .collect()
    }

    pub(crate) fn transitions(&self) -> Vec<TransitionReport> {
        self.log.transitions().iter().map(TransitionReport::of).collect()
    }
}

impl TransitionReport {
    fn of(transition: &Transition) -> Self {
        let StateChange { from, to, counts, .. } = &transition.change;
        Self {
            at: rounded(transition.at),
            from: words::state(*from),
            to: words::state(*to),
            reason: words::why(&transition.change),
            calls: counts.calls,
            failures: counts.failures,
            slow: counts.slow,
            open_for: transition.wait.map(rounded),
        }
    }
}

/// Rounds to milliseconds, the precision of the figures.
pub(crate) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}
