//! Which lanes have buffered items: new items of these are buffered behind them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock;
use crate::store::LaneState;

#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    lanes: Mutex<HashMap<Arc<str>, Lane>>,
    /// The number of lanes, so that an outbox without buffered items takes no lock.
    len: AtomicUsize,
}

#[derive(Debug, Default)]
struct Lane {
    /// Items that are on their way to the store.
    pending: u64,
    /// Whether the store has items.
    stored: bool,
}

/// An item on its way to the store. Its lane counts as buffered until this is dropped.
#[derive(Debug)]
pub(crate) struct Pending {
    lanes: Lanes,
    lane: Arc<str>,
}

impl Lanes {
    /// Whether an item of this lane has to wait behind others.
    pub(crate) fn is_buffered(&self, lane: &str) -> bool {
        // Acquire and Release: a task that has received `Buffered` sees the lane of its item here.
        self.0.len.load(Ordering::Acquire) != 0 && self.lock().contains_key(lane)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len.load(Ordering::Acquire) == 0
    }

    /// Marks a lane before its item is handed to the store, so that none can overtake it.
    pub(crate) fn pend(&self, lane: &Arc<str>) -> Pending {
        self.change(|lanes| lanes.entry(Arc::clone(lane)).or_default().pending += 1);
        Pending { lanes: self.clone(), lane: Arc::clone(lane) }
    }

    /// Takes over the states of some lanes in the store.
    pub(crate) fn update(&self, states: &[LaneState]) {
        self.change(|lanes| {
            for LaneState { lane, has_items } in states {
                set(lanes, lane, *has_items);
            }
        });
    }

    /// Takes over the lanes that have items in the store.
    pub(crate) fn replace(&self, stored: &[Arc<str>]) {
        self.change(|lanes| {
            lanes.values_mut().for_each(|lane| lane.stored = false);
            stored.iter().for_each(|lane| set(lanes, lane, true));
            lanes.retain(|_, lane| !lane.is_idle());
        });
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Lane>)) {
        let mut lanes = self.lock();
        change(&mut lanes);
        self.0.len.store(lanes.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Lane>> {
        lock(&self.0.lanes)
    }
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.pending == 0 && !self.stored
    }
}

fn set(lanes: &mut HashMap<Arc<str>, Lane>, name: &Arc<str>, stored: bool) {
    let lane = lanes.entry(Arc::clone(name)).or_default();
    lane.stored = stored;
    if lane.is_idle() {
        lanes.remove(name);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.lanes.change(|lanes| {
            let Some(lane) = lanes.get_mut(&self.lane) else { return };
            lane.pending -= 1;
            if lane.is_idle() {
                lanes.remove(&self.lane);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(lane: &str, has_items: bool) -> LaneState {
        LaneState { lane: lane.into(), has_items }
    }

    #[test]
    fn a_lane_is_buffered_from_the_hand_over_to_the_last_item() {
        let lanes = Lanes::default();
        let pending = lanes.pend(&"a".into());
        assert!(lanes.is_buffered("a") && !lanes.is_buffered("b"));

        lanes.update(&[state("a", true)]);
        drop(pending);
        assert!(lanes.is_buffered("a"));

        lanes.update(&[state("a", false)]);
        assert!(!lanes.is_buffered("a") && lanes.is_empty());
    }

    #[test]
    fn an_item_that_was_not_stored_leaves_no_mark() {
        let lanes = Lanes::default();
        drop(lanes.pend(&"a".into()));
        assert!(lanes.is_empty());
    }

    #[test]
    fn a_replaced_table_keeps_what_is_on_its_way() {
        let lanes = Lanes::default();
        let pending = lanes.pend(&"a".into());
        lanes.update(&[state("b", true)]);
        lanes.replace(&["c".into()]);
        assert_eq!(["a", "b", "c"].map(|lane| lanes.is_buffered(lane)), [true, false, true]);
        drop(pending);
        assert!(!lanes.is_buffered("a"));
    }
}
