//! A registry that follows its document.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fusebox::{Clock, Event, Registry, State};
use fusebox_config::{Format, Live, Loader, Partial};

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

fn live() -> Live {
    let registry = Registry::builder().clock(Clock::manual().0).build();
    Live::in_registry(registry, Loader::new().text("t.yaml", Format::Yaml, BEFORE)).expect("a valid document")
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
fn a_document_disables_and_enables_but_lifts_no_override() {
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
fn breakers_are_found_by_what_is_said_of_them() {
    let live = live();
    live.get_or_create("db-orders");
    let names = |found: Vec<fusebox::CircuitBreaker>| {
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
fn an_update_is_checked_and_outlives_the_next_document() {
    let live = live();
    assert!(live.update("kept", Partial::new().set("open.duration", "soon")).is_err());
    live.update("kept", Partial::new().set("open.duration", Duration::from_secs(7))).unwrap();
    live.apply(Format::Yaml, AFTER).unwrap();
    assert_eq!(live.registry().get("kept").unwrap().config().open_duration(), Duration::from_secs(7));
}
