//! How a visit begins, and how its configuration changes: all of it under the transition lock.

use std::sync::Arc;

use super::frame::Frame;
use super::head::Step;
use super::sums::Sums;
use super::{Window, slow_after};
use crate::clock::{Moment, Tick};
use crate::config::CircuitBreakerConfig;
use crate::sync::Ordering;

impl Window {
    /// A visit begins: an empty window, anchored now. Gives the generation that its word must carry.
    ///
    /// The steps of the visit before are shut out first, then the successes that are no steps; only
    /// then, when nobody can write, does the window get its beginning, and the caller publishes the
    /// new epoch last.
    pub(crate) fn begin(&self, epoch: u64, config: &CircuitBreakerConfig, now: Tick) -> bool {
        let (sums, frame) = self.turn(|before, sums| {
            Frame::new(epoch, !before.odd(), config.clone(), now, sums, 0, Some(before))
        });
        self.plain.bump();
        let successes = self.successes(&sums);
        frame.begin_at(&sums, successes);
        self.run_base.fetch_max(sums.failures, Ordering::AcqRel);
        self.streak_base.fetch_max(successes, Ordering::AcqRel);
        self.trouble.store(0, Ordering::SeqCst);
        self.slow_after.store(slow_after(config), Ordering::Relaxed);
        self.edge.store(frame.edge().0, Ordering::Release);
        frame.odd()
    }

    /// The configuration changes within a visit: the samples stay if the geometry does, the run in
    /// any case, and the rules are asked at the next outcome, whatever it is (S30).
    pub(crate) fn reconfigure(&self, config: &CircuitBreakerConfig, moment: &Moment<'_>) -> bool {
        let generation = if self.with_config(|old| old.form() == config.form()) {
            self.change_rules(config)
        } else {
            self.change_form(config, moment)
        };
        self.slow_after.store(slow_after(config), Ordering::Relaxed);
        generation
    }

    fn change_rules(&self, config: &CircuitBreakerConfig) -> bool {
        let frame = Arc::clone(&self.frame.load());
        if frame.is_too_narrow_for(config) {
            let (_, frame) = self.turn(|before, sums| before.widened(config.clone(), sums));
            self.suspect();
            return frame.odd();
        }
        self.frame.store(Arc::new(frame.with_config(config.clone())));
        loop {
            let head = self.load();
            let Some(sums) = self.finish(head, &frame) else { continue };
            if self.swap(head, head.next(Step::Begin, &sums, false)) {
                self.suspect();
                return frame.odd();
            }
        }
    }

    fn change_form(&self, config: &CircuitBreakerConfig, moment: &Moment<'_>) -> bool {
        self.roll_on(moment);
        let now = moment.get();
        let (_, frame) = self.turn(|before, sums| {
            let successes = self.successes(sums);
            Frame::new(before.epoch(), !before.odd(), config.clone(), now, sums, successes, None)
        });
        self.edge.store(frame.edge().0, Ordering::Release);
        frame.odd()
    }

    /// Notes a roll that is due, so that a run which an interval has ended does not outlive it.
    pub(super) fn roll_on(&self, moment: &Moment<'_>) {
        loop {
            let head = self.load();
            let frame = Arc::clone(&self.frame.load());
            let Some(sums) = self.finish(head, &frame) else { continue };
            if !self.roll(head, &frame, &sums, moment) {
                return;
            }
        }
    }

    /// Puts another frame in force, with one step that no step prepared before can follow.
    fn turn(&self, make: impl Fn(&Frame, &Sums) -> Frame) -> (Sums, Arc<Frame>) {
        let before = Arc::clone(&self.frame.load());
        loop {
            let head = self.load();
            let Some(sums) = self.finish(head, &before) else { continue };
            let frame = make(&before, &sums);
            if let Some(marks) = frame.marks() {
                marks.begin_after(head);
            }
            // Until the step is made, the head belongs to the frame before.
            let both = Frame { previous: Some(Arc::clone(&before)), ..frame.clone() };
            self.frame.store(Arc::new(both));
            if self.swap(head, head.next(Step::Begin, &sums, false).turned()) {
                let frame = Arc::new(frame);
                self.frame.store(Arc::clone(&frame));
                return (sums, frame);
            }
        }
    }
}
