//! The breakers of one setting.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use halfopen::{CircuitBreaker, Clock, OwnedPermit, Report as CallReport, State, StateChange};

use super::report::{Compared, LogReport, SettingReport};
use super::score::{Detected, Score, Turn};
use super::truth::{Credit, Judged, Worth};
use crate::call::{Call, Keys, Nanos};
use crate::setting::{BreakerSetting, Setting};

/// The breakers of one setting, with the permits of the calls in flight.
#[derive(Debug)]
pub(super) struct Run {
    setting: Setting,
    clock: Clock,
    breakers: Vec<Option<Breaker>>,
    permits: Vec<Option<OwnedPermit>>,
    changes: Arc<Changes>,
    open: u32,
    report: SettingReport,
}

#[derive(Debug)]
struct Breaker {
    breaker: CircuitBreaker,
    setting: BreakerSetting,
    is_open: bool,
    /// Openings and closings that no judgment has reached yet.
    turns: VecDeque<(Nanos, Turn)>,
    scores: [Score; 2],
}

/// The changes of states since they were looked at.
#[derive(Debug, Default)]
struct Changes {
    are_some: AtomicBool,
    list: Mutex<Vec<(u32, Nanos, State)>>,
}

impl Run {
    pub(super) fn new(setting: Setting, clock: Clock) -> Run {
        let report = SettingReport::new(setting.name());
        Run {
            setting,
            clock,
            breakers: Vec::new(),
            permits: Vec::new(),
            changes: Arc::default(),
            open: 0,
            report,
        }
    }

    /// The breakers that are not closed.
    pub(super) fn open_breakers(&self) -> u32 {
        self.open
    }

    /// Asks the breaker about a call. Returns whether it is admitted.
    pub(super) fn admit(&mut self, keys: &Keys, key: u32, slot: u32, worth: Worth, took: Nanos) -> bool {
        let place = key as usize;
        if self.breakers.get(place).is_none_or(Option::is_none) {
            self.create(keys, key);
        }
        let Some(Some(breaker)) = self.breakers.get(place) else { return true };
        let permit = breaker.breaker.try_acquire_owned().ok();
        let is_admitted = permit.is_some();
        if !is_admitted {
            self.report.reject(worth, took);
        }
        if self.permits.len() <= slot as usize {
            self.permits.resize_with(slot as usize + 1, || None);
        }
        self.permits[slot as usize] = permit;
        self.note_changes();
        is_admitted
    }

    /// Reports the end of a call, if it was admitted.
    pub(super) fn settle(&mut self, slot: u32, call: &Call) {
        let Some(permit) = self.permits.get_mut(slot as usize).and_then(Option::take) else { return };
        let Some(Some(Breaker { setting, .. })) = self.breakers.get(call.key as usize) else { return };
        match call.end.outcome(&setting.http, &setting.grpc) {
            Some(outcome) => {
                permit.report(CallReport::from(outcome).took(call.took.map(Duration::from_nanos)));
            }
            None => permit.abandon(),
        }
        self.note_changes();
    }

    /// Scores the openings up to a call of which it is known now whether it was part of an incident.
    pub(super) fn judge(&mut self, key: usize, judged: Judged) {
        let Some(Some(breaker)) = self.breakers.get_mut(key) else { return };
        breaker.judge(judged);
    }

    pub(super) fn finish(mut self, log: &LogReport) -> SettingReport {
        let mut found = [Detected::default(); 2];
        for mut breaker in self.breakers.into_iter().flatten() {
            breaker.turn_until(Nanos::MAX);
            for (sum, score) in found.iter_mut().zip(breaker.scores) {
                sum.merge(&score.finish());
            }
        }
        let [in_time, late_too] = found;
        self.report.in_time = Compared::new(&self.report, log, Credit::InTime, in_time);
        self.report.late_too = Compared::new(&self.report, log, Credit::LateToo, late_too);
        self.report
    }

    fn create(&mut self, keys: &Keys, key: u32) {
        let place = key as usize;
        let name = keys.names().get(place).map_or(Keys::ALL, String::as_str);
        let setting = self.setting.of(name);
        let (clock, changes) = (self.clock.clone(), Arc::clone(&self.changes));
        let breaker = CircuitBreaker::builder(name)
            .config(setting.config.clone())
            .clock(self.clock.clone())
            // The jitter of a wait: a replay of one log has one result.
            .seed(u64::from(key))
            .on_state_change(move |change: &StateChange| {
                changes.push(key, clock.elapsed_nanos(), change.to);
            })
            .build();
        breaker.set_enabled(setting.is_enabled);
        if self.breakers.len() <= place {
            self.breakers.resize_with(place + 1, || None);
        }
        self.breakers[place] = Some(Breaker {
            breaker,
            setting,
            is_open: false,
            turns: VecDeque::new(),
            scores: Default::default(),
        });
    }

    #[inline]
    fn note_changes(&mut self) {
        if self.changes.are_some.load(Ordering::Relaxed) {
            self.note_changes_slow();
        }
    }

    #[cold]
    fn note_changes_slow(&mut self) {
        for (key, at, state) in self.changes.take() {
            let Some(Some(breaker)) = self.breakers.get_mut(key as usize) else { continue };
            let is_open = !matches!(state, State::Closed | State::Disabled | State::MetricsOnly);
            self.report.openings += u64::from(state == State::Open);
            if is_open == breaker.is_open {
                continue;
            }
            breaker.is_open = is_open;
            breaker.turns.push_back((at, if is_open { Turn::Opened } else { Turn::Closed }));
            self.open = if is_open { self.open + 1 } else { self.open - 1 };
        }
    }
}

impl Breaker {
    fn judge(&mut self, judged: Judged) {
        if !self.turns.is_empty() {
            self.turn_until(judged.at);
        }
        for (score, change) in self.scores.iter_mut().zip(judged.changes) {
            if let Some(edge) = change {
                score.incident(edge, judged.at);
            }
        }
    }

    /// Scores the turns before a time. At equal times an incident comes first.
    fn turn_until(&mut self, time: Nanos) {
        while let Some((at, turn)) = self.turns.front().copied().filter(|(at, _)| *at < time) {
            self.turns.pop_front();
            self.scores.iter_mut().for_each(|score| score.turn(turn, at));
        }
    }
}

impl Changes {
    fn push(&self, key: u32, at: Nanos, state: State) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push((key, at, state));
        self.are_some.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> Vec<(u32, Nanos, State)> {
        self.are_some.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
impl Run {
    /// The permits and the turns that are kept.
    pub(super) fn kept(&self) -> usize {
        self.permits.len().max(self.breakers.iter().flatten().map(|it| it.turns.len()).max().unwrap_or(0))
    }
}
