//! The `health_check_config` of a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfopen_config::{Configuration, LiveRegistry, Period, Settings};
use halfopen_document::{Lint, Node, Reader, Section, group, scalar};

use crate::check::{HealthCheck, Plan};
use crate::error::HealthCheckError;
use crate::lock;
use crate::monitor::{HealthMonitor, Running, Shared, circle};
use crate::target::Target;

group! {
    /// The section `health_check_config` of a breaker: the target of the check and its interval.
    ///
    /// A loader that has it ([`Loader::section`](halfopen_config::Loader::section)) reads, explains and overlays it as the
    /// keys of its own, and [`HealthMonitor::from_document`] acts on it.
    HealthCheckConfig, expected "a `health_check_config` such as { health_check_interval: 30 }"
    values {
        /// The time between two checks, above 0s and at most 24h; a number is seconds.
        health_check_interval: Period = period,
        /// The time after which a check has failed, above 0s and at most 24h; a number is seconds.
        health_check_timeout: Period = period,
        /// The share by which intervals vary, from 0 to below 1.
        health_check_jitter: f64 = scalar::fraction,
        /// The failed checks in a row that open the breaker.
        health_check_failure_threshold: u32 = scalar::positive,
        /// The passed checks in a row that end its wait.
        health_check_success_threshold: u32 = scalar::positive,
        /// Whether an open breaker stays open until a check has passed.
        gate_probes: bool = scalar::boolean,
        /// The URL whose response is to be a success.
        health_check_url: String = url,
        /// The host and port that are to accept connections.
        health_check_tcp: String = tcp,
        /// The URI of the server that is to answer `grpc.health.v1`.
        health_check_grpc: String = grpc,
        /// The service that it is asked about; the whole server by default.
        health_check_grpc_service: String = scalar::text,
        /// The breaker that is not to be open.
        health_check_breaker: String = scalar::text,
    }
    instead {
        health_check_url of health_check_tcp health_check_grpc health_check_breaker,
        health_check_tcp of health_check_url health_check_grpc health_check_breaker,
        health_check_grpc of health_check_url health_check_tcp health_check_breaker,
        health_check_breaker of health_check_url health_check_tcp health_check_grpc,
    }
}

impl Section for HealthCheckConfig {
    const KEY: &'static str = "health_check_config";

    fn lint(&self, lint: &mut Lint<'_>) {
        if let (Some(interval), Some(timeout)) = (&self.health_check_interval, &self.health_check_timeout)
            && timeout.value > interval.value
        {
            lint.warn(timeout.origin(), |path| {
                format!(
                    "`{path}` is {}, above the interval of {}: a check that hangs delays the next",
                    timeout.value, interval.value
                )
            });
        }
        if let Some(service) =
            self.health_check_grpc_service.as_ref().filter(|_| self.health_check_grpc.is_none())
        {
            lint.warn(service.origin(), |path| format!("`{path}` has no effect without `health_check_grpc`"));
        }
        let own = lint.get::<Settings>().map(Settings::name);
        if let (Some(other), Some(own)) = (&self.health_check_breaker, own)
            && other.value == own
        {
            lint.error(other.origin(), |path| {
                format!("`{path}` is `{own}`, but must be another breaker: it would wait for itself")
            });
        }
    }
}

impl HealthMonitor {
    /// Creates a monitor for the breakers of a document that have a `health_check_config`, which follows the document
    /// from now on.
    ///
    /// The values of the document take precedence over those of a check that the program adds for the same name; the
    /// document has the interval, say, and the program the function. A section that names no target, without such a
    /// check, is in [`without_target`](crate::HealthSummary::without_target) of the summary. A change restarts the checks
    /// that it concerns and keeps their results.
    ///
    /// Checks of breakers that wait for each other in a circle do not run, and are in
    /// [`circular`](crate::HealthSummary::circular).
    ///
    /// Only breakers that the document names are checked, not those that a pattern such as `db-*` matches.
    ///
    /// # Errors
    ///
    /// If there is no tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    /// use halfopen_health::{HealthCheckConfig, HealthMonitor};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let document = "
    /// breakers:
    ///   db: { health_check_config: { health_check_interval: 15, health_check_timeout: 3 } }
    ///   shop: { health_check_config: { health_check_interval: 5, health_check_breaker: db } }
    /// ";
    /// let loader = Loader::new().section::<HealthCheckConfig>().text("breakers.yaml", Format::Yaml, document);
    /// let live = LiveRegistry::new(loader)?;
    ///
    /// let monitor = HealthMonitor::from_document(&live)?;
    /// assert_eq!(monitor.summary().checks[0].name, "shop");
    /// assert_eq!(monitor.summary().without_target, ["db"]);
    /// # Ok(()) }
    /// ```
    pub fn from_document(live: &LiveRegistry) -> Result<HealthMonitor, HealthCheckError> {
        let monitor = HealthMonitor::new(live.registry().clone());
        monitor.shared().remember_runtime("health_check_config")?;
        let followed = live.clone();
        let _ = monitor.shared().settings.set(Box::new(move |name, check| {
            let configuration = followed.configuration();
            section(&configuration, name).map_or_else(|| check.clone(), |section| overlaid(section, check))
        }));
        let shared = Arc::downgrade(monitor.shared());
        live.on_apply(move |configuration| {
            // Weak: a document does not keep the monitor alive.
            let Some(shared) = shared.upgrade() else { return false };
            follow(&shared, configuration);
            true
        });
        Ok(monitor)
    }
}

fn section<'a>(configuration: &'a Configuration, name: &str) -> Option<&'a HealthCheckConfig> {
    configuration.settings(name).get::<HealthCheckConfig>()
}

fn follow(shared: &Arc<Shared>, configuration: &Configuration) {
    let mut checks = lock(&shared.checks);
    let mut wanted: Vec<(String, HealthCheck)> = Vec::new();
    let mut without_target = Vec::new();
    for settings in configuration.all().filter(|settings| !settings.is_pattern()) {
        let Some(section) = settings.get::<HealthCheckConfig>() else { continue };
        let name = settings.name();
        if checks.added.contains_key(name) {
            continue;
        }
        match target(section) {
            Some(target) => {
                let plan = plan(section, &Plan::default());
                wanted.push((name.to_owned(), HealthCheck { plan, target }));
            }
            None => without_target.push(name.to_owned()),
        }
    }
    for (name, check) in &checks.added {
        let check = section(configuration, name).map_or_else(|| check.clone(), |one| overlaid(one, check));
        wanted.push((name.clone(), check));
    }
    let targets: BTreeMap<&str, &HealthCheck> = wanted.iter().map(|(name, check)| (&**name, check)).collect();
    let circular = wanted
        .iter()
        .filter(|(name, check)| circle(name, check, |other| targets.get(other).copied()).is_some());
    let circular: Vec<String> = circular.map(|(name, _)| name.clone()).collect();
    wanted.retain(|(name, _)| !circular.contains(name));
    checks.circular = circular;
    checks.without_target = without_target;
    let ended = Shared::retain(&mut checks, |name| wanted.iter().any(|(wanted, _)| wanted == name));
    let started = wanted.into_iter().map(|(name, check)| shared.start(&mut checks, &name, check));
    let replaced: Vec<Option<Running>> = started.collect();
    drop(checks);
    drop(replaced);
    ended.into_iter().for_each(Running::end);
}

/// Returns a check of the program with the values of a section.
fn overlaid(section: &HealthCheckConfig, check: &HealthCheck) -> HealthCheck {
    let target = target(section).unwrap_or_else(|| check.target.clone());
    HealthCheck { plan: plan(section, &check.plan), target }
}

/// Returns the schedule and the thresholds of a section, with those of `base` where the section has none.
fn plan(section: &HealthCheckConfig, base: &Plan) -> Plan {
    Plan {
        interval: section.health_check_interval.as_ref().map_or(base.interval, |interval| interval.value.0),
        timeout: section.health_check_timeout.as_ref().map_or(base.timeout, |timeout| timeout.value.0),
        jitter: section.health_check_jitter.as_ref().map_or(base.jitter, |jitter| jitter.value),
        failure_threshold: section
            .health_check_failure_threshold
            .as_ref()
            .map_or(base.failure_threshold, |n| n.value),
        success_threshold: section
            .health_check_success_threshold
            .as_ref()
            .map_or(base.success_threshold, |n| n.value),
        gate_probes: section.gate_probes.as_ref().map_or(base.gate_probes, |gate| gate.value),
    }
}

fn target(section: &HealthCheckConfig) -> Option<Target> {
    if let Some(name) = &section.health_check_breaker {
        return Some(Target::Breaker(name.value.clone()));
    }
    #[cfg(feature = "tcp")]
    if let Some(address) = &section.health_check_tcp {
        return Some(Target::Tcp(address.value.clone()));
    }
    #[cfg(feature = "url")]
    if let Some(url) = &section.health_check_url {
        return Some(Target::Url(crate::target::UrlTarget::new(url.value.clone(), None)));
    }
    #[cfg(feature = "grpc")]
    if let Some(uri) = &section.health_check_grpc {
        let service =
            section.health_check_grpc_service.as_ref().map_or_else(String::new, |one| one.value.clone());
        return Some(Target::Grpc(crate::target::GrpcTarget::new(uri.value.clone(), service)));
    }
    None
}

fn period(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
    Period::read_seconds_up_to(crate::check::LONGEST, node, reader)
}

fn url(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = scalar::text(node, reader)?;
    #[cfg(feature = "url")]
    return checked(
        &crate::target::UrlTarget::new(text.clone(), None).validate(),
        text,
        node,
        reader,
        "a URL such as http://db.internal/health",
    );
    #[cfg(not(feature = "url"))]
    missing(&text, node, reader, "url")
}

fn tcp(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = scalar::text(node, reader)?;
    #[cfg(feature = "tcp")]
    return checked(
        &crate::target::validate_tcp(&text),
        text,
        node,
        reader,
        "a host and a port such as db:5432",
    );
    #[cfg(not(feature = "tcp"))]
    missing(&text, node, reader, "tcp")
}

fn grpc(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = scalar::text(node, reader)?;
    #[cfg(feature = "grpc")]
    return checked(
        &crate::target::GrpcTarget::new(text.clone(), String::new()).validate(),
        text,
        node,
        reader,
        "a URI such as http://db:50051",
    );
    #[cfg(not(feature = "grpc"))]
    missing(&text, node, reader, "grpc")
}

#[cfg(any(feature = "url", feature = "tcp", feature = "grpc"))]
fn checked(
    valid: &Result<(), String>,
    text: String,
    node: &Node,
    reader: &mut Reader<'_>,
    expected: &str,
) -> Option<String> {
    if valid.is_ok() { Some(text) } else { reader.mismatch(node, expected) }
}

#[cfg(not(all(feature = "url", feature = "tcp", feature = "grpc")))]
fn missing(_: &str, node: &Node, reader: &mut Reader<'_>, feature: &str) -> Option<String> {
    let expected =
        format!("absent: this program is built without the feature `{feature}` of halfopen-health");
    reader.mismatch(node, &expected)
}
