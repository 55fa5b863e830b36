//! The worker, which delivers stored items.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::lane_run::{LaneRun, Run};
use crate::lanes::Lanes;
use crate::sender::Sender;
use crate::store::{Claim, Claimed, Settlement, Then};
use crate::timestamp::Timestamp;

/// The time before the store is asked again after an error.
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(1);

/// The most items of a lane that one claim takes.
const ITEMS: usize = 16;

/// Whether an outbox goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Takes no items any more, and ends when all are delivered.
    Draining,
    Stopped,
}

pub(crate) struct Worker<S: Sender> {
    pub(crate) run: Arc<Run<S>>,
    pub(crate) lanes: Lanes,
    pub(crate) wake: Arc<Notify>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) concurrent_lanes: usize,
    /// How long a claim lasts if its worker is not heard of again.
    pub(crate) lease: Duration,
}

/// The lanes that are being delivered.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    lanes: HashMap<Id, Arc<str>>,
}

/// Why the worker has stopped waiting.
enum Woken {
    Stop,
    Drain,
    LaneEnded,
    Due,
}

impl<S: Sender> Worker<S> {
    pub(crate) async fn run(mut self) {
        let mut running = Running::default();
        let mut due = Some(Instant::now());
        loop {
            match self.wait(&mut running, due).await {
                Woken::Stop => break,
                Woken::Drain => {}
                Woken::LaneEnded => due = Some(Instant::now()),
                Woken::Due => due = self.claim(&mut running).await,
            }
            if self.is_drained(&running) {
                break;
            }
        }
        // A delivery that is in flight may have arrived: its item stays, and is delivered once more later.
        running.tasks.shutdown().await;
        // Together, as one commit serves them all. Without this, a lane is free when its lease ends.
        let freed = running.lanes.into_values().map(|lane| {
            let settlement = self.run.settlement(lane, Vec::new(), Then::Free(self.run.now()));
            self.run.writer.settle(settlement)
        });
        join_all(freed).await;
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, running: &mut Running, due: Option<Instant>) -> Woken {
        let room = running.lanes.len() < self.concurrent_lanes;
        let breaker = &self.run.shared.breaker;
        let due = async {
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(due) => {}
            }
            breaker.permitting().await;
        };
        tokio::select! {
            biased;
            // An error means that all handles are dropped.
            changed = self.phase.changed() => match changed.map(|()| *self.phase.borrow()) {
                Ok(Phase::Running | Phase::Draining) => Woken::Drain,
                Ok(Phase::Stopped) | Err(_) => Woken::Stop,
            },
            Some(ended) = running.tasks.join_next_with_id(), if !running.lanes.is_empty() => {
                running.ended(&ended);
                Woken::LaneEnded
            }
            () = due, if room => Woken::Due,
        }
    }

    /// Claims lanes and starts their delivery. Returns when to claim again if nothing else happens.
    async fn claim(&mut self, running: &mut Running) -> Option<Instant> {
        let room = self.concurrent_lanes - running.lanes.len();
        // A breaker that is not closed permits a few probes: lanes that it rejects would be claimed in vain.
        let (lanes, items) = if self.run.shared.breaker.is_closed() { (room, ITEMS) } else { (1, 1) };
        let now = self.run.now();
        let expires = now.after(self.lease);
        let worker = Arc::clone(&self.run.worker);
        let claim = Claim { worker, lanes, items, now, until: expires };
        let Ok(Claimed { lanes: claimed, next }) = self.run.writer.claim(claim).await else {
            return Some(Instant::now() + STORE_RETRY);
        };
        let more = claimed.len() == lanes;
        for lane in claimed {
            // One that is being delivered is claimed again if its claim has expired: the clock was set, or the store was
            // away for longer than a claim lasts.
            if !running.has(&lane.lane) {
                let (run, phase) = (Arc::clone(&self.run), self.phase.clone());
                running.start(LaneRun { run, lane, phase, lease: self.lease, expires });
            }
        }
        if more { Some(Instant::now()) } else { next.map(|next| Instant::now() + until(next, now)) }
    }

    fn is_drained(&self, running: &Running) -> bool {
        let draining = *self.phase.borrow() != Phase::Running;
        draining && running.lanes.is_empty() && self.lanes.is_empty()
    }
}

impl Running {
    fn start<S: Sender>(&mut self, lane_run: LaneRun<S>) {
        let name = Arc::clone(&lane_run.lane.lane);
        let task = self.tasks.spawn(lane_run.run().boxed());
        self.lanes.insert(task.id(), name);
    }

    fn has(&self, lane: &Arc<str>) -> bool {
        self.lanes.values().any(|running| running == lane)
    }

    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.lanes.remove(&id);
    }
}

impl<S: Sender> Run<S> {
    pub(crate) fn settlement(
        &self,
        lane: Arc<str>,
        results: Vec<(u64, crate::store::EntryResult)>,
        then: Then,
    ) -> Settlement {
        Settlement { worker: Arc::clone(&self.worker), lane, results, then }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn until(next: Timestamp, now: Timestamp) -> Duration {
    // At least a millisecond: the store has just answered that nothing is free now.
    next.since(now).max(Duration::from_millis(1))
}
