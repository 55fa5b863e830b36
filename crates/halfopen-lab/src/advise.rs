//! The choice of a setting by one part of a log, and its result on another.

use std::time::Duration;

use halfopen::{CircuitBreakerConfig, HalfOpen, Trip, Window};

use crate::replay::{Credit, Report, SettingReport};
use crate::setting::Setting;

/// A setting must gain this share of all calls to be better than no breaker.
const LEAST_SHARE: f64 = 0.001;
/// And at least so many calls.
const LEAST_CALLS: f64 = 10.0;

/// Returns the settings of the search: the presets of the library, and rules on failure rates and on failures in a row
/// over the usual range of windows and waits.
pub fn candidates() -> Vec<Setting> {
    let mut all: Vec<_> = Setting::PRESETS.into_iter().filter_map(Setting::preset).collect();
    for open in [1, 5, 15] {
        for in_a_row in [5, 10] {
            let name = format!("{in_a_row} failures in a row, open {open}s");
            all.push(candidate(&name, Trip::consecutive_failures(in_a_row), None, open));
        }
        for (percent, seconds) in [(25, 10), (50, 10), (50, 30), (75, 10)] {
            let name = format!("failure rate {percent} % of {seconds}s, open {open}s");
            let rule = Trip::failure_rate(f64::from(percent) / 100.0).minimum_calls(10);
            let window = Window::last(Duration::from_secs(seconds));
            all.push(candidate(&name, rule, Some(window), open));
        }
    }
    all
}

fn candidate(name: &str, rule: Trip, window: Option<Window>, open: u64) -> Setting {
    let builder = CircuitBreakerConfig::builder()
        .trip(rule)
        .open_duration(Duration::from_secs(open))
        .half_open(HalfOpen::default());
    let builder = match window {
        Some(window) => builder.window(window),
        None => builder,
    };
    Setting::new(name, builder.build().expect("the numbers of the search are valid"))
}

/// The result of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The index of the setting that gains most.
    Setting(usize),
    /// No setting gains enough: a breaker does not help these calls.
    NoBreaker,
}

/// Chooses the setting that avoids most bad calls, less the good calls that it loses. Of equal ones it chooses the one
/// with fewer false trips, then the first.
pub fn choose(report: &Report, credit: Credit) -> Choice {
    let rank = |setting: &SettingReport| {
        let compared = setting.compared(credit);
        (-compared.gain(), compared.detected.false_trips)
    };
    let best = report.settings.iter().enumerate().min_by_key(|(_, setting)| rank(setting));
    match best {
        Some((index, setting)) if helps(setting, report, credit) => Choice::Setting(index),
        Some(_) | None => Choice::NoBreaker,
    }
}

/// Returns whether a setting gains enough calls to be better than no breaker.
pub fn helps(setting: &SettingReport, report: &Report, credit: Credit) -> bool {
    let least = (LEAST_SHARE * report.log.calls as f64).max(LEAST_CALLS);
    setting.compared(credit).gain() as f64 >= least
}

#[cfg(test)]
mod tests {
    use halfopen::Outcome;

    use super::*;
    use crate::{By, Call, Keys, LoggedEnd, Replay};

    const MS: u64 = 1_000_000;

    fn report(is_bad: impl Fn(u64) -> bool) -> Report {
        let keys = Keys::new(By::All);
        let mut replay = Replay::new(candidates(), None);
        for number in 0..3_000 {
            let outcome = if is_bad(number) { Outcome::Failure } else { Outcome::Success };
            let end = LoggedEnd::Outcome(outcome);
            replay.push(&keys, Call { start: number * 100 * MS, took: Some(20 * MS), key: 0, end });
        }
        replay.finish()
    }

    #[test]
    fn the_setting_that_gains_most_is_chosen() {
        let report = report(|number| (1_000..1_900).contains(&number));
        let Choice::Setting(chosen) = choose(&report, Credit::InTime) else { panic!("a breaker helps") };
        let gain = |setting: &SettingReport| setting.in_time.gain();
        let best = report.settings.iter().map(gain).max().expect("candidates");
        assert_eq!(gain(&report.settings[chosen]), best);
        assert!(best > 700, "{best}");
    }

    #[test]
    fn no_breaker_helps_a_healthy_service() {
        let report = report(|number| number % 50 == 0);
        assert_eq!(choose(&report, Credit::InTime), Choice::NoBreaker);
    }

    #[test]
    fn candidates_have_names_of_their_own() {
        let all = candidates();
        let names: std::collections::HashSet<_> = all.iter().map(Setting::name).collect();
        assert_eq!(names.len(), all.len());
    }
}
