//! Reading, writing and reading again preserves a document: with all groups, and in all formats.

#[path = "drawn.rs"]
mod drawn;

use halfopen_config::{Configuration, Format, Loader};
use proptest::prelude::*;
use serde::Serialize;

const FORMATS: [Format; 3] = [Format::Yaml, Format::Toml, Format::Json];

fn written(document: &impl Serialize, format: Format) -> String {
    match format {
        Format::Yaml => serde_saphyr::to_string(document).expect("YAML holds every document"),
        Format::Toml => toml::to_string(document).expect("TOML holds every document"),
        Format::Json => serde_json::to_string_pretty(document).expect("JSON holds every document"),
    }
}

fn read(text: &str, format: Format) -> Option<Configuration> {
    Loader::new().text("drawn", format, text).load().ok()
}

fn read_again(text: &str, format: Format) -> Result<Configuration, TestCaseError> {
    let loaded = Loader::new().text("written", format, text).load();
    loaded.map_err(|error| TestCaseError::fail(format!("{error}\n\n{text}")))
}

/// All values that programs read from a configuration.
fn assert_same(one: &Configuration, other: &Configuration, text: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.document(), other.document(), "{}", text);
    let names = |of: &Configuration| of.all().map(|settings| settings.name().to_owned()).collect::<Vec<_>>();
    prop_assert_eq!(names(one), names(other), "{}", text);
    for (one, other) in one.all().chain([one.defaults()]).zip(other.all().chain([other.defaults()])) {
        prop_assert_eq!(one.config(), other.config(), "{}: {}", one.name(), text);
        prop_assert_eq!(one.section(), other.section(), "{}: {}", one.name(), text);
        prop_assert_eq!(one.is_enabled(), other.is_enabled(), "{}: {}", one.name(), text);
        prop_assert_eq!(one.http(), other.http(), "{}: {}", one.name(), text);
        prop_assert_eq!(one.grpc(), other.grpc(), "{}: {}", one.name(), text);
        prop_assert_eq!((one.template(), one.environment()), (other.template(), other.environment()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Contradictory documents are rejected and generated again; too many of them fail the test.
    #[test]
    fn a_written_document_reads_as_the_same(document in drawn::document()) {
        for format in FORMATS {
            let text = written(&document, format);
            let Some(first) = read(&text, format) else { return Err(TestCaseError::reject("a contradiction")) };
            for other in FORMATS {
                let text = written(first.document(), other);
                let second = read_again(&text, other)?;
                assert_same(&first, &second, &text)?;
                prop_assert_eq!(written(second.document(), other), text);
            }
        }
    }
}
