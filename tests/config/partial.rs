//! Overrides in code: for names, for prefixes, and for names that only a prefix matches.

use std::time::Duration;

use halfopen_config::{Configuration, Format, LiveRegistry, Loader, Overrides, Severity};

const DOCUMENT: &str = "
environments:
  test: { open: { hint_max: 14s } }
breakers:
  payments: {}
  db-*: { template: database, open: { duration: 9s }, metadata: { tags: [sql] } }
";

fn loader() -> Loader {
    Loader::new().text("t.yaml", Format::Yaml, DOCUMENT)
}

fn live() -> LiveRegistry {
    LiveRegistry::new(loader()).expect("a valid document")
}

fn wait(seconds: u64) -> Overrides {
    Overrides::new().set("open.duration", Duration::from_secs(seconds))
}

/// The template and the tags, which only the document sets.
fn written(configuration: &Configuration, name: &str) -> (Option<String>, Vec<String>) {
    let settings = configuration.settings(name);
    (settings.template().map(str::to_owned), settings.tags().map(str::to_owned).collect())
}

#[test]
fn a_name_of_a_prefix_alone_keeps_the_prefix_rules() {
    let live = live();
    let orders = live.get_or_create("db-orders");
    let before = orders.config();

    live.update("db-orders", wait(1)).unwrap();

    assert_eq!(orders.config().open_duration(), Duration::from_secs(1));
    assert_eq!(orders.config().trip(), before.trip());
    assert_eq!(written(&live.configuration(), "db-orders"), (Some("database".into()), vec!["sql".into()]));
    let explained = live.configuration().explain("db-orders");
    assert_eq!(explained.get("open.duration").unwrap().origin().to_string(), "the program, open.duration");
    assert_eq!(explained.get("metadata.tags").unwrap().origin().path(), "breakers.db-*.metadata.tags");
}

#[test]
fn a_longer_prefix_keeps_what_the_shorter_one_sets() {
    let loaded = loader().set("db-orders-*", wait(1)).set("db-*", wait(2)).load().unwrap();
    assert_eq!(loaded.settings("db-orders-eu").config().open_duration(), Duration::from_secs(1));
    assert_eq!(written(&loaded, "db-orders-eu"), (Some("database".into()), vec!["sql".into()]));
    assert_eq!(loaded.settings("db-users").config().open_duration(), Duration::from_secs(2));
}

#[test]
fn a_name_of_the_program_may_have_an_environment() {
    let loaded = loader().set("mail", Overrides::new().set("environment", "test")).load().unwrap();
    assert_eq!(loaded.settings("mail").config().hint_max(), Duration::from_secs(14));
}

#[test]
fn the_environment_of_the_program_is_explained() {
    let explained = loader().environment("test").load().unwrap().explain("payments");
    let environment = explained.get("environment").unwrap();
    assert_eq!(
        (environment.value(), &*environment.origin().to_string()),
        ("test", "the program, environment")
    );
}

#[test]
fn an_unknown_environment_of_the_program_is_shown() {
    let error = loader().environment("tset").load().unwrap_err();
    assert_eq!(
        error.problems()[0].to_string(),
        "error: `environment` is `tset`, but there is no such environment; did you mean `test`?\n \
         --> the program, environment\n  |\n1 | environment = tset\n  |               ^^^^\n  \
         = known here: development, production, staging, test"
    );
}

#[test]
fn a_slip_is_shown_where_it_is() {
    let slip = Overrides::new().set("open.backoff.jiter", 0.1);
    let error = live().update("payments", slip).unwrap_err();
    assert_eq!(
        error.problems()[0].to_string(),
        "error: `payments.open.backoff` has no key `jiter`; did you mean `jitter`?\n \
         --> the program, open.backoff.jiter\n  |\n1 | open.backoff.jiter = 0.1\n  |              ^^^^^\n  \
         = known here: multiplier, delays, max, jitter, forget_after"
    );
}

#[test]
fn a_bad_number_is_shown_with_its_range() {
    let error = live().update("payments", Overrides::new().set("half_open.max_calls", 0)).unwrap_err();
    assert_eq!(
        error.problems()[0].to_string(),
        "error: `payments.half_open.max_calls` is 0, but must be at least 1\n \
         --> the program, half_open.max_calls\n  |\n1 | half_open.max_calls = 0\n  |                       ^"
    );
}

#[test]
fn a_name_is_checked_as_one_of_the_document() {
    for name in ["", "a*b", "*-db"] {
        let error = live().update(name, wait(1)).unwrap_err();
        assert!(error.problems()[0].message().contains("must be a name"), "{error}");
    }
}

#[test]
fn a_name_close_to_one_of_the_document_is_doubted() {
    let loaded = loader().set("paymnts", wait(1)).load().unwrap();
    let [warning] = loaded.warnings() else { panic!("{:?}", loaded.warnings()) };
    assert_eq!(warning.severity(), Severity::Warning);
    assert_eq!(
        warning.message(),
        "`paymnts` is set by the program, but the document does not have it; did you mean `payments`?"
    );
}

#[test]
fn a_wrong_update_is_reported_once() {
    let live = live();
    live.update("payments", Overrides::new().set("open.duration", "soon")).unwrap_err();
    let difference = live.update("payments", wait(3)).unwrap();
    assert_eq!(difference.to_string(), "changed `payments`: open.duration 2s -> 3s");
}
