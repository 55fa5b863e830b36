//! A registry that follows its document.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{Clock, Event, Registry, State};
use halfopen_config::{Format, LiveRegistry, Loader, Overrides};

const BEFORE: &str = "
breakers:
  kept: { open: { duration: 30s }, trip: { consecutive_failures: 2 } }
  changed: { open: { duration: 30s }, metadata: { tags: [critical], service_category: ai } }
  gone: { template: database }
  db-*: { template: database, environment: production }
";
const AFTER: &str = "
breakers:
  kept: { open: { duration: 30s }, trip: { consecutive_failures: 2 } }
  changed: { open: { duration: 10s }, metadata: { tags: [critical], service_category: ai } }
  new: {}
  db-*: { template: database, environment: production }
";

fn live() -> LiveRegistry {
    let registry = Registry::builder().clock(Clock::manual().0).build();
    LiveRegistry::in_registry(registry, Loader::new().text("t.yaml", Format::Yaml, BEFORE))
        .expect("a valid document")
}

#[test]
fn a_new_document_keeps_what_breakers_know() {
    let live = live();
    let [kept, changed, gone] = ["kept", "changed", "gone"].map(|name| live.registry().get(name).unwrap());
    kept.try_acquire().unwrap().failure();
    changed.trip();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&told);
    let _subscription = live.registry().on_event(move |breaker, event| {
        if let Event::ConfigChanged { .. } = event {
            ears.lock().unwrap().push(breaker.name().to_owned());
        }
    });

    let difference = live.apply(Format::Yaml, AFTER).unwrap();

    assert_eq!(
        difference.to_string(),
        "created `new`; removed `gone`; changed `changed`: open.duration 30s -> 10s"
    );
    assert_eq!(*told.lock().unwrap(), ["changed"], "what did not change is not touched");
    assert_eq!(kept.snapshot().counts.consecutive_failures, 1);
    assert!(changed.is_open() && changed.config().open_duration() == Duration::from_secs(10));
    assert!(live.registry().get("gone").is_none() && gone.try_acquire().is_ok());
    assert!(live.registry().get("new").is_some());
}

#[test]
fn an_invalid_document_changes_nothing() {
    let live = live();
    let error = live.apply(Format::Yaml, "breakers: { changed: { open: { duration: 0 } } }").unwrap_err();
    assert_eq!(error.problems().len(), 1);
    assert_eq!(live.registry().len(), 3);
    assert_eq!(live.registry().get("changed").unwrap().config().open_duration(), Duration::from_secs(30));
}

#[test]
fn a_document_disables_but_lifts_no_override() {
    let live = live();
    let breaker = live.registry().get("kept").unwrap();
    let enabled = |on: bool| format!("breakers: {{ kept: {{ enabled: {on} }} }}");

    live.apply(Format::Yaml, &enabled(false)).unwrap();
    assert_eq!(breaker.state(), State::Disabled);
    live.apply(Format::Yaml, &enabled(true)).unwrap();
    assert_eq!(breaker.state(), State::Closed);

    breaker.force_open();
    live.apply(Format::Yaml, &enabled(false)).unwrap();
    live.apply(Format::Yaml, &enabled(true)).unwrap();
    assert_eq!(breaker.state(), State::ForcedOpen);
    breaker.disable();
    live.apply(Format::Yaml, BEFORE).unwrap();
    assert_eq!(breaker.state(), State::Disabled, "an operator's word stands");
}

#[test]
fn an_operators_disable_outlasts_the_documents() {
    let live = live();
    let breaker = live.registry().get("kept").unwrap();
    let enabled = |on: bool| format!("breakers: {{ kept: {{ enabled: {on} }} }}");
    live.apply(Format::Yaml, &enabled(false)).unwrap();
    breaker.disable();

    live.apply(Format::Yaml, &enabled(true)).unwrap();

    assert_eq!(breaker.state(), State::Disabled);
    breaker.reset();
    live.apply(Format::Yaml, &enabled(false)).unwrap();
    live.apply(Format::Yaml, &enabled(true)).unwrap();
    assert_eq!(breaker.state(), State::Closed, "the override is gone, and the document is heard again");
}

#[test]
fn a_new_setting_disables_what_an_operator_closed() {
    let live = live();
    let breaker = live.registry().get("kept").unwrap();
    let document = |duration: u32| {
        format!("breakers: {{ kept: {{ enabled: false, open: {{ duration: {duration}s }} }} }}")
    };
    live.apply(Format::Yaml, &document(5)).unwrap();
    breaker.force_closed();
    live.apply(Format::Yaml, &document(6)).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_disabled_prefix_applies_to_later_breakers() {
    let live = live();
    let registry = live.registry();
    let document = |on: bool| format!("breakers: {{ db-*: {{ enabled: {on} }}, db-main: {{}} }}");
    let before = registry.get_or_create("db-orders");
    live.apply(Format::Yaml, &document(false)).unwrap();

    let later = registry.get_or_create("db-users");
    assert_eq!([before.state(), later.state()], [State::Disabled; 2]);
    assert_eq!(registry.get("db-main").unwrap().state(), State::Closed, "its own entry is the closer one");
    assert_eq!(registry.get_or_create("mail").state(), State::Closed);

    live.apply(Format::Yaml, &document(true)).unwrap();
    assert_eq!([before.state(), later.state()], [State::Closed; 2]);
}

#[test]
fn every_subscriber_receives_only_changes() {
    let live = live();
    let (first, second) = (live.changes(), live.changes());
    live.apply(Format::Yaml, BEFORE).unwrap();
    live.apply(Format::Yaml, "breakers: { kept: { open: { duration: 0 } } }").unwrap_err();
    let difference = live.apply(Format::Yaml, AFTER).unwrap();

    assert_eq!(first.try_iter().collect::<Vec<_>>(), std::slice::from_ref(&difference));
    drop(first);
    let update = live.update("kept", Overrides::new().set("open.duration", "7s")).unwrap();
    assert_eq!(second.try_iter().collect::<Vec<_>>(), [difference, update]);
}

#[test]
fn a_removed_value_returns_to_the_default() {
    let live = live();
    let orders = live.registry().get_or_create("db-orders");
    assert_ne!(orders.config(), halfopen::CircuitBreakerConfig::default());
    live.apply(Format::Yaml, "breakers: {}").unwrap();
    assert_eq!(orders.config(), halfopen::CircuitBreakerConfig::default());
    assert_eq!(live.registry().len(), 1, "what the document never named stays");
}

#[test]
fn breakers_are_found_by_what_is_said_of_them() {
    let live = live();
    live.get_or_create("db-orders");
    let names = |found: Vec<halfopen::CircuitBreaker>| {
        found.iter().map(|breaker| breaker.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(live.matching("db-*")), ["db-orders"]);
    assert_eq!(names(live.matching("kept")), ["kept"]);
    assert_eq!(names(live.tagged("critical")), ["changed"]);
    assert_eq!(names(live.in_environment("production")), ["db-orders"]);
    assert_eq!(names(live.of_template("database")), ["db-orders", "gone"]);
    assert_eq!(names(live.in_category("ai")), ["changed"]);
}

#[test]
fn an_update_is_checked_and_outlives_a_document() {
    let live = live();
    assert!(live.update("kept", Overrides::new().set("open.duration", "soon")).is_err());
    live.update("kept", Overrides::new().set("open.duration", Duration::from_secs(7))).unwrap();
    live.apply(Format::Yaml, AFTER).unwrap();
    assert_eq!(live.registry().get("kept").unwrap().config().open_duration(), Duration::from_secs(7));
}

#[test]
fn the_same_text_again_is_not_applied() {
    let live = live();
    let told = Arc::new(Mutex::new(0));
    let ears = Arc::clone(&told);
    let _subscription = live.registry().on_event(move |_, _| *ears.lock().unwrap() += 1);
    let (changes, before) = (live.changes(), live.configuration());

    assert!(live.apply(Format::Yaml, BEFORE).unwrap().is_empty());

    assert!(Arc::ptr_eq(&before, &live.configuration()), "it was read again");
    assert_eq!((*told.lock().unwrap(), changes.try_iter().count()), (0, 0));
}

#[test]
fn a_comment_in_a_document_is_no_event() {
    let live = live();
    let told = Arc::new(Mutex::new(0));
    let ears = Arc::clone(&told);
    let _subscription = live.registry().on_event(move |_, _| *ears.lock().unwrap() += 1);
    let changes = live.changes();

    assert!(live.apply(Format::Yaml, &format!("# more\n{BEFORE}")).unwrap().is_empty());

    assert_eq!((*told.lock().unwrap(), changes.try_iter().count()), (0, 0));
}

#[test]
fn a_name_that_still_has_a_prefix_keeps_its_breaker() {
    let live = live();
    live.apply(Format::Yaml, "breakers: { db-main: { open: { duration: 3s } }, db-*: {} }").unwrap();
    let main = live.registry().get("db-main").unwrap();
    main.trip();

    live.apply(Format::Yaml, "breakers: { db-*: { open: { duration: 4s } } }").unwrap();

    let now = live.registry().get("db-main").expect("it was not released");
    assert!(now.is_open() && now.config().open_duration() == Duration::from_secs(4));
}

#[test]
fn an_empty_document_releases_nobody() {
    let live = live();
    for text in ["", "\n", "# nothing is left\n"] {
        let error = live.apply(Format::Yaml, text).unwrap_err();
        assert!(error.problems()[0].message().starts_with("the document is empty"), "{error}");
    }
    assert!(live.registry().get("kept").is_some());
    live.apply(Format::Yaml, "breakers: {}").unwrap();
    assert!(live.registry().is_empty(), "who says so is taken at his word");
}
