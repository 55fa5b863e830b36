//! Sections that other crates define, in each breaker and in the document as a whole.

use halfopen_config::{
    DocumentError, Format, Layer, LiveRegistry, Loader, Overrides, Period, Problem, Settings, schema,
};
use halfopen_document::{Group, Lint, Node, Origin, Path, Reader, Scope, Section, group, scalar};
use serde_json::Value;

group! {
    /// The group `mine` of a breaker.
    Mine, expected "a group such as { size: 5 }"
    values {
        /// How many.
        size: u32 = scalar::positive,
        /// How long.
        wait: Period = Period::read,
    }
    groups {
        /// Inside.
        inner: Inner = Inner::read,
    }
}

group! {
    /// The group `mine.inner`.
    Inner, expected "a group such as { word: a }"
    values {
        /// A word.
        word: String = scalar::text,
    }
}

impl Section for Mine {
    const KEY: &'static str = "mine";

    fn lint(&self, lint: &mut Lint<'_>) {
        let timeout = lint.get::<Settings>().and_then(|settings| settings.section().call_timeout.clone());
        if let (Some(wait), Some(timeout)) = (&self.wait, timeout)
            && wait.value > timeout.value
        {
            lint.warn(wait.origin(), |path| format!("`{path}` is {}, above {}", wait.value, timeout.value));
        }
        if let Some(size) = self.size.as_ref().filter(|size| size.value > 100) {
            lint.error(size.origin(), |path| format!("`{path}` is {}, but must be at most 100", size.value));
        }
    }
}

group! {
    /// The group `fleet` of a document.
    Fleet, expected "a fleet such as { prefix: /api }"
    values {
        /// The prefix of all.
        prefix: String = scalar::text,
    }
}

impl Section for Fleet {
    const KEY: &'static str = "fleet";
    const SCOPE: Scope = Scope::Document;
}

const TEXT: &str = "\
defaults: { mine: { size: 5 } }
templates: { slow: { mine: { wait: 2s } } }
fleet: { prefix: /api }
breakers:
  payments: { template: slow, mine: { inner: { word: a } } }
  search: {}
";

fn loader(text: &str) -> Loader {
    Loader::new().section::<Mine>().section::<Fleet>().text("t.yaml", Format::Yaml, text)
}

fn messages(loaded: Result<halfopen_config::Configuration, DocumentError>) -> Vec<String> {
    let shown = |problem: &Problem| {
        let place = problem.span().map_or_else(String::new, |span| format!("{span} "));
        format!("{place}{}", problem.message())
    };
    match loaded {
        Ok(configuration) => configuration.warnings().iter().map(shown).collect(),
        Err(error) => error.problems().iter().map(shown).collect(),
    }
}

#[test]
fn a_section_has_the_layers_of_a_breaker() {
    let variable = ("HALFOPEN_SEARCH__MINE__SIZE".to_owned(), "9".to_owned());
    let code = Overrides::new().set("mine.inner.word", "b");
    let loaded = loader(TEXT).variables([variable]).set("search", code).load().unwrap();
    let explained = |name: &str, path: &str| {
        let explanation = loaded.explain(name);
        let found = explanation.get(path).expect("it is explained");
        (found.value().to_owned(), found.origin().layer())
    };
    assert_eq!(explained("payments", "mine.size"), ("5".into(), Layer::Defaults));
    assert_eq!(explained("payments", "mine.wait"), ("2s".into(), Layer::Template));
    assert_eq!(explained("payments", "mine.inner.word"), ("a".into(), Layer::Entry));
    assert_eq!(explained("search", "mine.size"), ("9".into(), Layer::Variable));
    assert_eq!(explained("search", "mine.inner.word"), ("b".into(), Layer::Code));
    let mine = loaded.settings("search").get::<Mine>().expect("a value is set");
    assert_eq!(mine.size.as_ref().map(|size| size.value), Some(9));
    assert_eq!(mine.wait, None);
}

#[test]
fn a_section_of_the_document_has_values_and_variables() {
    let loaded = loader(TEXT).load().unwrap();
    let prefix = |loaded: &halfopen_config::Configuration| {
        let prefix = loaded.get::<Fleet>().and_then(|fleet| fleet.prefix.clone()).expect("it is set");
        (prefix.value.clone(), prefix.origin().to_string())
    };
    assert_eq!(prefix(&loaded), ("/api".into(), "fleet.prefix, t.yaml:3:18".into()));
    let variable = ("HALFOPEN_FLEET__PREFIX".to_owned(), "/v2".to_owned());
    let loaded = loader(TEXT).variables([variable]).load().unwrap();
    let origin = "environment variable HALFOPEN_FLEET__PREFIX";
    assert_eq!(prefix(&loaded), ("/v2".into(), origin.into()));
    assert_eq!(loaded.explain_sections().get("fleet.prefix").unwrap().value(), "/v2");
}

#[test]
fn problems_of_a_section_have_their_places() {
    let text = "\
fleet: { prefx: /api }
mien: {}
breakers:
  a: { mine: { siez: 5 } }
  b: { mine: { wait: 30 } }
  c: { mine: { size: 101 } }
  d: { mien: {} }
  e: { mine: { wait: 2s }, call_timeout: 1s }
";
    assert_eq!(
        messages(loader(text).load()),
        [
            "t.yaml:1:10 `fleet` has no key `prefx`; did you mean `prefix`?",
            "t.yaml:2:1 the document has no key `mien`",
            "t.yaml:4:16 `breakers.a.mine` has no key `siez`; did you mean `size`?",
            "t.yaml:5:22 `breakers.b.mine.wait` is 30, but must be a duration such as 30s, 500ms or 1m30s",
            "t.yaml:6:22 `breakers.c.mine.size` is 101, but must be at most 100",
            "t.yaml:7:8 `breakers.d` has no key `mien`; did you mean `mine`?",
            "t.yaml:8:22 `breakers.e.mine.wait` is 2s, above 1s",
        ]
    );
}

#[test]
fn a_key_without_its_section_is_unknown() {
    let loaded = Loader::new().text("t.yaml", Format::Yaml, "breakers: { a: { mine: { size: 5 } } }").load();
    assert_eq!(messages(loaded), ["t.yaml:1:18 `breakers.a` has no key `mine`"]);
}

#[test]
fn a_key_of_the_library_is_not_a_section() {
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Open(Inner);
    impl serde::Serialize for Open {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.serialize(serializer)
        }
    }
    impl Group for Open {
        const KEYS: &'static [&'static str] = Inner::KEYS;
        fn read(node: &Node, reader: &mut Reader<'_>) -> Open {
            Open(Inner::read(node, reader))
        }
        fn overlay(&mut self, upper: &Open) {
            self.0.overlay(&upper.0);
        }
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
        fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
            self.0.visit(path, visit);
        }
    }
    impl Section for Open {
        const KEY: &'static str = "open";
    }
    let loaded = Loader::new().section::<Open>().load();
    assert_eq!(messages(loaded), ["the section `open` is a key of this library, but must be another key"]);
    let late = Loader::new().set("a", Overrides::new()).section::<Mine>().load();
    let message =
        "the section `mine` is added after values were set: call `Loader::section` before `Loader::set`";
    assert_eq!(messages(late), [message]);
}

#[test]
fn changes_of_sections_are_reported() {
    let live = LiveRegistry::new(loader(TEXT)).unwrap();
    let text = TEXT.replace("/api", "/v2").replace("word: a", "word: b");
    let difference = live.apply(Format::Yaml, &text).unwrap();
    assert_eq!(
        difference.to_string(),
        "changed `payments`: mine.inner.word a -> b; changed `document`: fleet.prefix /api -> /v2"
    );
    assert_eq!(live.apply(Format::Yaml, &text).unwrap().to_string(), "nothing changed");
    let configuration = live.configuration();
    let word = &configuration.settings("payments").get::<Mine>().unwrap().inner.word;
    assert_eq!(word.as_ref().map(|word| word.value.as_str()), Some("b"));
}

#[test]
fn the_schema_of_a_loader_has_its_sections() {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("a schema is JSON");
    let with = parsed(&loader(TEXT).schema());
    let keys = |schema: &Value, of: &str| schema["definitions"][of]["properties"].clone();
    for (of, key) in
        [("Section", "mine"), ("Template", "mine"), ("NamedBreaker", "mine"), ("Document", "fleet")]
    {
        assert!(keys(&with, of)[key].is_object(), "{of} has {key}");
        assert!(keys(&parsed(&schema()), of)[key].is_null(), "only with the section");
    }
}

#[test]
fn a_document_with_sections_is_written_with_them() {
    let loaded = loader(TEXT).load().unwrap();
    let written = serde_json::to_string(loaded.document()).unwrap();
    let again = Loader::new().section::<Mine>().section::<Fleet>().text("w.json", Format::Json, written);
    assert_eq!(again.load().unwrap().document(), loaded.document());
}
