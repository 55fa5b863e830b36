//! Breakers by the type of their dependency, with the templates that ship with the crate.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use halfopen::CircuitBreaker;
use halfopen_document::{DocumentError, quoted, suggest};

use crate::{CircuitType, LiveRegistry, OverrideValue, Overrides};

/// The types of dependencies, each with a template of the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceType {
    /// A provider of language models: the template `ai_provider`.
    Ai,
    /// A server of the Model Context Protocol: the template `mcp_server`.
    Mcp,
    /// A database: the template `database`.
    Database,
    /// An API of another organization: the template `external_api`.
    External,
}

impl ServiceType {
    /// All types.
    pub const ALL: &'static [ServiceType] =
        &[ServiceType::Ai, ServiceType::Mcp, ServiceType::Database, ServiceType::External];

    /// Returns the name of the type: `ai`, `mcp`, `database` or `external`.
    pub fn name(self) -> &'static str {
        match self {
            ServiceType::Ai => "ai",
            ServiceType::Mcp => "mcp",
            ServiceType::Database => "database",
            ServiceType::External => "external",
        }
    }

    /// Returns the name of its template.
    pub fn template(self) -> &'static str {
        match self {
            ServiceType::Ai => "ai_provider",
            ServiceType::Mcp => "mcp_server",
            ServiceType::Database => "database",
            ServiceType::External => "external_api",
        }
    }
}

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ServiceType {
    type Err = UnknownServiceType;

    fn from_str(text: &str) -> Result<ServiceType, UnknownServiceType> {
        let found = ServiceType::ALL.iter().find(|known| known.name() == text);
        found.copied().ok_or_else(|| UnknownServiceType(text.to_owned()))
    }
}

/// A text that is no [`ServiceType`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownServiceType(String);

impl fmt::Display for UnknownServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no type of service, must be ai, mcp, database or external", quoted(&self.0))?;
        let known = ServiceType::ALL.iter().map(|known| known.name());
        match suggest::nearest(&self.0, known, 0) {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl Error for UnknownServiceType {}

/// Breakers with the numbers that fit the type of their dependency, for programs that name them in code.
///
/// # Examples
///
/// ```
/// use halfopen_config::{CircuitType, LiveRegistry, Loader, ServiceType, Templates};
///
/// let live = LiveRegistry::new(Loader::new())?;
/// let claude = Templates::ai_provider("claude").get_or_create(&live)?;
/// let orders = Templates::database("orders").set("open.duration", "5s").get_or_create(&live)?;
/// let docker = Templates::of(ServiceType::Mcp, "docker").circuit_type(CircuitType::CountBased).get_or_create(&live)?;
///
/// assert_eq!(live.configuration().settings("claude").template(), Some("ai_provider"));
/// assert_eq!(orders.config().open_duration().as_secs(), 5);
/// assert_eq!(live.of_template("mcp_server").len(), 1);
/// # drop((claude, docker));
/// # Ok::<(), halfopen_config::DocumentError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Templates(());

impl Templates {
    /// Describes a breaker for a provider of language models.
    pub fn ai_provider(name: impl Into<String>) -> StandardBreaker {
        Templates::of(ServiceType::Ai, name)
    }

    /// Describes a breaker for a server of the Model Context Protocol.
    pub fn mcp_server(name: impl Into<String>) -> StandardBreaker {
        Templates::of(ServiceType::Mcp, name)
    }

    /// Describes a breaker for a database.
    pub fn database(name: impl Into<String>) -> StandardBreaker {
        Templates::of(ServiceType::Database, name)
    }

    /// Describes a breaker for an API of another organization.
    pub fn external_api(name: impl Into<String>) -> StandardBreaker {
        Templates::of(ServiceType::External, name)
    }

    /// Describes a breaker for a dependency of this type.
    pub fn of(service_type: ServiceType, name: impl Into<String>) -> StandardBreaker {
        let values = Overrides::new().set("template", service_type.template());
        StandardBreaker { name: name.into(), values }
    }
}

/// A breaker with the values of a template; described by [`Templates`].
#[derive(Clone, Debug)]
#[must_use = "the breaker is created by `get_or_create`"]
pub struct StandardBreaker {
    name: String,
    values: Overrides,
}

impl StandardBreaker {
    /// Selects the kind of its threshold, in place of that of the template.
    pub fn circuit_type(self, circuit_type: CircuitType) -> Self {
        self.set("circuit_type", circuit_type.name())
    }

    /// Sets a value, such as `open.duration`, in place of that of the template.
    pub fn set(self, key: impl Into<String>, value: impl Into<OverrideValue>) -> Self {
        StandardBreaker { values: self.values.set(key, value), ..self }
    }

    /// Returns the breaker of this name, and creates it with these values if the registry and its document have no
    /// such name.
    ///
    /// A name of the document keeps the values of the document, so that an operator can override the choice of a
    /// program.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`LiveRegistry::update`]: a value that is not valid.
    pub fn get_or_create(self, live: &LiveRegistry) -> Result<CircuitBreaker, DocumentError> {
        if live.registry().get(&self.name).is_none() && !live.configuration().has(&self.name) {
            live.update(&self.name, self.values)?;
        }
        Ok(live.get_or_create(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Loader};

    #[test]
    fn each_type_has_a_template_and_a_name() {
        for service_type in ServiceType::ALL {
            assert_eq!(service_type.name().parse(), Ok(*service_type));
            assert!(crate::templates().any(|known| known == service_type.template()), "{service_type}");
            let live = LiveRegistry::new(Loader::new()).unwrap();
            let breaker = Templates::of(*service_type, "x").get_or_create(&live).unwrap();
            let text = format!("breakers: {{ x: {{ template: {} }} }}", service_type.template());
            let written = Loader::new().text("t.yaml", Format::Yaml, text).load().unwrap();
            assert_eq!(&breaker.config(), written.settings("x").config());
        }
        let error = "exteranl".parse::<ServiceType>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`exteranl` is no type of service, must be ai, mcp, database or external; did you mean `external`?"
        );
    }

    #[test]
    fn each_circuit_type_is_accepted_by_each_template() {
        let types = [
            CircuitType::CountBased,
            CircuitType::TimeBased,
            CircuitType::PercentageBased,
            CircuitType::Adaptive,
        ];
        for service_type in ServiceType::ALL {
            for circuit_type in types {
                let live = LiveRegistry::new(Loader::new()).unwrap();
                let breaker =
                    Templates::of(*service_type, "x").circuit_type(circuit_type).get_or_create(&live);
                let is_adaptive = breaker.unwrap().config().adaptive_part().is_some();
                assert_eq!(
                    is_adaptive,
                    circuit_type == CircuitType::Adaptive,
                    "{service_type} {circuit_type:?}"
                );
            }
        }
    }

    #[test]
    fn a_name_of_the_document_keeps_its_values() {
        let text = "breakers: { claude: { open: { duration: 7s } } }";
        let live = LiveRegistry::new(Loader::new().text("t.yaml", Format::Yaml, text)).unwrap();
        let breaker =
            Templates::ai_provider("claude").set("open.duration", "1s").get_or_create(&live).unwrap();
        assert_eq!(breaker.config().open_duration().as_secs(), 7);

        let error = Templates::ai_provider("new").set("open.duraton", "1s").get_or_create(&live).unwrap_err();
        assert!(error.to_string().contains("did you mean `duration`?"), "{error}");
        assert!(live.registry().get("new").is_none(), "nothing is created");
    }
}
