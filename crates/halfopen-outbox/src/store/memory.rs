use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use super::leases::Leases;
use super::{
    AppendOutcome, Appended, Claim, Claimed, ClaimedLane, DeadLetter, Dropped, Entry, EntryResult, LaneState,
    LaneStatus, Requeued, Settled, Settlement, Store, StoreFuture, StoreStatus, Totals,
};
use crate::item::Item;
use crate::limits::{Limits, Overflow};
use crate::lock;
use crate::timestamp::Timestamp;

/// A store in memory: its items are lost when the process ends.
///
/// Intended for tests, and for items that are worth no disk.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    lanes: BTreeMap<Arc<str>, VecDeque<Waiting>>,
    /// The lanes of all items, in the order in which they were appended.
    order: BTreeMap<u64, Arc<str>>,
    keys: HashSet<Box<str>>,
    dead: BTreeMap<u64, DeadLetter>,
    bytes: u64,
    leases: Leases,
    /// The lane that was claimed last, after which the next search begins.
    last: Option<Arc<str>>,
}

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    last_error: Option<Arc<str>>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Applies an operation. None of them panics half-way, so poison has no meaning here.
    fn with<T: Send + 'static>(&self, operation: impl FnOnce(&mut State) -> T) -> StoreFuture<'_, T> {
        let result = operation(&mut lock(&self.0));
        Box::pin(std::future::ready(Ok(result)))
    }
}

impl Store for MemoryStore {
    fn append(&self, items: Vec<Item>, limits: Limits, now: Timestamp) -> StoreFuture<'_, Appended> {
        self.with(|state| state.append(items, limits, now))
    }

    fn claim(&self, claim: Claim) -> StoreFuture<'_, Claimed> {
        self.with(|state| state.claim(&claim))
    }

    fn settle(&self, settlements: Vec<Settlement>, now: Timestamp) -> StoreFuture<'_, Settled> {
        self.with(|state| {
            settlements.iter().for_each(|settlement| state.settle(settlement, now));
            let lanes = settlements.iter().map(|settlement| Arc::clone(&settlement.lane)).collect();
            let lanes = state.states(lanes);
            state.leases.forget_empty(&lanes);
            Settled { lanes, totals: state.totals() }
        })
    }

    fn lanes(&self) -> StoreFuture<'_, Vec<Arc<str>>> {
        self.with(|state| state.lanes.keys().cloned().collect())
    }

    fn status(&self, lanes: usize) -> StoreFuture<'_, StoreStatus> {
        self.with(|state| StoreStatus { totals: state.totals(), lanes: state.oldest_lanes(lanes) })
    }

    fn dead_letters(&self, after: Option<u64>, limit: usize) -> StoreFuture<'_, Vec<DeadLetter>> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.with(|state| {
            state
                .dead
                .range((after, Bound::Unbounded))
                .take(limit)
                .map(|(_, letter)| letter.clone())
                .collect()
        })
    }

    fn requeue(&self, ids: Vec<u64>, now: Timestamp) -> StoreFuture<'_, Requeued> {
        self.with(|state| {
            let letters: Vec<_> = ids.iter().filter_map(|id| state.take_dead(*id)).collect();
            let lanes = letters.iter().map(|letter| Arc::clone(letter.item.shared_lane())).collect();
            let count = letters.len() as u64;
            letters.into_iter().for_each(|letter| state.push(letter.item, now));
            Requeued { letters: count, lanes: state.states(lanes) }
        })
    }

    fn remove(&self, ids: Vec<u64>) -> StoreFuture<'_, u64> {
        self.with(|state| ids.iter().filter_map(|id| state.take_dead(*id)).count() as u64)
    }
}

impl State {
    fn append(&mut self, items: Vec<Item>, limits: Limits, now: Timestamp) -> Appended {
        let (mut outcomes, mut dropped, mut lanes) = (Vec::new(), Vec::new(), BTreeSet::new());
        for item in items {
            let lane = Arc::clone(item.shared_lane());
            let outcome = self.append_one(item, limits, now, &mut dropped);
            lanes.insert(lane);
            outcomes.push(outcome);
        }
        let waited = dropped.iter().filter(|dropped| !dropped.dead_letter);
        lanes.extend(waited.map(|dropped| Arc::clone(dropped.item.shared_lane())));
        let lanes = self.states(lanes);
        self.leases.forget_empty(&lanes);
        Appended { outcomes, dropped, lanes, totals: self.totals() }
    }

    fn append_one(
        &mut self,
        item: Item,
        limits: Limits,
        now: Timestamp,
        dropped: &mut Vec<Dropped>,
    ) -> AppendOutcome {
        if self.keys.contains(item.idempotency_key()) {
            return AppendOutcome::Duplicate;
        }
        if !limits.permit(1, item.size()) {
            return AppendOutcome::Full;
        }
        while !limits.permit(self.len() + 1, self.bytes + item.size()) {
            match limits.overflow {
                Overflow::Reject => return AppendOutcome::Full,
                Overflow::DropOldest => dropped.extend(self.drop_oldest()),
            }
        }
        self.push(item, now);
        AppendOutcome::Stored
    }

    fn drop_oldest(&mut self) -> Option<Dropped> {
        if let Some(id) = self.dead.keys().next().copied() {
            return self.take_dead(id).map(|letter| Dropped { item: letter.item, dead_letter: true });
        }
        let id = self.order.keys().next().copied()?;
        self.take(id).map(|waiting| Dropped { item: waiting.entry.item, dead_letter: false })
    }

    /// Appends an item, unless its key is taken.
    fn push(&mut self, item: Item, now: Timestamp) {
        if !self.keys.insert(item.idempotency_key().into()) {
            return;
        }
        self.next_id += 1;
        let (id, lane) = (self.next_id, Arc::clone(item.shared_lane()));
        self.bytes += item.size();
        self.order.insert(id, Arc::clone(&lane));
        let entry = Entry { id, item, attempts: 0, stored_at: now };
        self.lanes.entry(lane).or_default().push_back(Waiting { entry, last_error: None });
    }

    fn claim(&mut self, claim: &Claim) -> Claimed {
        self.leases.search(claim.now);
        let free: Vec<Arc<str>> = self
            .after_the_last()
            .filter(|lane| self.leases.is_free(lane, claim.now))
            .take(claim.lanes)
            .cloned()
            .collect();
        self.last = free.last().cloned().or(self.last.take());
        let mut lanes = Vec::new();
        for lane in free {
            self.leases.claim(Arc::clone(&lane), Arc::clone(&claim.worker), claim.until);
            let entries = self.lanes[&lane].iter().take(claim.items).map(|waiting| waiting.entry.clone());
            lanes.push(ClaimedLane { entries: entries.collect(), lane });
        }
        Claimed { lanes, next: self.leases.next(claim.now) }
    }

    /// Returns all lanes, once around from the one after that which was claimed last.
    fn after_the_last(&self) -> impl Iterator<Item = &Arc<str>> {
        let last = self.last.as_ref();
        let after = last.map_or(Bound::Unbounded, |lane| Bound::Excluded(Arc::clone(lane)));
        let first = self.lanes.range((after, Bound::Unbounded));
        let rest = self.lanes.iter().take_while(move |(lane, _)| last.is_some_and(|last| *lane <= last));
        first.chain(rest).map(|(lane, _)| lane)
    }

    fn settle(&mut self, settlement: &Settlement, now: Timestamp) {
        for (id, result) in &settlement.results {
            match result {
                EntryResult::Delivered => {
                    self.take(*id);
                }
                EntryResult::Failed { error, counted } => {
                    if let Some(waiting) = self.find(*id) {
                        waiting.entry.attempts += u32::from(*counted);
                        waiting.last_error = Some(Arc::clone(error));
                    }
                }
                EntryResult::Dead { error } => self.set_aside(*id, error, now),
            }
        }
        self.leases.settle(&settlement.lane, &settlement.worker, settlement.then);
    }

    fn set_aside(&mut self, id: u64, error: &Arc<str>, now: Timestamp) {
        let Some(Waiting { entry, .. }) = self.take(id) else { return };
        self.bytes += entry.item.size();
        let letter = DeadLetter {
            id,
            item: entry.item,
            attempts: entry.attempts + 1,
            error: Arc::clone(error),
            stored_at: entry.stored_at,
            dead_at: now,
        };
        self.dead.insert(id, letter);
    }

    fn find(&mut self, id: u64) -> Option<&mut Waiting> {
        let lane = self.order.get(&id)?;
        self.lanes.get_mut(lane)?.iter_mut().find(|waiting| waiting.entry.id == id)
    }

    fn take(&mut self, id: u64) -> Option<Waiting> {
        let lane = self.order.remove(&id)?;
        let waiting = self.lanes.get_mut(&lane)?;
        let place = waiting.iter().position(|waiting| waiting.entry.id == id)?;
        let taken = waiting.remove(place)?;
        if waiting.is_empty() {
            self.lanes.remove(&lane);
        }
        self.keys.remove(taken.entry.item.idempotency_key());
        self.bytes -= taken.entry.item.size();
        Some(taken)
    }

    fn take_dead(&mut self, id: u64) -> Option<DeadLetter> {
        let letter = self.dead.remove(&id)?;
        self.bytes -= letter.item.size();
        Some(letter)
    }

    fn len(&self) -> u64 {
        (self.order.len() + self.dead.len()) as u64
    }

    fn totals(&self) -> Totals {
        let first = self.order.values().next().and_then(|lane| self.lanes.get(lane)?.front());
        Totals {
            items: self.order.len() as u64,
            dead_letters: self.dead.len() as u64,
            bytes: self.bytes,
            oldest: first.map(|waiting| waiting.entry.stored_at),
        }
    }

    fn states(&self, lanes: BTreeSet<Arc<str>>) -> Vec<LaneState> {
        let state = |lane| LaneState { has_items: self.lanes.contains_key(&lane), lane };
        lanes.into_iter().map(state).collect()
    }

    fn oldest_lanes(&self, limit: usize) -> Vec<LaneStatus> {
        let mut seen = BTreeSet::new();
        let first = self.order.values().filter(|lane| seen.insert(Arc::clone(lane))).take(limit);
        first.filter_map(|lane| self.lane_status(lane)).collect()
    }

    fn lane_status(&self, lane: &Arc<str>) -> Option<LaneStatus> {
        let waiting = self.lanes.get(lane)?;
        let first = waiting.front()?;
        Some(LaneStatus {
            lane: Arc::clone(lane),
            items: waiting.len() as u64,
            oldest: first.entry.stored_at,
            attempts: first.entry.attempts,
            last_error: first.last_error.clone(),
        })
    }
}
