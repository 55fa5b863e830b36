use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreaker, Clock, Registry, Totals, adapter};
use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Script};

use super::event::{FleetEvent, Shared};
use super::node::{Action, Answer, Heard, Local, act, hear, report};
use super::status::{FleetStatus, SharedBreaker};
use super::wire::{self, Entry, Window};
use super::{FLEET_SCRIPT, FleetConfig};

/// A node of a fleet that syncs when [`sync`](Self::sync) is called: for programs with a scheduler of their own, and
/// for tests.
///
/// [`Fleet::join`](crate::Fleet::join) has one that syncs in a task of its own.
#[must_use = "a member does nothing until it syncs"]
pub struct FleetMember<C> {
    registry: Registry,
    connection: C,
    config: FleetConfig,
    script: Script,
    node: String,
    /// The shared breakers of the registry by name.
    known: BTreeMap<Arc<str>, Known>,
    /// Whether the next sync extends the life of this node on the server, which every second one does.
    extends: bool,
    shared: Arc<Shared>,
    clock: Clock,
}

/// The state of a breaker that is kept from one sync to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    counted: Counted,
    heard: Heard,
}

/// Lifetime totals, or their growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    successes: u64,
    failures: u64,
    rejected: u64,
}

/// A breaker in a sync.
struct Subject {
    breaker: CircuitBreaker,
    local: Local,
    known: Known,
    entry: Entry,
}

impl<C: ConnectionLike + Send> FleetMember<C> {
    /// Creates a node. Sends nothing.
    ///
    /// Calls from before are not shared. Breakers that the registry gets later are.
    pub fn new(registry: Registry, connection: C, config: FleetConfig) -> Self {
        // 64 random bits: not two of a thousand nodes have the same in the lifetime of any fleet.
        let node = format!("{:016x}", RandomState::new().hash_one(()));
        let shared = Arc::new(Shared::new(&config, &node));
        // What was counted before the node joined is no evidence about now, so that it is regarded as sent.
        let old = registry.breakers().into_iter().filter(|breaker| config.shares(breaker.name()));
        let old = old.map(|breaker| {
            let snapshot = breaker.snapshot();
            (snapshot.name, Known { counted: Counted::of(&snapshot.totals), heard: Heard::default() })
        });
        FleetMember {
            known: old.collect(),
            registry,
            connection,
            config,
            script: Script::new(FLEET_SCRIPT),
            node,
            extends: true,
            shared,
            clock: Clock::system(),
        }
    }

    /// Returns the random id of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns the state of the fleet as of the last sync.
    pub fn status(&self) -> FleetStatus {
        self.shared.status()
    }

    /// Replaces the configuration from the next sync on.
    ///
    /// In a fleet of another name or prefix the node begins anew: breakers that the old one has opened run to the end of
    /// their leases.
    pub fn set_config(&mut self, config: FleetConfig) {
        if config == self.config {
            return;
        }
        if (&config.fleet, &config.prefix) != (&self.config.fleet, &self.config.prefix) {
            self.extends = true;
            self.known.values_mut().for_each(|known| known.heard = Heard::default());
            self.shared.rename(&config.fleet);
        }
        self.config = config;
    }

    pub(super) fn sync_interval(&self) -> Duration {
        self.config.sync_interval
    }

    /// Calls a listener when this node loses its server, and when the server is back: [`Fleet::on_event`].
    ///
    /// [`Fleet::on_event`]: crate::Fleet::on_event
    pub fn on_event(&self, listener: impl Fn(&FleetEvent) + Send + Sync + 'static) {
        self.shared.listen(listener);
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Sends the counts of the breakers since the last sync, in one request, and applies the fleet's answer: opens
    /// breakers, and ends the wait of those that probe.
    ///
    /// # Errors
    ///
    /// An error of the server, or none within a [`sync_interval`](FleetConfig::sync_interval). The breakers
    /// stay as they are, and their counts are not sent again: they may have arrived.
    ///
    /// # Cancel safety
    ///
    /// A dropped sync is as one that failed.
    pub async fn sync(&mut self) -> RedisResult<()> {
        // Before the request is written: an answer is at most as old as the time since then, by which leases are shortened.
        let sent = self.clock.elapsed();
        let subjects = self.prepare();
        let limit = self.config.sync_interval.max(SHORTEST_LIMIT);
        let extends = std::mem::replace(&mut self.extends, true);
        let reply = tokio::time::timeout(limit, self.ask(&subjects, extends)).await;
        let reply = reply.unwrap_or_else(|_| Err(crate::client::no_reply(limit)));
        let took = self.clock.elapsed().saturating_sub(sent);
        let epochs = subjects.iter().map(|subject| subject.entry.epoch);
        match reply.and_then(|reply| wire::parse(&reply, epochs, took).ok_or_else(garbled)) {
            Ok((nodes, answers)) => {
                self.extends = !extends;
                let seen = subjects.iter().zip(answers).map(|(subject, answer)| self.obey(subject, answer));
                let seen = seen.collect::<Vec<_>>();
                // Only the breakers of this sync stay known: a later one of the same name must not inherit a role.
                self.known = seen.iter().map(|(name, known, _)| (Arc::clone(name), *known)).collect();
                let breakers = seen.into_iter().map(|(_, _, shared)| shared).collect();
                self.shared.update(|syncs| syncs.heard(nodes, breakers));
                Ok(())
            }
            Err(error) => {
                self.shared.update(|syncs| syncs.lost(&error));
                Err(error)
            }
        }
    }

    /// The breakers of this sync, and their entries. Their counts are regarded as sent from now on.
    fn prepare(&mut self) -> Vec<Subject> {
        let breakers = self.registry.breakers().into_iter();
        let breakers = breakers.filter(|one| wire::fits(one.name()) && self.config.shares(one.name()));
        let mut subjects = Vec::new();
        for breaker in breakers.take(MOST_BREAKERS) {
            let snapshot = breaker.snapshot();
            let known = self.known.entry(Arc::clone(&snapshot.name)).or_default();
            let counted = Counted::of(&snapshot.totals);
            let new = counted.since(known.counted);
            // Advanced before the request: it is better to lose the counts of one that fails than to send them twice, which
            // could open breakers.
            known.counted = counted;
            let (local, known) = (Local::of(&snapshot), *known);
            let heard = known.heard;
            let calls = new.successes.saturating_add(new.failures);
            let report = report(local, heard, calls, new.rejected);
            let entry =
                Entry { name: snapshot.name, epoch: heard.epoch, calls, failures: new.failures, report };
            subjects.push(Subject { breaker, local, known, entry });
        }
        subjects
    }

    async fn ask(&mut self, subjects: &[Subject], extends: bool) -> RedisResult<Vec<u8>> {
        let FleetConfig { prefix, fleet, .. } = &self.config;
        let mut numbers = self.config.numbers();
        if !extends {
            numbers[7] = 0;
        }
        let mut invocation = self.script.prepare_invoke();
        // The braces place both keys in one slot of a cluster.
        invocation.key(format!("{prefix}:{{{fleet}}}:nodes"));
        invocation.key(format!("{prefix}:{{{fleet}}}:breakers"));
        invocation.arg(wire::pack(&self.node, numbers, subjects.iter().map(|subject| &subject.entry)));
        invocation.invoke_async(&mut self.connection).await
    }

    fn obey(
        &self,
        subject: &Subject,
        (answer, counts): (Answer, Window),
    ) -> (Arc<str>, Known, SharedBreaker) {
        let Subject { breaker, local, known: Known { counted, heard }, entry: Entry { name, .. } } = subject;
        let action = act(*local, *heard, answer, self.config.sync_interval);
        match action {
            Action::Leave => {}
            Action::OpenFor(lease) => adapter::open_by_fleet(breaker, lease),
            Action::EndWait => adapter::end_wait_by_fleet(breaker),
        }
        // Read again: the role follows from the opening that the action has made, and an override may have prevented it.
        let after = Local::of(&breaker.snapshot());
        let known = Known { counted: *counted, heard: hear(*heard, answer, action, after) };
        let Window { calls, failures } = counts;
        let shared = SharedBreaker { name: Arc::clone(name), phase: answer.phase, calls, failures };
        (Arc::clone(name), known, shared)
    }
}

/// More breakers of a node are not shared: a script blocks its server while it runs.
const MOST_BREAKERS: usize = 1_000;

/// No request has less time than this, however short the interval is.
const SHORTEST_LIMIT: Duration = Duration::from_millis(50);

#[cold]
fn garbled() -> RedisError {
    (redis::ErrorKind::UnexpectedReturnType, "the reply is not one of the fleet's script").into()
}

impl Counted {
    fn of(totals: &Totals) -> Counted {
        Counted { successes: totals.successes, failures: totals.failures, rejected: totals.rejected }
    }

    /// The growth since then. Totals that have become smaller are those of a new breaker of the same name.
    fn since(self, then: Counted) -> Counted {
        let grown = |now: u64, then: u64| now.checked_sub(then);
        let growth = grown(self.successes, then.successes).zip(grown(self.failures, then.failures));
        match growth.zip(grown(self.rejected, then.rejected)) {
            Some(((successes, failures), rejected)) => Counted { successes, failures, rejected },
            None => self,
        }
    }
}

impl<C> fmt::Debug for FleetMember<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetMember")
            .field("node", &self.node)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_breaker_of_a_name_is_counted_from_zero() {
        let counted = |successes, failures, rejected| Counted { successes, failures, rejected };
        assert_eq!(counted(5, 3, 1).since(counted(2, 3, 0)), counted(3, 0, 1));
        assert_eq!(counted(5, 3, 1).since(counted(9, 9, 9)), counted(5, 3, 1));
    }
}
