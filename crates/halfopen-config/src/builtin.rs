//! The templates and environments that ship with the crate, written as documents under `templates/`.

use halfopen_document::{Format, Located, SectionKinds, Source, SourceKind};
use std::sync::OnceLock;

use crate::document::{BreakerSection, Document};

macro_rules! files {
    ($($name:literal)*) => {
        [$((concat!("templates/", $name, ".yaml"), include_str!(concat!("../templates/", $name, ".yaml")))),*]
    };
}

const FILES: [(&str, &str); 8] = files!["ai_provider" "mcp_server" "database" "external_api" "aggressive" "conservative" "grpc" "environments"];

fn documents() -> &'static [Document] {
    // Parsed once a process, and only if a document names a template or an environment that it does not have
    // itself.
    static DOCUMENTS: OnceLock<Vec<Document>> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let read = |(name, text): (&str, &str)| {
            // Problems are discarded: a test asserts that these documents have none.
            Document::read(
                &Source::new(SourceKind::Builtin, name, text),
                Format::Yaml,
                &SectionKinds::new(),
                &mut Vec::new(),
            )
        };
        FILES.into_iter().map(read).collect()
    })
}

pub(crate) fn template(name: &str) -> Option<(Option<&'static Located<String>>, &'static BreakerSection)> {
    let template = documents().iter().find_map(|document| document.templates.get(name))?;
    Some((template.extends.as_ref(), &template.section))
}

pub(crate) fn environment(name: &str) -> Option<&'static BreakerSection> {
    documents().iter().find_map(|document| document.environments.get(name))
}

/// Returns the names of the templates that ship with the crate: `ai_provider`, `mcp_server`, `database`,
/// `external_api`, `aggressive`, `conservative` and `grpc`.
pub fn templates() -> impl Iterator<Item = &'static str> {
    documents().iter().flat_map(|document| document.templates.keys()).map(String::as_str)
}

/// Returns the names of the environments that ship with the crate: `development`, `production` and `staging`.
pub fn environments() -> impl Iterator<Item = &'static str> {
    documents().iter().flat_map(|document| document.environments.keys()).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loader;
    use halfopen::CircuitBreakerConfig;

    fn of(template: &str) -> CircuitBreakerConfig {
        let text = format!("breakers: {{ x: {{ template: {template} }} }}");
        Loader::new().text("test.yaml", Format::Yaml, &text).load().unwrap().settings("x").config().clone()
    }

    #[test]
    fn nothing_is_wrong_with_what_is_shipped() {
        for (name, text) in FILES {
            assert_eq!(crate::lint(name, Format::Yaml, text), [], "{name}");
        }
        assert_eq!(templates().count(), 7);
        assert_eq!(environments().count(), 3);
    }

    #[test]
    fn the_presets_of_the_core_have_the_same_numbers_here() {
        assert_eq!(of("aggressive"), CircuitBreakerConfig::aggressive());
        assert_eq!(of("conservative"), CircuitBreakerConfig::conservative());
    }
}
