//! The `alerts` of a document.

use halfopen_config::{Format, LiveRegistry, Loader};
use halfopen_monitor::{AlertRule, AlertsConfig, Monitor};
use tokio::time::sleep;

use crate::world::{SECOND, started};

fn live(text: &str) -> Result<LiveRegistry, halfopen_config::DocumentError> {
    LiveRegistry::new(Loader::new().section::<AlertsConfig>().text("b.yaml", Format::Yaml, text))
}

#[tokio::test(start_paused = true)]
async fn rules_follow_the_document() {
    let of = |alerts: &str| {
        format!("breakers: {{ claude: {{ service_category: ai }}, db: {{}} }}\nalerts: {alerts}")
    };
    let live = live(&of("{ rules: { down: { severity: critical, category: ai } } }")).unwrap();
    let builder = Monitor::builder(live.registry().clone()).document(&live);
    let (monitor, inbox) = started(builder.rule(AlertRule::new("other").breakers(["none"]))).await;
    for name in ["claude", "db"] {
        live.registry().get(name).unwrap().trip();
    }
    sleep(SECOND).await;
    assert_eq!(inbox.take(), ["firing down claude"]);
    assert_eq!(&*monitor.firing()[0].category, "ai");
    live.apply(Format::Yaml, &of("{ interval: 1, rules: { down: { breakers: [d*] } } }")).unwrap();
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["firing down db", "resolved down claude"]);
    live.apply(Format::Yaml, "breakers: { claude: {}, db: {} }").unwrap();
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["resolved down db"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_interval_is_the_programs_again() {
    let of = |interval: &str| {
        format!("alerts: {{ {interval} rules: {{ down: {{ condition: failure_rate, minimum_calls: 1 }} }} }}")
    };
    let live = live(&of("interval: 1h,")).unwrap();
    let (_monitor, inbox) = started(Monitor::builder(live.registry().clone()).document(&live)).await;
    live.apply(Format::Yaml, &of("")).unwrap();
    sleep(SECOND).await;
    live.registry().get_or_create("db").try_acquire().unwrap().failure();
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["firing down db"], "after the 5 s of the program");
}

#[tokio::test(start_paused = true)]
async fn new_rules_do_not_wait_for_the_interval() {
    let live = live("breakers: {}").unwrap();
    let builder = Monitor::builder(live.registry().clone()).interval(3_600 * SECOND);
    let (_monitor, inbox) = started(builder.document(&live)).await;
    live.registry().get_or_create("db").trip();
    sleep(SECOND).await;
    live.apply(Format::Yaml, "alerts: { rules: { down: {} } }").unwrap();
    sleep(SECOND).await;
    assert_eq!(inbox.take(), ["firing down db"]);
}

#[tokio::test(start_paused = true)]
async fn categories_are_those_of_program_and_document() {
    let live = live("breakers: { claude: { service_category: ai }, db: { service_category: sql } }").unwrap();
    let program = |name: &str| (name == "db").then(|| "storage".to_owned());
    for after in [true, false] {
        let builder = Monitor::builder(live.registry().clone());
        let builder = match after {
            true => builder.document(&live).category(program),
            false => builder.category(program).document(&live),
        };
        let (monitor, _inbox) = started(builder).await;
        for name in ["claude", "db"] {
            live.registry().get_or_create(name);
        }
        let services = monitor.dashboard_data().services;
        let categories: Vec<_> = services.iter().map(|service| service.category.as_str()).collect();
        assert_eq!(categories, ["ai", "storage"], "the category was set after the document: {after}");
    }
}

#[test]
fn wrong_values_name_their_place() {
    let of = |rule: &str| {
        let error = live(&format!("alerts: {{ rules: {{ down: {rule} }} }}")).unwrap_err();
        error.problems()[0].message().to_owned()
    };
    assert_eq!(
        of("{ condition: closed }"),
        "`alerts.rules.down.condition` is \"closed\", but must be one of opened, flapping, stuck_open, \
         failure_rate, slow_call_rate, rejections_per_second, store_gone"
    );
    assert_eq!(
        of("{ severity: big }"),
        "`alerts.rules.down.severity` is \"big\", but must be low, medium, high or critical"
    );
    assert_eq!(
        of("{ within: 2h }"),
        "`alerts.rules.down.within` is \"2h\", but must be above 0s and at most 1h"
    );
    assert!(of("{ condition: failure_rate, above: 20 }").ends_with("but must be a valid rule"));
    assert_eq!(of("{ whne: 5 }"), "`alerts.rules.down` has no key `whne`");
}
