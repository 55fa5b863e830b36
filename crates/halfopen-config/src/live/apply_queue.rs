//! The queue of accepted steps, which one thread applies in order.
//!
//! A listener of the registry runs while a document is applied, and may read the configuration or apply the
//! next document: no lock is held while it runs. Steps that are accepted meanwhile wait in the queue for the
//! thread that is applying.

use halfopen_document::DocumentError;
use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use halfopen::Registry;

use super::Difference;
use super::apply::Step;
use crate::{Configuration, Loader};

/// A callback for each configuration, until it returns false.
#[derive(Clone)]
pub(super) struct Follower(Arc<Apply>);

type Apply = dyn Fn(&Arc<Configuration>) -> bool + Send + Sync;

pub(super) struct ApplyQueue {
    state: Mutex<State>,
    /// Notified after each step.
    taken: Condvar,
}

pub(super) struct State {
    loader: Loader,
    pub(super) configuration: Arc<Configuration>,
    /// The receivers of differences. Sends happen under the lock, so that all receivers have one order.
    pub(super) subscribers: Vec<Sender<Difference>>,
    pub(super) followers: Vec<Follower>,
    steps: VecDeque<Step>,
    /// The number of steps that were ever accepted; `done` is the number of those applied.
    accepted: u64,
    done: u64,
    at_it: Option<ThreadId>,
}

impl ApplyQueue {
    pub(super) fn new(loader: Loader, configuration: Arc<Configuration>) -> ApplyQueue {
        let state = State {
            loader,
            configuration,
            subscribers: Vec::new(),
            followers: Vec::new(),
            steps: VecDeque::new(),
            accepted: 0,
            done: 0,
            at_it: None,
        };
        ApplyQueue { state: Mutex::new(state), taken: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts the configuration of the next loader, if there is one, and applies it before it returns. A call
    /// from inside one of the registry's listeners returns first, and its step is applied soon after the
    /// listener has returned.
    pub(super) fn go_over(
        &self,
        registry: &Registry,
        next: impl FnOnce(&Loader) -> Option<Loader>,
    ) -> Result<(Difference, Arc<Configuration>), DocumentError> {
        let mut state = self.lock();
        // Under the lock: the next document is compared with the one before it, whichever thread applied that.
        let difference = match next(&state.loader) {
            Some(loader) => state.accept(loader)?,
            None => Difference::default(),
        };
        let configuration = Arc::clone(&state.configuration);
        let (me, mine) = (thread::current().id(), state.accepted);
        // Returns only when this change is in force, even if another thread carries it out: a caller that reads the
        // registry afterwards must see it.
        while state.done < mine {
            state = match state.at_it {
                // A listener of the step in progress would wait for itself.
                Some(other) if other == me => break,
                Some(_) => self.taken.wait(state).unwrap_or_else(PoisonError::into_inner),
                None => self.take_all(state, registry),
            };
        }
        Ok((difference, configuration))
    }

    /// Calls every follower without the lock, and removes those that return false.
    fn lead(&self, configuration: &Arc<Configuration>) {
        // A follower may apply a document itself, which takes the lock.
        let followers = self.lock().followers.clone();
        let ended = followers.into_iter().filter(|follower| !follower.call(configuration));
        let ended: Vec<_> = ended.collect();
        if !ended.is_empty() {
            let is_left = |follower: &Follower| !ended.iter().any(|ended| Arc::ptr_eq(&ended.0, &follower.0));
            self.lock().followers.retain(is_left);
        }
    }

    fn take_all<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        registry: &Registry,
    ) -> MutexGuard<'a, State> {
        state.at_it = Some(thread::current().id());
        while let Some(step) = state.steps.pop_front() {
            // Without the lock, as breakers notify listeners and followers run: they may apply documents
            // themselves.
            drop(state);
            step.apply(registry);
            self.lead(step.after());
            state = self.lock();
            state.done += 1;
            state.tell(&step.difference);
            // Each waiting thread compares the number of done steps with its own.
            self.taken.notify_all();
        }
        state.at_it = None;
        state
    }
}

impl Follower {
    pub(super) fn new(apply: impl Fn(&Arc<Configuration>) -> bool + Send + Sync + 'static) -> Follower {
        Follower(Arc::new(apply))
    }

    pub(super) fn call(&self, configuration: &Arc<Configuration>) -> bool {
        (self.0)(configuration)
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

impl State {
    fn accept(&mut self, loader: Loader) -> Result<Difference, DocumentError> {
        let next = Arc::new(loader.load()?);
        let before = std::mem::replace(&mut self.configuration, Arc::clone(&next));
        self.loader = loader;
        let step = Step::between(&before, next);
        let difference = step.difference.clone();
        self.steps.push_back(step);
        self.accepted += 1;
        Ok(difference)
    }

    /// Sends the difference to the receivers, and removes those that are dropped.
    fn tell(&mut self, difference: &Difference) {
        if !difference.is_empty() {
            self.subscribers.retain(|subscriber| subscriber.send(difference.clone()).is_ok());
        }
    }
}
