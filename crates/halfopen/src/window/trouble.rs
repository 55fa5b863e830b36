//! When a success has to be weighed: after an outcome from which a success could make a rule fire.

use super::Window;
use super::frame::Frame;
use super::head::Head;
use super::sums::Sums;
use crate::clock::Moment;
use crate::config::Rule;
use crate::counts::Counts;
use crate::sync::Ordering;

impl Window {
    /// Whether a plain success that comes after these sums can make a rule fire.
    fn weighs_successes(&self, frame: &Frame, sums: &Sums) -> bool {
        frame.weighs_successes(self.recorded(sums))
    }

    /// Whether a success that is a step after these sums is to be weighed.
    pub(super) fn is_to_be_weighed(&self, frame: &Frame, before: &Sums) -> bool {
        self.trouble() != 0 || self.weighs_successes(frame, before)
    }

    /// From here on plain successes are weighed, if any rule could fire on one.
    ///
    /// Also after a success that ends a run of failures: whoever wrote the last of them may have got no
    /// further than making it a step.
    pub(super) fn note_trouble(&self, frame: &Frame, head: Head, after: &Sums) {
        if self.weighs_successes(frame, after) {
            self.trouble.fetch_max(head.ticket(), Ordering::SeqCst);
            crate::sync::model_fence();
        }
    }

    /// The step since which plain successes must be weighed; zero if none need be.
    #[inline]
    pub(crate) fn trouble(&self) -> u64 {
        self.trouble.load(Ordering::SeqCst)
    }

    /// Lets successes go unweighed again, if none can make a rule fire before more trouble comes.
    pub(crate) fn settle_trouble(&self, moment: &Moment<'_>, reached: impl Fn(&[Rule], &Counts) -> bool) {
        // Before anything else: trouble that comes meanwhile is not what is settled here.
        let seen = self.trouble();
        let head = self.load();
        let loaded = self.frame.load();
        let Some(frame) = loaded.of(head) else { return };
        let Some(sums) = self.finish(head, frame) else { return };
        let plain = self.plain.sum();
        let (now, unmoved) = (|| moment.get(), || self.load() == head);
        let Some(whole) = frame.counts(head, &sums, || plain, now, unmoved) else { return };
        let reached = |counts: &Counts| reached(frame.config.rules(), counts);
        if frame.is_settled(&sums, plain, now, &whole, reached) && unmoved() {
            let _ = self.trouble.compare_exchange(seen, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
    }

    /// What lies in the window was recorded under rules that may not have asked successes.
    pub(super) fn suspect(&self) {
        self.trouble.fetch_max(self.load().ticket(), Ordering::SeqCst);
    }
}
