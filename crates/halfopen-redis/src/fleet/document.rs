//! The section `fleet` of a document.

use std::sync::{Arc, Mutex};

use halfopen::ConfigError;
use halfopen_config::{Configuration, LiveRegistry, Period};
use halfopen_document::{Group, Lint, Located, Node, Origin, Path, Reader, Scope, Section, group, scalar};
use redis::aio::ConnectionLike;

use super::{Fleet, FleetConfig};
use crate::lock;

group! {
    /// The section `fleet` of a document: which breakers its processes share, and when they open together.
    ///
    /// A loader that has it ([`Loader::section`](halfopen_config::Loader::section)) reads, explains and overlays it as the
    /// keys of its own, and [`Fleet::from_document`] acts on it.
    FleetSection, expected "a fleet such as { name: checkout, share: [payments, db-*] }"
    values {
        /// The name of the fleet, without `{` and `}`.
        name: String = scalar::text,
        /// The breakers that are shared: names, or prefixes that end with `*`; all of them by default.
        share: Vec<Located<String>> = names,
        /// The share of failures, of all nodes together, that opens the fleet.
        failure_rate: f64 = scalar::share,
        /// The number of calls, of all nodes together, from which on the rate counts.
        minimum_calls: u32 = scalar::positive,
        /// The window of the rate.
        window: Period = Period::read,
        /// How long the fleet stays open before a node probes.
        open_duration: Period = Period::read,
        /// How long a node may probe without an outcome before another one does.
        probe_timeout: Period = Period::read,
        /// The interval between two syncs of a node.
        sync_interval: Period = Period::read,
        /// The prefix of the keys on the server, without `{` and `}`.
        key_prefix: String = scalar::text,
    }
}

fn names(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<String>>> {
    scalar::list(node, reader, "a list of names such as [payments, db-*]", scalar::text)
}

impl Section for FleetSection {
    const KEY: &'static str = "fleet";
    const SCOPE: Scope = Scope::Document;

    fn lint(&self, lint: &mut Lint<'_>) {
        if self.name.is_none()
            && let Some(first) = self.origin(|_| true)
        {
            lint.error(&first, |_| {
                "`fleet` has no `name`: the fleets of one server need different ones".into()
            });
        }
        let config = match self.config() {
            Ok(config) => config,
            Err(error) => {
                for problem in error.problems() {
                    // The configuration calls the name of a fleet `fleet`.
                    let key = if problem.field() == "fleet" { "name" } else { problem.field() };
                    if let Some(origin) = self.origin(|written| written == key) {
                        lint.error(&origin, |_| format!("in `fleet`: {problem}"));
                    }
                }
                return;
            }
        };
        for name in self.share.iter().flat_map(|share| &share.value) {
            if name.value.trim_end_matches('*').contains('*') {
                lint.warn(name.origin(), |path| {
                    let name = &name.value;
                    format!("`{path}` is the name `{name}`: only a `*` at the end makes a pattern")
                });
            }
        }
        self.lint_durations(&config, lint);
    }
}

impl FleetSection {
    /// Durations that are valid, each for itself, and contradict each other.
    fn lint_durations(&self, config: &FleetConfig, lint: &mut Lint<'_>) {
        let interval = config.sync_interval;
        let contradictions = [
            ("window", config.window, interval, "counts are old before all nodes have sent theirs"),
            (
                "open_duration",
                config.open_duration,
                interval,
                "nodes open late, and each for longer than that",
            ),
            (
                "probe_timeout",
                config.probe_timeout,
                2 * interval,
                "a prober is replaced before it can report",
            ),
        ];
        for (key, value, least, because) in contradictions {
            if value >= least {
                continue;
            }
            let origin = self.origin(|written| written == key);
            if let Some(origin) = origin.or_else(|| self.origin(|written| written == "sync_interval")) {
                let [value, interval] = [value, interval].map(halfopen::format_duration);
                lint.warn(&origin, |_| {
                    format!("`fleet.{key}` is {value} with a `sync_interval` of {interval}: {because}")
                });
            }
        }
    }

    /// Returns the configuration, with the defaults of [`FleetConfig::builder`] for what the document does not set.
    ///
    /// # Errors
    ///
    /// Every value that cannot hold. A document that was loaded has none.
    pub fn config(&self) -> Result<FleetConfig, ConfigError> {
        let mut builder = FleetConfig::builder(self.name.as_ref().map_or("", |name| &name.value));
        let period = |period: &Option<Located<Period>>| period.as_ref().map(|period| period.value.0);
        if let Some(share) = &self.share {
            builder = builder.share(share.value.iter().map(|name| name.value.as_str()));
        }
        if let Some(rate) = &self.failure_rate {
            builder = builder.failure_rate(rate.value);
        }
        if let Some(calls) = &self.minimum_calls {
            builder = builder.minimum_calls(calls.value);
        }
        if let Some(window) = period(&self.window) {
            builder = builder.window(window);
        }
        if let Some(duration) = period(&self.open_duration) {
            builder = builder.open_duration(duration);
        }
        if let Some(timeout) = period(&self.probe_timeout) {
            builder = builder.probe_timeout(timeout);
        }
        if let Some(interval) = period(&self.sync_interval) {
            builder = builder.sync_interval(interval);
        }
        if let Some(prefix) = &self.key_prefix {
            builder = builder.key_prefix(prefix.value.as_str());
        }
        builder.build()
    }

    /// The origin of the first value that is set and whose key this is.
    fn origin(&self, is: impl Fn(&str) -> bool) -> Option<Origin> {
        let mut found = None;
        self.visit(&mut Path::default(), &mut |key, origin| {
            if found.is_none() && is(key) {
                found = Some(origin.clone());
            }
        });
        found
    }
}

impl Fleet {
    /// Joins the fleet of a document: spawns a task that syncs the breakers of its registry. Returns [`None`] if the document
    /// has no `fleet`.
    ///
    /// The task follows the document: a change of the fleet is in force from the next sync on. A node whose document no longer
    /// has a fleet stays in the one it had.
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime with its timer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    /// use halfopen_redis::{Fleet, FleetSection};
    /// use redis::aio::{ConnectionManager, ConnectionManagerConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), halfopen::BoxError> {
    /// let document = "
    /// fleet: { name: checkout, share: [payments, db-*], sync_interval: 250ms, minimum_calls: 20 }
    /// breakers:
    ///   payments: {}
    /// ";
    /// let loader = Loader::new().section::<FleetSection>().text("breakers.yaml", Format::Yaml, document);
    /// let live = LiveRegistry::new(loader)?;
    ///
    /// let client = redis::Client::open("redis://127.0.0.1/")?;
    /// let config = ConnectionManagerConfig::new().set_number_of_retries(1);
    /// let manager = ConnectionManager::new_lazy_with_config(client, config)?;
    /// let fleet = Fleet::from_document(&live, manager).expect("the document has a fleet");
    /// println!("{:?}", fleet.status());
    /// # Ok(()) }
    /// ```
    #[must_use = "a node leaves its fleet when this is dropped"]
    pub fn from_document<C>(live: &LiveRegistry, connection: C) -> Option<Fleet>
    where
        C: ConnectionLike + Send + 'static,
    {
        let config = configured(&live.configuration())?;
        let next = Arc::new(Mutex::new(None));
        let slot = Arc::downgrade(&next);
        live.on_apply(move |configuration| {
            // Weak: a document does not keep the fleet alive.
            let Some(slot) = slot.upgrade() else { return false };
            *lock(&slot) = configured(configuration);
            true
        });
        Some(Fleet::follow(live.registry().clone(), connection, config, move || lock(&next).take()))
    }
}

fn configured(configuration: &Configuration) -> Option<FleetConfig> {
    // The lint refuses a document whose fleet cannot hold.
    configuration.get::<FleetSection>()?.config().ok()
}
