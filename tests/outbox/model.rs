//! A plain model of a store: lists, searched from the front.

use std::collections::HashMap;
use std::sync::Arc;

use halfopen_outbox::{
    AppendOutcome, Appended, Claim, Claimed, DeadLetter, Dropped, EntryResult, Item, LaneState, LaneStatus,
    Limits, Overflow, Requeued, Settled, Settlement, StoreStatus, Then, Timestamp, Totals,
};

#[derive(Debug, Default)]
pub(crate) struct Model {
    last_id: u64,
    pub(crate) items: Vec<Waiting>,
    pub(crate) dead: Vec<DeadLetter>,
    /// The owner of each lane that is not free, and until when.
    claims: HashMap<Arc<str>, (Option<Arc<str>>, Timestamp)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) item: Item,
    pub(crate) attempts: u32,
    stored_at: Timestamp,
    last_error: Option<Arc<str>>,
}

impl Model {
    pub(crate) fn append(&mut self, items: Vec<Item>, limits: Limits, now: Timestamp) -> Appended {
        let mut lanes: Vec<String> = items.iter().map(|item| item.lane_name().to_owned()).collect();
        let (mut outcomes, mut dropped) = (Vec::new(), Vec::new());
        for item in items {
            outcomes.push(self.append_one(item, limits, now, &mut dropped));
        }
        let waited = dropped.iter().filter(|dropped| !dropped.dead_letter);
        lanes.extend(waited.map(|dropped| dropped.item.lane_name().to_owned()));
        self.forget_empty_lanes();
        Appended { outcomes, dropped, lanes: self.states(lanes), totals: self.totals() }
    }

    fn append_one(
        &mut self,
        item: Item,
        limits: Limits,
        now: Timestamp,
        dropped: &mut Vec<Dropped>,
    ) -> AppendOutcome {
        if self.has_key(&item) {
            return AppendOutcome::Duplicate;
        }
        if item.size() > limits.max_bytes || limits.max_items == 0 {
            return AppendOutcome::Full;
        }
        loop {
            let totals = self.totals();
            let count = totals.items + totals.dead_letters + 1;
            if count <= limits.max_items && totals.bytes + item.size() <= limits.max_bytes {
                break;
            }
            if limits.overflow == Overflow::Reject {
                return AppendOutcome::Full;
            }
            dropped.push(if self.dead.is_empty() {
                Dropped { item: self.items.remove(0).item, dead_letter: false }
            } else {
                Dropped { item: self.dead.remove(0).item, dead_letter: true }
            });
        }
        self.push(item, now);
        AppendOutcome::Stored
    }

    fn push(&mut self, item: Item, now: Timestamp) {
        self.last_id += 1;
        let (id, stored_at) = (self.last_id, now);
        self.items.push(Waiting { id, item, attempts: 0, stored_at, last_error: None });
    }

    fn has_key(&self, item: &Item) -> bool {
        self.items.iter().any(|waiting| waiting.item.idempotency_key() == item.idempotency_key())
    }

    /// Checks what a store has claimed, and claims the same.
    pub(crate) fn check_claim(&mut self, claim: &Claim, claimed: &Claimed) {
        let free = |lane: &str| self.claims.get(lane).is_none_or(|(_, until)| *until <= claim.now);
        let mut lanes: Vec<&str> = self.items.iter().map(|waiting| waiting.item.lane_name()).collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes.retain(|lane| free(lane));
        assert_eq!(claimed.lanes.len(), lanes.len().min(claim.lanes), "free are {lanes:?}: {claimed:?}");
        for (index, lane) in claimed.lanes.iter().enumerate() {
            assert!(lanes.contains(&&*lane.lane), "{:?} is not free", lane.lane);
            assert!(claimed.lanes[..index].iter().all(|other| other.lane != lane.lane), "{claimed:?}");
            let expected = self.items.iter().filter(|waiting| waiting.item.lane_name() == &*lane.lane);
            let expected = expected.take(claim.items);
            let expected: Vec<_> =
                expected.map(|w| (w.id, w.item.clone(), w.attempts, w.stored_at)).collect();
            let entries = lane.entries.iter();
            let entries: Vec<_> = entries.map(|e| (e.id, e.item.clone(), e.attempts, e.stored_at)).collect();
            assert_eq!(entries, expected);
        }
        for lane in &claimed.lanes {
            self.claims.insert(Arc::clone(&lane.lane), (Some(Arc::clone(&claim.worker)), claim.until));
        }
        let earliest = self.claims.values().map(|(_, until)| *until).filter(|until| *until > claim.now).min();
        assert!(earliest.is_none() || claimed.next.is_some_and(|next| Some(next) <= earliest), "{claimed:?}");
        assert!(claimed.next.is_none_or(|next| next > claim.now), "{claimed:?}");
    }

    pub(crate) fn settle(&mut self, settlements: &[Settlement], now: Timestamp) -> Settled {
        for settlement in settlements {
            for (id, result) in &settlement.results {
                self.settle_one(*id, result, now);
            }
            if let Some(claim) = self.claims.get_mut(&settlement.lane)
                && claim.0.as_ref() == Some(&settlement.worker)
            {
                *claim = match settlement.then {
                    Then::Keep(until) => (claim.0.clone(), until),
                    Then::Free(at) => (None, at),
                };
            }
        }
        self.forget_empty_lanes();
        let lanes = settlements.iter().map(|settlement| settlement.lane.to_string()).collect();
        Settled { lanes: self.states(lanes), totals: self.totals() }
    }

    fn settle_one(&mut self, id: u64, result: &EntryResult, now: Timestamp) {
        let Some(place) = self.items.iter().position(|waiting| waiting.id == id) else { return };
        match result {
            EntryResult::Delivered => {
                self.items.remove(place);
            }
            EntryResult::Failed { error, counted } => {
                self.items[place].attempts += u32::from(*counted);
                self.items[place].last_error = Some(Arc::clone(error));
            }
            EntryResult::Dead { error } => {
                let Waiting { id, item, attempts, stored_at, .. } = self.items.remove(place);
                let (attempts, error) = (attempts + 1, Arc::clone(error));
                self.dead.push(DeadLetter { id, item, attempts, error, stored_at, dead_at: now });
                self.dead.sort_by_key(|letter| letter.id);
            }
        }
    }

    pub(crate) fn requeue(&mut self, ids: &[u64], now: Timestamp) -> Requeued {
        let (mut letters, mut lanes) = (0, Vec::new());
        for id in ids {
            let Some(place) = self.dead.iter().position(|letter| letter.id == *id) else { continue };
            let item = self.dead.remove(place).item;
            letters += 1;
            lanes.push(item.lane_name().to_owned());
            if !self.has_key(&item) {
                self.push(item, now);
            }
        }
        Requeued { letters, lanes: self.states(lanes) }
    }

    pub(crate) fn remove(&mut self, ids: &[u64]) -> u64 {
        let before = self.dead.len();
        self.dead.retain(|letter| !ids.contains(&letter.id));
        (before - self.dead.len()) as u64
    }

    pub(crate) fn status(&self, limit: usize) -> StoreStatus {
        let mut lanes: Vec<LaneStatus> = Vec::new();
        for waiting in &self.items {
            match lanes.iter_mut().find(|lane| &*lane.lane == waiting.item.lane_name()) {
                Some(lane) => lane.items += 1,
                None => lanes.push(LaneStatus {
                    lane: waiting.item.lane_name().into(),
                    items: 1,
                    oldest: waiting.stored_at,
                    attempts: waiting.attempts,
                    last_error: waiting.last_error.clone(),
                }),
            }
        }
        lanes.truncate(limit);
        StoreStatus { totals: self.totals(), lanes }
    }

    fn totals(&self) -> Totals {
        let items = self.items.iter().map(|waiting| waiting.item.size());
        Totals {
            items: self.items.len() as u64,
            dead_letters: self.dead.len() as u64,
            bytes: items.chain(self.dead.iter().map(|letter| letter.item.size())).sum(),
            oldest: self.items.first().map(|waiting| waiting.stored_at),
        }
    }

    fn states(&self, mut lanes: Vec<String>) -> Vec<LaneState> {
        lanes.sort_unstable();
        lanes.dedup();
        let state = |lane: String| LaneState { has_items: self.has_items(&lane), lane: lane.into() };
        lanes.into_iter().map(state).collect()
    }

    fn has_items(&self, lane: &str) -> bool {
        self.items.iter().any(|waiting| waiting.item.lane_name() == lane)
    }

    fn forget_empty_lanes(&mut self) {
        let items = &self.items;
        self.claims.retain(|lane, _| items.iter().any(|waiting| waiting.item.lane_name() == &**lane));
    }
}
