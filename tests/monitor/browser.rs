//! The live page in a real Chromium.

use std::collections::BTreeSet;
use std::time::Duration;

use fantoccini::{Client, Locator};
use halfopen::{CircuitBreakerConfig, Registry, State, Trip};
use serde_json::{Value, json};

use crate::chromium::{browser, dev_tools, picture, script, shows, text};
use crate::page::{TOKEN, serve, started};
use crate::proxy::{Mood, Proxy};

#[tokio::test]
async fn a_person_sees_changes_acts_and_survives_a_restart() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    let monitor = started(&registry);
    let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    let shadow = registry.get_or_create("payments").shadow("strict", strict).unwrap();
    for name in ["payments", "search", "mail"] {
        let breaker = registry.get_or_create(name);
        for call in 0..40 {
            let permit = breaker.try_acquire().unwrap();
            if call % 9 == 0 { permit.failure() } else { permit.success() }
        }
    }
    let (server, address) = serve(&monitor, None).await;
    client.goto(&format!("http://{address}/breakers")).await.unwrap();
    shows(&client, "#connection", "live").await;
    shows(&client, "#breakers", "payments").await;
    let cells = ["payments: strict", "open", "40", "39", "4", "35", "0 s", "0"];
    shows(&client, "#shadow-rows > tr > *", &cells.join("|")).await;
    registry.get("payments").unwrap().try_acquire().unwrap().success();
    shows(&client, "#shadow-rows > tr > *", "payments: strict|open|41|40|4|36|").await;

    registry.get("payments").unwrap().open_for(Duration::from_secs(600));
    shows(&client, "td.open", "open").await;
    shows(&client, "#history", "payments: closed to open (manual)").await;
    shows(&client, "#alerts", "medium: opened: payments").await;
    shows(&client, "#health", "66.7 %").await;
    client.set_window_size(1_100, 900).await.unwrap();
    for (scheme, name) in [("dark", "dark"), ("light", "light")] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        dev_tools(&client, "Emulation.setEmulatedMedia", feature).await;
        picture(&client, name).await;
    }

    drop(shadow);
    shows(&client, "#shadows[hidden]", "Shadows").await;

    // By the keyboard: the name is a button.
    let focus =
        "[...document.querySelectorAll('#breakers button')].find((b) => b.textContent === 'search').focus()";
    client.execute(focus, vec![]).await.unwrap();
    client.active_element().await.unwrap().send_keys("\u{E007}").await.unwrap();
    shows(&client, "#explanation", "Circuit breaker `search` is closed").await;
    let press = async |action: &str| {
        let button = client.find(Locator::Css(&format!("[data-action={action}]"))).await.unwrap();
        button.click().await.unwrap();
    };
    press("force_open").await;
    shows(&client, "#result", "refused: the token is wrong").await;
    assert!(registry.get("search").unwrap().is_closed());
    client.find(Locator::Css("#token")).await.unwrap().send_keys(TOKEN).await.unwrap();
    press("force_open").await;
    shows(&client, "#result", "done").await;
    assert_eq!(registry.get("search").unwrap().state(), State::ForcedOpen);
    picture(&client, "details").await;
    client.find(Locator::Css("#done")).await.unwrap().click().await.unwrap();
    shows(&client, "td.forced_open", "forced-open").await;
    shows(&client, "#audit", "force_open of `search`: now forced open").await;

    // A restart: another process with the same address, and a new history.
    server.abort();
    monitor.end_streams();
    drop(monitor);
    shows(&client, "#connection.lost", "no connection").await;
    let registry = Registry::new();
    registry.get_or_create("restarted").trip();
    let monitor = started(&registry);
    let (_server, _) = serve(&monitor, Some(address)).await;
    shows(&client, "#connection", "live").await;
    shows(&client, "#breakers", "restarted").await;
    assert!(!text(&client, "#breakers").await.contains("payments"), "the old breakers are gone");

    client.set_window_size(360, 740).await.unwrap();
    let wide =
        client.execute("return document.documentElement.scrollWidth - innerWidth", vec![]).await.unwrap();
    assert!(wide.as_i64().unwrap() <= 0, "wider than the window by {wide}");
    picture(&client, "narrow").await;
    client.close().await.unwrap();
}

/// Counts the work on the document from now on, and the bytes of the stream.
const COUNT: &str = "
    window.work = { nodes: 0, texts: 0, tasks: [], since: performance.now() };
    new MutationObserver((records) => records.forEach((one) => {
        if (one.type === 'characterData') work.texts++;
        one.addedNodes.forEach((node) => { work.nodes += 1 + (node.querySelectorAll?.('*').length ?? 0); });
    })).observe(document.documentElement, { subtree: true, childList: true, characterData: true });
    new PerformanceObserver((list) => list.getEntries().forEach((one) => work.tasks.push([Math.round(one.startTime - work.since), one.duration])))
        .observe({ type: 'longtask' });";

#[tokio::test]
async fn a_thousand_breakers_are_little_work() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    let monitor = started(&registry);
    let breakers: Vec<_> =
        (0..1_000).map(|index| registry.get_or_create(&format!("service-{index:04}"))).collect();
    let (_server, address) = serve(&monitor, None).await;
    client.goto(&format!("http://{address}/breakers")).await.unwrap();
    shows(&client, "#range", "1 to 50 of 1,000").await;
    script(&client, COUNT).await;
    // A thousand changes a second for five seconds.
    for round in 0..50 {
        for index in 0..100 {
            let breaker = &breakers[(round * 100 + index) % 1_000];
            if breaker.is_closed() { breaker.trip() } else { breaker.reset() }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let work = script(&client, "return work").await;
    let tasks = work["tasks"].as_array().unwrap().iter();
    let longest = tasks.filter_map(|task| task[1].as_f64()).fold(0.0, f64::max);
    println!(
        "1,000 breakers, 1,000 changes a second, 5 s: {} nodes, {} texts, longest task {longest} ms, long ones {}",
        work["nodes"], work["texts"], work["tasks"]
    );
    picture(&client, "thousand").await;
    // Five seconds have 20 frames, and a busy machine takes longer: each is at most 26 lines of history, 100 alerts and
    // 50 rows.
    assert!(work["nodes"].as_u64().unwrap() < 20_000, "{work}");
    assert!(work["texts"].as_u64().unwrap() < 20_000, "{work}");
    let count = |css: &str| format!("return document.querySelectorAll('{css}').length");
    assert_eq!(script(&client, &count("#breakers tr")).await, 50, "only a page of rows is in the document");
    assert_eq!(script(&client, &count("#history li")).await, 100, "the timeline is bounded");
    assert!(script(&client, &count("*")).await.as_u64().unwrap() < 1_700, "and so is the document");

    breakers[999].force_open();
    let press = async |css: &str| client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    press("#next").await;
    shows(&client, "#range", "51 to 100 of 1,000").await;
    client.find(Locator::Css("#filter")).await.unwrap().send_keys("forced-open").await.unwrap();
    shows(&client, "#breakers", "service-0999forced-open").await;
    assert_eq!(script(&client, &count("#breakers tr")).await, 1);
    client.find(Locator::Css("#filter")).await.unwrap().send_keys("?").await.unwrap();
    shows(&client, "#empty:not([hidden])", "No breaker matches").await;
    client.close().await.unwrap();
}

#[tokio::test]
async fn the_page_outlives_proxies_and_sleep() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    let db = registry.get_or_create("db");
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    let proxy = Proxy::before(address).await;
    client.goto(&format!("http://{}/breakers", proxy.address)).await.unwrap();
    shows(&client, "#connection", "live").await;
    shows(&client, "#breakers", "dbclosed").await;

    // A browser gives up for good when the stream is answered with 502.
    proxy.set(Mood::BadGateway);
    shows(&client, "#connection", "no connection").await;
    while proxy.refused() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    db.open_for(Duration::from_secs(600));
    proxy.set(Mood::Forwards);
    shows(&client, "#breakers", "dbopen").await;
    shows(&client, "#connection", "live").await;
    assert_eq!(text(&client, "#history").await.matches("db: closed to open").count(), 1, "nothing twice");

    // A sleep of an hour: the clock jumps, the connection is dead and does not say so.
    proxy.silence();
    db.reset();
    script(&client, "const now = Date.now; Date.now = () => now() + 3600000;").await;
    shows(&client, "#breakers", "dbclosed").await;
    shows(&client, "#connection", "live").await;
    assert_eq!(text(&client, "#history").await.matches("db: open to closed").count(), 1);
    client.close().await.unwrap();
}

#[tokio::test]
async fn eight_tabs_are_live_in_turn() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    registry.get_or_create("db");
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    let mut tabs = vec![client.window().await.unwrap()];
    // Over HTTP/1.1 a browser has six connections to a host.
    for _ in 1..8 {
        tabs.push(client.new_window(true).await.unwrap().handle);
    }
    for tab in &tabs {
        client.switch_to_window(tab.clone()).await.unwrap();
        dev_tools(&client, "Page.bringToFront", json!({})).await;
        client.goto(&format!("http://{address}/breakers")).await.unwrap();
        shows(&client, "#connection", "live").await;
    }
    client.switch_to_window(tabs[0].clone()).await.unwrap();
    dev_tools(&client, "Page.bringToFront", json!({})).await;
    registry.get("db").unwrap().open_for(Duration::from_secs(600));
    shows(&client, "#breakers", "dbopen").await;
    client.close().await.unwrap();
}

/// The role and the name of each node of the accessibility tree that has both, as `role: name`.
async fn accessible(client: &Client) -> BTreeSet<String> {
    dev_tools(client, "Accessibility.enable", json!({})).await;
    let tree = dev_tools(client, "Accessibility.getFullAXTree", json!({})).await;
    let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
    let text = |node: &Value, part: &str| node[part]["value"].as_str().unwrap_or_default().to_owned();
    nodes.map(|node| format!("{}: {}", text(node, "role"), text(node, "name"))).collect()
}

#[tokio::test]
async fn a_screen_reader_finds_everything_by_name() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    registry.get_or_create("db").open_for(Duration::from_secs(600));
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    for width in [1_100, 360] {
        client.set_window_size(width, 800).await.unwrap();
        client.goto(&format!("http://{address}/breakers")).await.unwrap();
        shows(&client, "#breakers", "dbopen").await;
        shows(&client, "#alerts", "opened").await;
        let nodes = accessible(&client).await;
        for expected in [
            "heading: Circuit breakers",
            "main: ",
            "region: Alerts (1)",
            "region: Breakers",
            "searchbox: Filter by name or state",
            "checkbox: Only those that are not closed",
            "table: Breakers",
            "columnheader: Name",
            "columnheader: Wait",
            "rowheader: db",
            "button: db",
            "cell: open",
            "list: Changes of state",
            "status: ",
        ] {
            let found =
                nodes.contains(expected) || nodes.contains(&expected.replace("cell: ", "cell: State: "));
            assert!(found, "{expected:?} at {width} px: {nodes:#?}");
        }
    }

    // By the keyboard alone: to the name, into the dialog, and back to where it was.
    let focus = async || {
        script(&client, "return document.activeElement.id || document.activeElement.textContent").await
    };
    let press = async |key: &str| client.active_element().await.unwrap().send_keys(key).await.unwrap();
    let (tab, enter, escape) = ("\u{E004}", "\u{E007}", "\u{E00C}");
    let mut walk = Vec::new();
    while walk.last() != Some(&json!("db")) {
        assert!(walk.len() < 9, "the name of a breaker is not reached: {walk:?}");
        press(tab).await;
        walk.push(focus().await);
    }
    assert_eq!(walk, ["filter", "ill", "db"]);
    press(enter).await;
    shows(&client, "#explanation", "Circuit breaker `db` is open").await;
    let nodes = accessible(&client).await;
    for expected in ["dialog: db", "button: Force open", "button: Done"] {
        assert!(nodes.contains(expected), "{expected:?}: {nodes:#?}");
    }
    press(escape).await;
    assert_eq!(focus().await, "db", "the focus returns");
    let audible = "return [...document.querySelectorAll('[role=status], [aria-live], [role=alert]')].map((one) => one.id)";
    assert_eq!(
        script(&client, audible).await,
        json!(["connection", "news", "result"]),
        "no more is announced"
    );
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_changes_is_announced_rarely() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    let db = registry.get_or_create("db");
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    client.goto(&format!("http://{address}/breakers")).await.unwrap();
    shows(&client, "#breakers", "dbclosed").await;
    let count = "window.said = 0; new MutationObserver((records) => { said += records.length; })
        .observe(document.getElementById('news'), { subtree: true, childList: true, characterData: true });";
    script(&client, count).await;
    for _ in 0..30 {
        db.trip();
        db.reset();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    db.open_for(Duration::from_secs(600));
    shows(&client, "#breakers", "dbopen").await;
    assert_eq!(script(&client, "return said").await, 1, "once in ten seconds");
    client.close().await.unwrap();
}
