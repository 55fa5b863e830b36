//! How the steps of a window are applied, by whoever comes next.

use super::frame::{Frame, Store};
use super::head::{Head, Step};
use super::sums::Sums;
use super::{Window, raise};
use crate::clock::{Moment, Tick};
use crate::sync::Ordering;

impl Window {
    /// Applies the step of `head` wherever it has not been, and gives the sums after it; none if the
    /// head has moved on.
    pub(super) fn finish(&self, head: Head, frame: &Frame) -> Option<Sums> {
        let unmoved = || self.load() == head;
        let sums = self.sums.apply(head, unmoved)?;
        match head.step() {
            Step::Begin => {}
            Step::Record(kind) => {
                if let (Store::Ring(ring, _), false) = (&frame.store, kind.is_plain()) {
                    let total = || self.recorded(&sums);
                    ring.note(head.turn(), kind, total, unmoved)?;
                }
                if kind.failure {
                    self.break_streak(&sums, unmoved)?;
                } else {
                    self.run_base.fetch_max(sums.failures, Ordering::AcqRel);
                }
            }
            Step::Roll => self.finish_roll(head, frame, &sums, unmoved)?,
        }
        unmoved().then_some(sums)
    }

    /// A failure ends a run of successes, before any success can begin the next.
    fn break_streak(&self, sums: &Sums, unmoved: impl Fn() -> bool) -> Option<()> {
        let successes = self.successes(sums);
        if !unmoved() {
            return None;
        }
        raise(&self.streak_base, successes);
        Some(())
    }

    fn finish_roll(&self, head: Head, frame: &Frame, sums: &Sums, unmoved: impl Fn() -> bool) -> Option<()> {
        let marks = frame.marks()?;
        let edge = self.edge.load(Ordering::Acquire);
        let successes = marks.roll(head, sums, || self.successes(sums), unmoved)?;
        if frame.tumbles() {
            self.run_base.fetch_max(sums.failures, Ordering::AcqRel);
            self.streak_base.fetch_max(successes, Ordering::AcqRel);
        }
        self.move_edge(edge, frame.edge());
        Some(())
    }

    /// From the value that was seen, so that a helper who comes late moves nothing.
    pub(super) fn move_edge(&self, seen: u64, end: Tick) {
        if end.0 > seen {
            let _ = self.edge.compare_exchange(seen, end.0, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Rolls the window on if its current bucket is over; true if the head is to be looked at again.
    pub(super) fn roll(&self, head: Head, frame: &Frame, sums: &Sums, moment: &Moment<'_>) -> bool {
        let Some(marks) = frame.marks().filter(|marks| marks.rolls()) else { return false };
        let edge = self.edge.load(Ordering::Acquire);
        let now = moment.get();
        let (index, current) = (marks.index(now), marks.current());
        if index <= current {
            if now.0 >= edge {
                // The edge was still that of the bucket, or the window, before.
                self.move_edge(edge, marks.end(current));
            }
            return false;
        }
        marks.aim(index);
        let calm = head.calm() || frame.tumbles();
        let next = head.next(Step::Roll, sums, calm);
        if self.swap(head, next) {
            moment.note_roll();
            let _ = self.finish(next, frame);
        }
        true
    }

    /// Applies the step that is under way, if there is one.
    #[cold]
    pub(super) fn help(&self) {
        let head = self.load();
        let loaded = self.frame.load();
        if let Some(frame) = loaded.of(head) {
            let _ = self.finish(head, frame);
        }
    }
}
