//! What a node shows of its fleet: events, the gauge, reasons, and the section of a document.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{Registry, TripReason};
use halfopen_config::{DocumentError, Format, LiveRegistry, Loader, Problem};
use halfopen_redis::{Fleet, FleetConfig, FleetEvent, FleetMember, FleetSection};
use metrics_exporter_prometheus::PrometheusBuilder;
use test_support::redis::RedisServer;
use test_support::registry::fail;

use crate::world::manager;

fn config() -> FleetConfig {
    FleetConfig::builder("checkout").minimum_calls(5).sync_interval(Duration::from_secs(60)).build().unwrap()
}

/// The words for the events of a member, as they come.
fn words<C: redis::aio::ConnectionLike + Send>(member: &FleetMember<C>) -> Arc<Mutex<Vec<&'static str>>> {
    let heard: Arc<Mutex<Vec<_>>> = Arc::default();
    let words = Arc::clone(&heard);
    member.on_event(move |event| {
        heard.lock().unwrap().push(match event {
            FleetEvent::Connected { .. } => "connected",
            FleetEvent::Disconnected { .. } => "lost",
            _ => "unknown",
        });
    });
    words
}

#[tokio::test]
async fn a_loss_and_a_return_are_one_event_each() {
    let Some(mut server) = RedisServer::start() else { return };
    let mut member = FleetMember::new(Registry::new(), manager(server.url()), config());
    let words = words(&member);
    for _interval in 0..2 {
        member.sync().await.unwrap();
    }
    server.kill();
    for _interval in 0..3 {
        member.sync().await.unwrap_err();
    }
    server.restart();
    while member.sync().await.is_err() {}
    assert_eq!(*words.lock().unwrap(), ["connected", "lost", "connected"]);
}

#[tokio::test]
async fn a_server_that_was_never_there_is_one_loss() {
    let address = test_support::server::free_address();
    let mut member = FleetMember::new(Registry::new(), manager(format!("redis://{address}/")), config());
    let words = words(&member);
    for _interval in 0..3 {
        member.sync().await.unwrap_err();
    }
    assert_eq!(*words.lock().unwrap(), ["lost"]);
    assert_eq!(member.status().disconnects, 1);
}

#[tokio::test]
async fn another_fleet_that_cannot_be_reached_is_a_loss() {
    let Some(mut server) = RedisServer::start() else { return };
    let mut member = FleetMember::new(Registry::new(), manager(server.url()), config());
    let words = words(&member);
    member.sync().await.unwrap();
    let other = FleetConfig::builder("orders").sync_interval(Duration::from_secs(60)).build().unwrap();
    member.set_config(other);
    server.kill();
    for _interval in 0..2 {
        member.sync().await.unwrap_err();
    }
    assert_eq!(*words.lock().unwrap(), ["connected", "lost"]);
}

#[tokio::test]
async fn a_panic_in_a_listener_ends_nothing() {
    let Some(server) = RedisServer::start() else { return };
    let mut member = FleetMember::new(Registry::new(), manager(server.url()), config());
    member.on_event(|_| panic!("as intended"));
    let words = words(&member);
    member.sync().await.unwrap();
    assert_eq!(*words.lock().unwrap(), ["connected"]);
}

#[test]
fn the_gauge_is_zero_while_the_server_is_away() {
    let Some(mut server) = RedisServer::start() else { return };
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shows = |fleet: &str, value: &str| {
        let line = format!("{}{{fleet=\"{fleet}\"}} {value}", halfopen_redis::FLEET_CONNECTED);
        let page = page.render();
        assert!(page.lines().any(|shown| shown == line), "{line} in {page}");
    };
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let mut member = FleetMember::new(Registry::new(), manager(server.url()), config());
            member.sync().await.unwrap();
            shows("checkout", "1");
            server.kill();
            member.sync().await.unwrap_err();
            shows("checkout", "0");
            server.restart();
            while member.sync().await.is_err() {}
            shows("checkout", "1");
            member.set_config(FleetConfig::builder("orders").build().unwrap());
            shows("checkout", "0");
        });
    });
}

#[tokio::test]
async fn an_opening_by_the_fleet_has_its_own_reason() {
    let Some(server) = RedisServer::start() else { return };
    let registries = [Registry::new(), Registry::new()];
    let breakers = registries.each_ref().map(|registry| registry.get_or_create("payments"));
    let mut members = registries.map(|registry| FleetMember::new(registry, manager(server.url()), config()));
    fail(&breakers[0], 5);
    for member in &mut members {
        member.sync().await.unwrap();
    }
    let opened = breakers[1].snapshot().last_trip.unwrap();
    assert_eq!((&*opened.why(), &opened.reasons[..]), ("fleet", &[TripReason::Fleet][..]));
    let rejected = breakers[1].try_acquire().unwrap_err();
    assert!(rejected.to_string().contains("opened by its fleet"), "{rejected}");
    assert!(breakers[1].explain().contains("its fleet"), "{}", breakers[1].explain());
}

const DOCUMENT: &str = "\
fleet: { name: checkout, share: [payments, db-*], minimum_calls: 5, sync_interval: 5ms }
breakers:
  payments: {}
";

fn loader(text: &str) -> Loader {
    Loader::new().section::<FleetSection>().text("t.yaml", Format::Yaml, text)
}

#[tokio::test]
async fn a_fleet_joins_from_a_document_and_follows_it() {
    let Some(server) = RedisServer::start() else { return };
    let live = LiveRegistry::new(loader(DOCUMENT)).unwrap();
    let fleet = Fleet::from_document(&live, manager(server.url())).expect("it has a fleet");
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    fleet.on_event(move |event| {
        let _ = sender.send(event.clone());
    });
    let mut next = async || {
        let event = tokio::time::timeout(Duration::from_secs(30), events.recv()).await;
        match event.unwrap().unwrap() {
            FleetEvent::Connected { fleet, .. } => fleet.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(next().await, "checkout");
    live.apply(Format::Yaml, &DOCUMENT.replace("checkout", "orders")).unwrap();
    assert_eq!(next().await, "orders");
    let keys = server.command(&["KEYS", "halfopen:fleet:{orders}:*"]);
    assert!(!keys.is_empty());
    let names: Vec<_> = fleet.status().breakers.into_iter().map(|shared| shared.name).collect();
    assert_eq!(names, [Arc::from("payments")]);
}

#[tokio::test]
async fn a_document_without_a_fleet_joins_none() {
    let live = LiveRegistry::new(loader("breakers: { a: {} }")).unwrap();
    assert!(Fleet::from_document(&live, manager("redis://127.0.0.1:1/".into())).is_none());
}

#[test]
fn a_section_is_the_configuration() {
    let text = "\
fleet:
  name: a
  share: [b, c-*]
  failure_rate: 0.25
  minimum_calls: 7
  window: 30s
  open_duration: 4s
  probe_timeout: 6s
  sync_interval: 500ms
  key_prefix: p
";
    let loaded = loader(text).load().unwrap();
    let expected = FleetConfig::builder("a")
        .share(["b", "c-*"])
        .failure_rate(0.25)
        .minimum_calls(7)
        .window(Duration::from_secs(30))
        .open_duration(Duration::from_secs(4))
        .probe_timeout(Duration::from_secs(6))
        .sync_interval(Duration::from_millis(500))
        .key_prefix("p");
    assert_eq!(loaded.get::<FleetSection>().unwrap().config(), expected.build());
    assert_eq!(loaded.warnings(), []);
}

#[test]
fn contradictions_of_a_fleet_have_their_places() {
    let messages = |text: &str| -> Vec<String> {
        let shown = |problem: &Problem| format!("{} {}", problem.span().unwrap(), problem.message());
        let loaded: Result<_, DocumentError> = loader(text).load();
        match loaded {
            Ok(configuration) => configuration.warnings().iter().map(shown).collect(),
            Err(error) => error.problems().iter().map(shown).collect(),
        }
    };
    assert_eq!(
        messages("fleet: { share: [a] }"),
        ["t.yaml:1:17 `fleet` has no `name`: the fleets of one server need different ones"]
    );
    assert_eq!(
        messages("fleet: { name: \"{a}\", window: 1ms, share: [] }"),
        [
            "t.yaml:1:16 in `fleet`: `fleet` is {a}, but must be a name without `{` and `}`",
            "t.yaml:1:31 in `fleet`: `window` is 1ms, but must be from 10ms to 24h",
            "t.yaml:1:43 in `fleet`: `share` is [], but must be at least one name or pattern",
        ]
    );
    assert_eq!(
        messages("fleet: { name: a, share: [\"a-*-b\"], sync_interval: 6s, window: 5s, probe_timeout: 7s }"),
        [
            "t.yaml:1:27 `fleet.share.0` is the name `a-*-b`: only a `*` at the end makes a pattern",
            "t.yaml:1:52 `fleet.open_duration` is 5s with a `sync_interval` of 6s: nodes open late, and each for longer than that",
            "t.yaml:1:64 `fleet.window` is 5s with a `sync_interval` of 6s: counts are old before all nodes have sent theirs",
            "t.yaml:1:83 `fleet.probe_timeout` is 7s with a `sync_interval` of 6s: a prober is replaced before it can report",
        ]
    );
}
