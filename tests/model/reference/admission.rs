//! A call: its admission, and the one outcome with which it ends.

use std::collections::BTreeSet;

use super::breaker::{Breaker, Permit, Phase, Ramp, Visit, WHOLE, Wait};
use super::settings::{Abandoned, Verdict, reaches};
use super::words::{Counts, Ended, Finish, Nanos, Queued, Reason, State, Told, Why, in_order};

impl Breaker {
    pub(crate) fn acquire(&mut self) -> Result<Permit, (Why, Option<Nanos>)> {
        self.catch_up();
        self.settle_wait();
        self.evaluate_overdue();
        self.settle_wait();
        if let Err((why, retry_after)) = self.answer() {
            let moment = self.moment();
            if let Phase::HalfOpen(visit) = &mut self.phase {
                visit.attempt(moment, false);
            }
            self.count_rejection(why, retry_after);
            return Err((why, retry_after));
        }
        let filed = self.file();
        let mut permit = Permit { epoch: self.epoch, probe: None, acquired: None, filed };
        if self.watched || self.settings.times_calls() {
            permit.acquired = Some(self.now);
        }
        let moment = self.moment();
        if let Phase::HalfOpen(visit) = &mut self.phase {
            visit.attempt(moment, true);
            permit.acquired = Some(moment);
            permit.probe = Some(self.next_probe);
            visit.probes.insert(self.next_probe, moment);
            self.next_probe += 1;
        }
        Ok(permit)
    }

    /// Whether a call would find the breaker closed.
    pub(crate) fn is_closed_to_a_call(&self) -> bool {
        let mut asked = self.clone();
        asked.catch_up();
        asked.settle_wait();
        asked.evaluate_overdue();
        asked.state() == State::Closed
    }

    /// S32: an admission detects that calls in flight have become overdue.
    fn evaluate_overdue(&mut self) {
        let counts = self.counts();
        if counts.overdue == 0 {
            return;
        }
        let slow = self.settings.fired(&counts, None).contains(&Reason::SlowCallRate);
        let reasons = BTreeSet::from([Reason::SlowCallRate]);
        match &mut self.phase {
            Phase::Closed(_) if slow => self.open(self.moment(), &reasons, Wait::Usual),
            Phase::MetricsOnly { holding, .. } if slow && !*holding => {
                *holding = true;
                self.totals.would_trip += 1;
                self.queued.push(Queued::WouldTrip { reasons: in_order(&reasons), counts });
            }
            _ => {}
        }
    }

    /// Counts and reports a rejection, regardless of the method that returned it.
    pub(crate) fn count_rejection(&mut self, why: Why, retry_after: Option<Nanos>) {
        self.rejected += 1;
        self.totals.rejected += 1;
        self.told.push(Told::Rejected { why, retry_after });
    }

    /// The answer to an admission in the current state. S19: a saturated or forced-open breaker has no retry
    /// hint.
    pub(super) fn answer(&self) -> Result<(), (Why, Option<Nanos>)> {
        match &self.phase {
            Phase::Closed(_) | Phase::Disabled { .. } | Phase::MetricsOnly { .. } => Ok(()),
            Phase::Open { deadline, .. } if self.moment() < *deadline => {
                Err((Why::Open, Some(deadline - self.moment())))
            }
            Phase::Open { .. } => Ok(()),
            Phase::ForcedOpen => Err((Why::ForcedOpen, None)),
            Phase::HalfOpen(visit @ Visit { ramp: Some(ramp), .. }) => {
                match ramp.credit + visit.share(self.moment()) >= WHOLE {
                    true => Ok(()),
                    false => Err((Why::HalfOpenRamp, None)),
                }
            }
            Phase::HalfOpen(visit) => {
                let out = visit.probes.len() as u64;
                let room = out < u64::from(visit.policy.max_calls);
                match room && out + visit.round.calls < visit.policy.visit_limit() {
                    true => Ok(()),
                    false => Err((Why::HalfOpenSaturated, None)),
                }
            }
        }
    }

    pub(crate) fn finish(&mut self, permit: Permit, finish: Finish) {
        self.catch_up();
        let timed = permit.age(self.now);
        let (ended, took, hint) = match finish {
            Finish::Success => (Ended::Success, timed, None),
            Finish::Failure => (Ended::Failure, timed, None),
            Finish::Ignored => (Ended::Ignored, timed, None),
            Finish::FailureWithHint(hint) => (Ended::Failure, timed, Some(hint)),
            Finish::Throttled(hint) => (Ended::Failure, timed, hint),
            Finish::SuccessAfter(took) => (Ended::Success, Some(took), None),
            Finish::FailureAfter(took) => (Ended::Failure, Some(took), None),
            Finish::IgnoredAfter(took) => (Ended::Ignored, Some(took), None),
            Finish::Dropped => (self.abandonment(timed), timed, None),
        };
        // S3: an outcome of an earlier epoch is counted as late only.
        if permit.epoch != self.epoch {
            self.totals.late += 1;
            self.tell_call(Ended::Late, false, took);
            return;
        }
        if let (Phase::HalfOpen(visit), Some(probe)) = (&mut self.phase, permit.probe) {
            visit.probes.remove(&probe);
        }
        self.leave(permit.filed);
        let failure = ended == Ended::Failure;
        let recorded = failure || ended == Ended::Success;
        let slow = recorded && self.settings.is_slow(took);
        self.count(ended, slow, took);
        self.totals.throttled += u64::from(matches!(finish, Finish::Throttled(_)));
        self.tell_call(ended, slow, took);
        if recorded {
            self.record(failure, slow, hint.map_or(Wait::Usual, Wait::Hinted));
        }
        if permit.probe.is_some() && permit.epoch == self.epoch {
            self.slots_back += 1;
        }
    }

    /// S5: the outcome of a drop.
    fn abandonment(&self, age: Option<Nanos>) -> Ended {
        match (self.settings.abandoned, age) {
            (Abandoned::Failure, _) => Ended::Failure,
            (Abandoned::FailureAfter(limit), Some(age)) if age >= limit => Ended::Failure,
            (Abandoned::Ignore | Abandoned::FailureAfter(_), _) => Ended::Abandoned,
        }
    }

    fn count(&mut self, ended: Ended, slow: bool, took: Option<Nanos>) {
        match ended {
            Ended::Success => self.totals.successes += 1,
            Ended::Failure => self.totals.failures += 1,
            Ended::Ignored => self.totals.ignored += 1,
            Ended::Abandoned => self.totals.abandoned += 1,
            Ended::Late => self.totals.late += 1,
        }
        self.totals.slow += u64::from(slow);
        let recorded = matches!(ended, Ended::Success | Ended::Failure);
        if let Some(took) = took.filter(|_| recorded) {
            self.totals.timed += 1;
            self.totals.response_time += took;
        }
    }

    fn tell_call(&mut self, ended: Ended, slow: bool, took: Option<Nanos>) {
        self.told.push(Told::Recorded { ended, slow, took });
    }

    /// S10: the rules are evaluated after every recorded outcome.
    fn record(&mut self, failure: bool, slow: bool, wait: Wait) {
        let (now, moment, overdue) = (self.now, self.moment(), self.overdue());
        match &mut self.phase {
            Phase::Closed(memory) => {
                let (rolls, counts) = (memory.record(failure, slow, now), memory.counts(now));
                self.told.extend(rolls.then_some(Told::Rolled { counts }));
                let counts = Counts { overdue, ..counts };
                let fired = self.settings.fired(&counts, self.custom);
                if !fired.is_empty() {
                    self.open(moment, &fired, wait);
                }
            }
            Phase::MetricsOnly { memory, holding } => {
                let (rolls, counts) = (memory.record(failure, slow, now), memory.counts(now));
                self.told.extend(rolls.then_some(Told::Rolled { counts }));
                let counts = Counts { overdue, ..counts };
                let fired = self.settings.fired(&counts, self.custom);
                if !fired.is_empty() && !*holding {
                    self.totals.would_trip += 1;
                    self.queued.push(Queued::WouldTrip { reasons: in_order(&fired), counts });
                }
                *holding = !fired.is_empty();
            }
            Phase::HalfOpen(visit) => {
                visit.counts.add(failure, slow);
                visit.counts.run(failure);
                visit.round.add(failure, slow);
                match failure || slow {
                    true => visit.failed += 1,
                    false => visit.passed += 1,
                }
                match judge(visit) {
                    Some(true) => self.pass(moment),
                    Some(false) => self.open(moment, &BTreeSet::from([Reason::ProbeFailed]), wait),
                    None => {}
                }
            }
            // S2: these states have totals, but no window.
            Phase::Disabled { .. } | Phase::ForcedOpen | Phase::Open { .. } => {}
        }
    }
}

impl Breaker {
    /// S31: passed probes start the ramp, continue it, or close the breaker at the full share.
    fn pass(&mut self, moment: Nanos) {
        let Phase::HalfOpen(visit) = &mut self.phase else { return };
        (visit.round, visit.passed, visit.failed) = (Counts::default(), 0, 0);
        match visit.ramp {
            None if visit.policy.ramp == 0 => self.close(),
            None => {
                visit.ramp = Some(Ramp { began: moment, credit: WHOLE - WHOLE / 10 });
                self.queued.push(Queued::Ramps);
            }
            Some(_) if visit.share(moment) == WHOLE => self.close(),
            Some(_) => {}
        }
    }
}

impl Visit {
    /// S31: each attempt earns the current share, and each admitted call costs one.
    fn attempt(&mut self, now: Nanos, admitted: bool) {
        let share = self.share(now);
        if let Some(ramp) = &mut self.ramp {
            ramp.credit = ramp.credit + share - if admitted { WHOLE } else { 0 };
        }
    }
}

/// S23: the verdict, as early as it is certain; true closes the breaker.
fn judge(visit: &Visit) -> Option<bool> {
    let Visit { policy, slow_threshold, round: counts, passed, failed, .. } = visit;
    match policy.verdict {
        Verdict::Count { success_threshold, .. } if *passed >= success_threshold => Some(true),
        Verdict::Count { max_failures, .. } if *failed > max_failures => Some(false),
        Verdict::Count { .. } => None,
        Verdict::Rate(threshold) => {
            let all = u64::from(policy.max_calls);
            let left = all - counts.calls;
            let mut limits = vec![(counts.failures, threshold)];
            limits.extend(slow_threshold.map(|threshold| (counts.slow, threshold)));
            if limits.iter().any(|&(part, threshold)| reaches(part, all, threshold)) {
                return Some(false);
            }
            limits.iter().all(|&(part, threshold)| !reaches(part + left, all, threshold)).then_some(true)
        }
    }
}
