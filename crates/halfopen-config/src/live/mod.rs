//! A registry that follows its document.

mod apply;
mod apply_queue;
mod difference;
#[cfg(feature = "limit")]
mod protection;

use halfopen_document::{DocumentError, Format, Problem};
use std::fmt;
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

/// A registry that follows a document, and keeps the state of its breakers.
///
/// Clones are cheap and share one registry, which [`registry`](Self::registry) returns.
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
#[derive(Clone)]
pub struct LiveRegistry {
    registry: Registry,
    turns: Arc<ApplyQueue>,
    #[cfg(feature = "limit")]
    protections: halfopen_limit::Protections,
}

impl fmt::Debug for LiveRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the document, which may have passwords and tokens.
        f.debug_struct("LiveRegistry").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl LiveRegistry {
    /// Creates a registry with a breaker for every name of the document.
    ///
    /// # Errors
    ///
    /// The errors of [`Loader::load`].
    pub fn new(loader: Loader) -> Result<LiveRegistry, DocumentError> {
        LiveRegistry::in_registry(Registry::new(), loader)
    }

    /// Creates the breakers in an existing registry, with its clock, its listeners and its limits.
    ///
    /// The rules of the document replace those of the registry (see [`Registry::replace_rules`]). The program
    /// sets values of its own by [`Loader::set`].
    ///
    /// # Errors
    ///
    /// The errors of [`Loader::load`].
    pub fn in_registry(registry: Registry, loader: Loader) -> Result<LiveRegistry, DocumentError> {
        // Before the registry is touched: a document with errors must leave it as it is.
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

    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the configuration in force.
    pub fn configuration(&self) -> Arc<Configuration> {
        Arc::clone(&self.turns.lock().configuration)
    }

    /// Applies a new text of the document, and returns the difference. [`configuration`](Self::configuration)
    /// returns its warnings.
    ///
    /// A breaker whose values are the same is not touched; one whose values changed keeps its state. A breaker
    /// that is removed leaves the registry, unless a pattern such as `db-*` still matches its name; its handles
    /// stay usable. A new breaker is created. A state that an operator has forced stays. `enabled: false`
    /// applies to breakers that are created later too; if `enabled` did not change, the breaker's flag is left
    /// as it is. An unchanged text is not parsed.
    ///
    /// A listener of the registry may call this, [`update`](Self::update) and every look-up. The document that
    /// it applies is queued behind the one that is being applied.
    ///
    /// # Errors
    ///
    /// The errors of [`Loader::load`]; nothing is changed then.
    pub fn apply(&self, format: Format, text: &str) -> Result<Difference, DocumentError> {
        self.apply_with_warnings(format, text).map(|(difference, _)| difference)
    }

    pub(crate) fn apply_with_warnings(
        &self,
        format: Format,
        text: &str,
    ) -> Result<(Difference, Vec<Problem>), DocumentError> {
        let (difference, configuration) = self.turns.go_over(&self.registry, |loader| {
            // The same text again changes nothing, so that a file that is only touched is not applied.
            (!loader.says(format, text)).then(|| loader.with_text(format, text))
        })?;
        Ok((difference, configuration.warnings().to_vec()))
    }

    /// Sets values of a name or pattern at run time, checked like those of a document.
    ///
    /// They take precedence over the values of this document and of later ones. A name that only a pattern of
    /// the document matches keeps the values of the pattern, and has an entry of its own from then on.
    ///
    /// # Errors
    ///
    /// The errors of [`Loader::load`]; nothing is changed then.
    pub fn update(&self, name: &str, values: Overrides) -> Result<Difference, DocumentError> {
        let next = |loader: &Loader| Some(loader.clone().set(name, values));
        self.turns.go_over(&self.registry, next).map(|(difference, _)| difference)
    }

    /// Returns a receiver of later changes: one [`Difference`] for each document or update that changed
    /// something, in the order of their application, by any thread.
    ///
    /// Dropping the receiver ends the subscription. Differences that it has not received yet are buffered
    /// without a limit.
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

    /// Calls `apply` with the configuration in force, and again with each later one after the registry has it,
    /// until `apply` returns `false`.
    ///
    /// This is for objects other than breakers that a program makes from the document. The thread that applies
    /// the change calls it, without a lock.
    pub fn on_apply(&self, apply: impl Fn(&Arc<Configuration>) -> bool + Send + Sync + 'static) {
        let follower = Follower::new(apply);
        self.turns.lock().followers.push(follower.clone());
        loop {
            let configuration = self.configuration();
            // A change applied meanwhile may have called `apply` before this call did: the last call must have
            // the configuration in force.
            if !follower.call(&configuration) || Arc::ptr_eq(&configuration, &self.configuration()) {
                return;
            }
        }
    }

    /// Returns the breaker of this name, and creates it if it is absent; it is disabled if the document
    /// disables it.
    pub fn get_or_create(&self, name: &str) -> CircuitBreaker {
        self.registry.get_or_create(name)
    }

    /// Returns the breakers whose names match a pattern such as `db-*`, or the one with this name.
    pub fn matching(&self, pattern: &str) -> Vec<CircuitBreaker> {
        match pattern.strip_suffix('*') {
            Some(beginning) => self.those(|breaker, _| breaker.name().starts_with(beginning)),
            None => self.registry.get(pattern).into_iter().collect(),
        }
    }

    /// Returns the breakers whose settings meet a condition.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    ///
    /// let text = "breakers: { payments: { metadata: { priority: 1 } }, search: {} }";
    /// let live = LiveRegistry::new(Loader::new().text("breakers.yaml", Format::Yaml, text))?;
    /// let first = live.select(|settings| settings.section().metadata.priority.is_some());
    /// assert_eq!(first[0].name(), "payments");
    /// # Ok::<(), halfopen_config::DocumentError>(())
    /// ```
    pub fn select(&self, condition: impl Fn(&Settings) -> bool) -> Vec<CircuitBreaker> {
        self.those(|_, settings| condition(settings))
    }

    /// Returns the breakers with this tag.
    pub fn tagged(&self, tag: &str) -> Vec<CircuitBreaker> {
        self.select(|settings| settings.tags().any(|other| other == tag))
    }

    /// Returns the breakers of this environment.
    pub fn in_environment(&self, name: &str) -> Vec<CircuitBreaker> {
        self.select(|settings| settings.environment() == Some(name))
    }

    /// Returns the breakers made from this template.
    pub fn of_template(&self, name: &str) -> Vec<CircuitBreaker> {
        self.select(|settings| settings.template() == Some(name))
    }

    /// Returns the breakers that protect this kind of dependency.
    pub fn in_category(&self, name: &str) -> Vec<CircuitBreaker> {
        self.select(|settings| settings.category() == Some(name))
    }

    fn those(&self, wanted: impl Fn(&CircuitBreaker, &Settings) -> bool) -> Vec<CircuitBreaker> {
        let configuration = self.configuration();
        let mut all = self.registry.breakers();
        all.retain(|breaker| wanted(breaker, configuration.settings(breaker.name())));
        all
    }
}

#[cfg(test)]
mod tests {
    use halfopen_document::{Scope, Section, group, scalar};

    use super::*;

    group! {
        /// A section with a URL.
        Upstream, expected "an upstream such as { url: https://example.com }"
        values {
            /// The URL.
            url: String = scalar::text,
        }
    }

    impl Section for Upstream {
        const KEY: &'static str = "upstream";
        const SCOPE: Scope = Scope::Document;
    }

    fn document(password: &str) -> String {
        format!("{{ upstream: {{ url: \"https://user:{password}@example.com\" }}, breakers: {{ a: {{}} }} }}")
    }

    fn loader() -> Loader {
        let variable = ("HALFOPEN_UPSTREAM__URL".to_owned(), "https://user:s3cret@example.com".to_owned());
        Loader::new()
            .section::<Upstream>()
            .text("t.yaml", Format::Yaml, document("s3cret"))
            .variables([variable])
    }

    #[test]
    fn debug_has_no_password_of_a_url() {
        let live = LiveRegistry::new(loader()).unwrap();
        let configuration = live.configuration();
        let overrides = Overrides::new().set("metadata.description", "https://user:s3cret@example.com");
        let explained = configuration.explain_sections();
        let shown =
            format!("{live:?} {configuration:?} {:?} {overrides:?} {explained:?} {explained}", loader());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(explained.to_string().contains("https://user:***@example.com"), "{explained}");
    }

    #[test]
    fn a_difference_has_no_password_and_one_line() {
        let first = Loader::new().section::<Upstream>().text("t.yaml", Format::Yaml, document("s3cret"));
        let live = LiveRegistry::new(first).unwrap();
        let difference = live.apply(Format::Yaml, &document("s3cret-2")).unwrap();
        let hidden = "https://user:***@example.com";
        let expected = format!("changed `document`: upstream.url {hidden} -> {hidden} (another password)");
        assert_eq!(difference.to_string(), expected);
        assert!(!format!("{difference:?}").contains("s3cret"), "{difference:?}");

        let forged = document("a").replace("https://user:a@example.com", "a\\nERROR forged");
        let difference = live.apply(Format::Yaml, &forged).unwrap().to_string();
        assert_eq!(difference.lines().count(), 1, "{difference}");
    }
}
