//! A registry that follows its document.

mod apply;
mod apply_queue;
mod difference;
#[cfg(feature = "limit")]
mod protection;

use halfopen_document::{DocumentError, Format, Problem};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use halfopen::{CircuitBreaker, Registry};

use self::apply_queue::{ApplyQueue, Follower};

pub use difference::{Changed, Difference};
#[cfg(feature = "limit")]
pub use protection::UnknownName;
#[cfg(feature = "limit")]
pub(crate) use protection::{bulkhead, quota};

use crate::{Configuration, Loader, Overrides, Settings};

/// A registry that is filled from a document, and follows it without losing what its breakers know.
///
/// Cheap to clone; every clone is the same. The breakers are those of [`registry`](Self::registry).
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, LiveRegistry, Loader};
///
/// let loader = Loader::new().text("b.yaml", Format::Yaml, "breakers: { payments: { open: { duration: 30s } } }");
/// let live = LiveRegistry::new(loader)?;
/// let payments = live.registry().get("payments").unwrap();
/// payments.trip();
///
/// let difference = live.apply(Format::Yaml, "breakers: { payments: { open: { duration: 10s } }, search: {} }")?;
/// assert_eq!(difference.to_string(), "created `search`; changed `payments`: open.duration 30s -> 10s");
/// assert!(payments.is_open(), "a new document is no reason to call a sick service");
///
/// assert!(live.apply(Format::Yaml, "breakers: { payments: { open: { duration: 10 } } }").is_err());
/// assert!(live.registry().get("search").is_some(), "an invalid document changes nothing");
/// # Ok::<(), halfopen_config::DocumentError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveRegistry {
    registry: Registry,
    turns: Arc<ApplyQueue>,
    #[cfg(feature = "limit")]
    protections: halfopen_limit::Protections,
}

impl LiveRegistry {
    /// A new registry with a breaker for every name of the document.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`].
    pub fn new(loader: Loader) -> Result<LiveRegistry, DocumentError> {
        LiveRegistry::in_registry(Registry::new(), loader)
    }

    /// The same in a registry that is there already, with its clock, its listeners and its limits.
    ///
    /// The rules of the document take the place of those it had (as by [`Registry::replace_rules`]): what the
    /// program wants to say itself it says by [`Loader::set`].
    ///
    /// # Errors
    ///
    /// As [`Loader::load`].
    pub fn in_registry(registry: Registry, loader: Loader) -> Result<LiveRegistry, DocumentError> {
        let configuration = Arc::new(loader.load()?);
        apply::fill(&registry, &configuration);
        let live = LiveRegistry {
            #[cfg(feature = "limit")]
            protections: halfopen_limit::Protections::new(
                &registry,
                protection::config_of(Arc::clone(&configuration)),
            ),
            registry,
            turns: Arc::new(ApplyQueue::new(loader, configuration)),
        };
        #[cfg(feature = "limit")]
        {
            let protections = live.protections.clone();
            live.on_apply(move |configuration| {
                protections.follow(protection::config_of(Arc::clone(configuration)));
                true
            });
        }
        Ok(live)
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What holds now.
    pub fn configuration(&self) -> Arc<Configuration> {
        Arc::clone(&self.turns.lock().configuration)
    }

    /// Takes a new text of the document, and returns what is different. Its warnings are those of
    /// [`configuration`](Self::configuration).
    ///
    /// A breaker whose numbers are the same is left alone; one whose numbers changed keeps its state; one
    /// that is gone leaves the registry, unless a beginning such as `db-*` still fits its name, and whoever
    /// holds it can go on using it; a new one is made. What an operator has set by hand stays.
    /// `enabled: false` holds for breakers that come later too, however they come; one whose `enabled` is the
    /// same as before is left as it is. The same text again is not even read.
    ///
    /// A listener of the registry may call this, [`update`](Self::update) and every look-up; what it brings is
    /// applied when the change it was told of is.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`]; nothing is changed then.
    pub fn apply(&self, format: Format, text: &str) -> Result<Difference, DocumentError> {
        self.apply_with_warnings(format, text).map(|(difference, _)| difference)
    }

    pub(crate) fn apply_with_warnings(
        &self,
        format: Format,
        text: &str,
    ) -> Result<(Difference, Vec<Problem>), DocumentError> {
        let (difference, configuration) = self.turns.go_over(&self.registry, |loader| {
            (!loader.says(format, text)).then(|| loader.with_text(format, text))
        })?;
        Ok((difference, configuration.warnings().to_vec()))
    }

    /// Sets values of one name or beginning while the program runs, checked like those of a document.
    ///
    /// They go before the document's, those of later documents included. A name that the document has only
    /// as a beginning keeps what is said of that, and is one of its own from now on.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`]; nothing is changed then.
    pub fn update(&self, name: &str, values: Overrides) -> Result<Difference, DocumentError> {
        let next = |loader: &Loader| Some(loader.clone().set(name, values));
        self.turns.go_over(&self.registry, next).map(|(difference, _)| difference)
    }

    /// What changes from now on, a [`Difference`] for each document or update that was applied and changed
    /// something, in their order, whoever applied it.
    ///
    /// Dropping the receiver ends it; what it does not receive is kept for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, LiveRegistry, Loader, Overrides};
    ///
    /// let loader = Loader::new().text("b.yaml", Format::Yaml, "breakers: { mail: { open: { duration: 5s } } }");
    /// let live = LiveRegistry::new(loader)?;
    /// let changes = live.changes();
    /// live.update("mail", Overrides::new().set("open.duration", "10s"))?;
    /// live.apply(Format::Yaml, "breakers: { mail: { open: { duration: 5s } }, search: {} }")?;
    ///
    /// let told: Vec<_> = changes.try_iter().map(|difference| difference.to_string()).collect();
    /// assert_eq!(told, ["changed `mail`: open.duration 5s -> 10s", "created `search`"]);
    /// # Ok::<(), halfopen_config::DocumentError>(())
    /// ```
    pub fn changes(&self) -> Receiver<Difference> {
        let (sender, receiver) = mpsc::channel();
        self.turns.lock().subscribers.push(sender);
        receiver
    }

    /// Calls `apply` with the configuration that is in force, and again with each that takes its place, after the
    /// registry has it, until `apply` returns `false`.
    ///
    /// For what is made from a document besides its breakers. It is called by the thread that applies the change,
    /// without a lock.
    pub fn on_apply(&self, apply: impl Fn(&Arc<Configuration>) -> bool + Send + Sync + 'static) {
        let follower = Follower::new(apply);
        self.turns.lock().followers.push(follower.clone());
        loop {
            let configuration = self.configuration();
            // A change that was applied meanwhile has called it already, and this call came last.
            if !follower.call(&configuration) || Arc::ptr_eq(&configuration, &self.configuration()) {
                return;
            }
        }
    }

    /// The breaker of this name, made if there is none, and disabled if the document says so.
    pub fn get_or_create(&self, name: &str) -> CircuitBreaker {
        self.registry.get_or_create(name)
    }

    /// The breakers whose names begin so, if `pattern` ends with a star, or the one of that name.
    pub fn matching(&self, pattern: &str) -> Vec<CircuitBreaker> {
        match pattern.strip_suffix('*') {
            Some(beginning) => self.those(|breaker, _| breaker.name().starts_with(beginning)),
            None => self.registry.get(pattern).into_iter().collect(),
        }
    }

    /// The breakers with this tag.
    pub fn tagged(&self, tag: &str) -> Vec<CircuitBreaker> {
        self.those(|_, settings| settings.tags().any(|other| other == tag))
    }

    /// The breakers of this environment.
    pub fn in_environment(&self, name: &str) -> Vec<CircuitBreaker> {
        self.those(|_, settings| settings.environment() == Some(name))
    }

    /// The breakers made from this template.
    pub fn of_template(&self, name: &str) -> Vec<CircuitBreaker> {
        self.those(|_, settings| settings.template() == Some(name))
    }

    /// The breakers that protect this kind of dependency.
    pub fn in_category(&self, name: &str) -> Vec<CircuitBreaker> {
        self.those(|_, settings| settings.category() == Some(name))
    }

    fn those(&self, wanted: impl Fn(&CircuitBreaker, &Settings) -> bool) -> Vec<CircuitBreaker> {
        let configuration = self.configuration();
        let mut all = self.registry.breakers();
        all.retain(|breaker| wanted(breaker, configuration.settings(breaker.name())));
        all
    }
}
