//! Listeners that read the configuration, or apply another one, while a document is applied.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use halfopen::{Event, Subscription};
use halfopen_config::{Format, LiveRegistry, Loader, Overrides};

fn document(seconds: u32) -> String {
    format!("breakers: {{ mail: {{ open: {{ duration: {seconds}s }} }}, web: {{}} }}")
}

fn live() -> LiveRegistry {
    LiveRegistry::new(Loader::new().text("t.yaml", Format::Yaml, document(1))).expect("a valid document")
}

fn wait_of(live: &LiveRegistry, name: &str) -> Duration {
    live.registry().get(name).expect("there is one").config().open_duration()
}

/// Calls `heard` for every new configuration of a breaker.
fn at_each_change(
    live: &LiveRegistry,
    heard: impl Fn(&LiveRegistry) + Send + Sync + 'static,
) -> Subscription {
    let inner = live.clone();
    live.registry().on_event(move |_, event| {
        if let Event::ConfigChanged { .. } = event {
            heard(&inner);
        }
    })
}

/// Runs in a separate thread, so that a deadlock is a failure and does not block the test.
fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(act()));
    receiver.recv_timeout(Duration::from_secs(60)).expect("it comes to an end")
}

#[test]
fn a_listener_may_look_everything_up() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&seen);
    in_time(|| {
        let live = live();
        let _subscription = at_each_change(&live, move |live| {
            let wait = live.configuration().settings("mail").config().open_duration();
            ears.lock().unwrap().push((wait, live.matching("*").len(), live.tagged("x").len()));
        });
        live.apply(Format::Yaml, &document(2)).unwrap();
    });
    assert_eq!(*seen.lock().unwrap(), [(Duration::from_secs(2), 2, 0)]);
}

#[test]
fn a_document_applied_by_a_listener_is_the_last() {
    let (wait, changes) = in_time(|| {
        let live = live();
        let changes = live.changes();
        let _subscription = at_each_change(&live, |live| {
            let difference = live.apply(Format::Yaml, &document(3)).unwrap();
            assert!(difference.is_empty() || difference.to_string().ends_with("2s -> 3s"), "{difference}");
        });
        live.apply(Format::Yaml, &document(2)).unwrap();
        (wait_of(&live, "mail"), changes.try_iter().map(|change| change.to_string()).collect::<Vec<_>>())
    });
    assert_eq!(wait, Duration::from_secs(3));
    assert_eq!(changes, ["changed `mail`: open.duration 1s -> 2s", "changed `mail`: open.duration 2s -> 3s"]);
}

#[test]
fn a_listener_that_panics_hinders_nothing() {
    let live = live();
    let _subscription = at_each_change(&live, |_| panic!("a listener of somebody's"));
    live.apply(Format::Yaml, &document(2)).unwrap();
    live.update("web", Overrides::new().set("open.duration", "9s")).unwrap();
    assert_eq!([wait_of(&live, "mail"), wait_of(&live, "web")], [2, 9].map(Duration::from_secs));
}

#[test]
fn concurrent_applies_end_with_the_last_accepted() {
    let live = live();
    let changes = live.changes();
    thread::scope(|scope| {
        for thread in 0..4_u32 {
            let live = &live;
            scope.spawn(move || {
                for round in 0..25 {
                    live.apply(Format::Yaml, &document(10 + thread * 25 + round)).unwrap();
                }
            });
        }
    });
    let held = live.configuration().settings("mail").config().open_duration();
    assert_eq!(wait_of(&live, "mail"), held);
    let told = changes.try_iter().last().expect("a hundred changes").to_string();
    let seconds = halfopen::format_duration(held);
    assert!(told.ends_with(&format!("-> {seconds}")), "{told}, {seconds}");
}
