//! The result of a replay.

use serde::Serialize;

use super::score::Detected;
use super::series::Series;
use super::truth::{Credit, Worth};
use crate::call::Nanos;

/// Facts that no replay of a log can know, for its reader.
pub const UNKNOWN: [&str; 4] = [
    "The load: a service that recovers sooner because calls are rejected still fails here as long as it did in the log.",
    "Retries and users: after a rejection a caller might have tried again, or not; the log's calls arrive as they did.",
    "Probes: only calls of the log can be probes, and calls that the log does not have, rejected by a breaker or a limit \
     of its own, are missing here too.",
    "Incidents are found with hindsight, by the ten calls before and after each call of a breaker; those with fewer bad \
     calls are none.",
];

/// The result of a replay.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The calls of the log.
    pub log: LogReport,
    /// The result of each setting.
    pub settings: Vec<SettingReport>,
    /// The calls over time.
    pub series: Series,
}

/// The calls of a log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogReport {
    /// All calls.
    pub calls: u64,
    /// Successes in time.
    pub good: u64,
    /// Successes that took longer than the limit.
    pub late: u64,
    /// Failures.
    pub bad: u64,
    /// Abandoned and ignored calls.
    pub unknown: u64,
    /// The start of the first call, in nanoseconds since the Unix epoch.
    pub began: Nanos,
    /// From the start of the first call to that of the last, in nanoseconds.
    pub lasted: Nanos,
    /// The time of all calls, in seconds.
    pub waited: f64,
    /// Calls that were ended early, because more were in flight than are kept.
    pub ended_early: u64,
}

impl LogReport {
    pub(super) fn add(&mut self, worth: Worth, start: Nanos, took: Nanos) {
        self.calls += 1;
        self.lasted = start;
        self.waited += took as f64 / 1e9;
        *match worth {
            Worth::Good => &mut self.good,
            Worth::Late => &mut self.late,
            Worth::Bad => &mut self.bad,
            Worth::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// The result of a setting.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SettingReport {
    /// Its name.
    pub name: String,
    /// Rejected calls that succeeded in time in the log.
    pub rejected_good: u64,
    /// Rejected calls that succeeded late in the log.
    pub rejected_late: u64,
    /// Rejected calls that failed in the log.
    pub rejected_bad: u64,
    /// Rejected calls that were abandoned or ignored in the log.
    pub rejected_unknown: u64,
    /// How often a breaker opened, reopenings after a failed probe included.
    pub openings: u64,
    /// The time that rejected failures took in the log, in seconds.
    pub wait_saved: f64,
    /// The time that rejected late answers took in the log, in seconds.
    pub late_wait_saved: f64,
    /// The comparison in which late answers are as bad as failures.
    pub in_time: Compared,
    /// The comparison in which late answers are as good as others.
    pub late_too: Compared,
}

impl SettingReport {
    pub(super) fn new(name: &str) -> SettingReport {
        SettingReport { name: name.to_owned(), ..SettingReport::default() }
    }

    pub(super) fn reject(&mut self, worth: Worth, took: Nanos) {
        let seconds = took as f64 / 1e9;
        match worth {
            Worth::Good => self.rejected_good += 1,
            Worth::Late => {
                self.rejected_late += 1;
                self.late_wait_saved += seconds;
            }
            Worth::Bad => {
                self.rejected_bad += 1;
                self.wait_saved += seconds;
            }
            Worth::Unknown => self.rejected_unknown += 1,
        }
    }

    /// Returns the number of rejected calls.
    pub fn rejected(&self) -> u64 {
        self.rejected_good + self.rejected_late + self.rejected_bad + self.rejected_unknown
    }

    /// Returns the comparison with or without credit for late answers.
    pub fn compared(&self, credit: Credit) -> &Compared {
        match credit {
            Credit::InTime => &self.in_time,
            Credit::LateToo => &self.late_too,
        }
    }
}

/// A setting beside calling always.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Compared {
    /// Bad calls of the log.
    pub bad: u64,
    /// Bad calls that were rejected.
    pub bad_avoided: u64,
    /// Good calls of the log.
    pub good: u64,
    /// Good calls that were rejected.
    pub good_lost: u64,
    /// The time that rejected bad calls took in the log, in seconds.
    pub wait_saved: f64,
    /// Openings beside the incidents of the log.
    pub detected: Detected,
}

impl Compared {
    pub(super) fn new(
        setting: &SettingReport,
        log: &LogReport,
        credit: Credit,
        detected: Detected,
    ) -> Compared {
        let (bad, bad_avoided) = (log.bad, setting.rejected_bad);
        let (good, good_lost) = (log.good, setting.rejected_good);
        match credit {
            Credit::InTime => Compared {
                bad: bad + log.late,
                bad_avoided: bad_avoided + setting.rejected_late,
                good,
                good_lost,
                wait_saved: setting.wait_saved + setting.late_wait_saved,
                detected,
            },
            Credit::LateToo => Compared {
                bad,
                bad_avoided,
                good: good + log.late,
                good_lost: good_lost + setting.rejected_late,
                wait_saved: setting.wait_saved,
                detected,
            },
        }
    }

    /// Returns the bad calls avoided less the good calls lost.
    pub fn gain(&self) -> i64 {
        self.bad_avoided as i64 - self.good_lost as i64
    }
}
