//! The routes of the live page, and the page in a real Chromium.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::StreamExt;
use halfopen::{Registry, State};
use halfopen_monitor::{AlertRule, Monitor};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use test_support::server::{ServerProcess, on_free_port, program};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const TOKEN: &str = "a token of the operators";

fn started(registry: &Registry) -> Monitor {
    Monitor::builder(registry.clone()).rule(AlertRule::new("opened")).start().unwrap()
}

/// Serves the page of a monitor below `/breakers`. Without an address on a free port.
async fn serve(monitor: &Monitor, address: Option<SocketAddr>) -> (JoinHandle<()>, SocketAddr) {
    let app: Router = Router::new().nest("/breakers", monitor.routes().actions(TOKEN).unwrap().into_router());
    let address = address.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap());
    let listener = loop {
        // A port is busy for a moment after its server.
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let address = listener.local_addr().unwrap();
    (tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }), address)
}

#[tokio::test]
async fn the_shell_has_a_strict_policy_and_escapes_names() {
    let registry = Registry::new();
    registry.get_or_create("<script>alert(1)</script>");
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    let page = reqwest::get(format!("http://{address}/breakers")).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert"), "{html}");
    assert!(html.contains("<base href=\"/breakers/\">") && html.contains("100.0 %"), "{html}");
    for file in ["page.js", "page.css", "data"] {
        let answer = reqwest::get(format!("http://{address}/breakers/{file}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
    }
    let name = "explain?%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let answer = reqwest::get(format!("http://{address}/breakers/{name}")).await.unwrap();
    assert!(answer.text().await.unwrap().contains("is closed"));
}

#[tokio::test]
async fn an_action_needs_the_token_and_the_origin() {
    let registry = Registry::new();
    let db = registry.get_or_create("db");
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    let (own, right) = (format!("http://{address}"), format!("Bearer {TOKEN}"));
    let body = |action: &str| json!({ "breaker": "db", "action": action }).to_string();
    let post = async |origin: Option<&str>, token: &str, body: String| {
        let request = reqwest::Client::new().post(format!("http://{address}/breakers/actions"));
        let request = request.header("authorization", token).body(body);
        let request = origin.map_or_else(
            || request.try_clone().unwrap(),
            |it| request.try_clone().unwrap().header("origin", it),
        );
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(Some("http://evil.test"), &right, body("trip")).await, 403);
    assert_eq!(post(None, &right, body("trip")).await, 403);
    assert_eq!(post(Some(&own), "Bearer a token of the operatorz", body("trip")).await, 401);
    assert_eq!(post(Some(&own), "", body("trip")).await, 401);
    assert_eq!(post(Some(&own), &right, "{}".to_owned()).await, 400);
    assert_eq!(post(Some(&own), &right, body("trip").replace("db", "no")).await, 404);
    assert!(db.is_closed(), "nothing has acted");
    for (action, state) in [
        ("trip", State::Open),
        ("close", State::Closed),
        ("force_open", State::ForcedOpen),
        ("reset", State::Closed),
    ] {
        assert_eq!(post(Some(&own), &right, body(action)).await, 204);
        assert_eq!(db.state(), state, "{action}");
    }
    let audit = monitor.dashboard_data().audit;
    assert_eq!(audit.len(), 10);
    assert!(audit[0].ends_with("refused: the origin is not that of the page"), "{audit:?}");
    assert!(audit[9].ends_with("reset of `db`: now closed"), "{audit:?}");
    assert!(monitor.routes().actions("short").is_err());
}

/// The first update of a stream, and its id.
async fn first_update(address: SocketAddr, last: Option<&str>) -> (String, Value) {
    let request = reqwest::Client::new().get(format!("http://{address}/breakers/events"));
    let request = match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    };
    let mut chunks = request.send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
    }
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    (field("id:"), serde_json::from_str(&field("data:")).unwrap())
}

#[tokio::test]
async fn a_stream_resumes_only_in_its_own_process() {
    let registry = Registry::new();
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    let db = registry.get_or_create("db");
    db.trip();
    let (id, first) = first_update(address, None).await;
    assert_eq!((&first["whole"], &first["whole_history"]), (&json!(true), &json!(true)));
    assert_eq!(first["history"].as_array().unwrap().len(), 1);
    db.reset();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, again) = first_update(address, Some(&id)).await;
    assert_eq!((&again["history"][0]["to"], &again["whole_history"]), (&json!("closed"), &json!(false)));
    assert_eq!(again["history"].as_array().unwrap().len(), 1, "only what is new");
    let (_, other) = first_update(address, Some("0000000000000000-1")).await;
    assert_eq!(other["history"].as_array().unwrap().len(), 2, "an id of another process");
    assert_eq!(other["whole_history"], true);
}

#[tokio::test]
async fn streams_end_with_their_monitor() {
    let registry = Registry::new();
    let monitor = started(&registry);
    let (_server, address) = serve(&monitor, None).await;
    let mut stream = reqwest::get(format!("http://{address}/breakers/events")).await.unwrap().bytes_stream();
    assert!(stream.next().await.is_some());
    drop(monitor);
    while let Some(chunk) = stream.next().await {
        chunk.unwrap();
    }
}

/// A Chromium without a window.
async fn browser() -> Option<(ServerProcess, Client)> {
    let (driver, chromium) = (program("chromedriver")?, program("chromium")?);
    let (address, server) = on_free_port("chromedriver", |address| {
        let port = format!("--port={}", address.port());
        ServerProcess::start(Command::new(&driver).arg(port), "started successfully")
    });
    let options = json!({
        "binary": chromium,
        "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
    });
    let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(serde_json::from_value(capabilities).unwrap())
        .connect(&format!("http://{address}"))
        .await
        .unwrap();
    Some((server, client))
}

async fn text(client: &Client, css: &str) -> String {
    let script =
        "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent).join('|')";
    client.execute(script, vec![json!(css)]).await.unwrap().as_str().unwrap().to_owned()
}

/// Waits until the page shows this; the test's own time limit is that of the test runner.
async fn shows(client: &Client, css: &str, part: &str) {
    let start = tokio::time::Instant::now();
    while !text(client, css).await.contains(part) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{css} is {:?}, without {part:?}",
            text(client, css).await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes a picture for people to `target/screenshots`.
async fn picture(client: &Client, name: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/{name}.png"), client.screenshot().await.unwrap()).unwrap();
}

#[tokio::test]
async fn a_person_sees_changes_acts_and_survives_a_restart() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    let monitor = started(&registry);
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

    registry.get("payments").unwrap().open_for(Duration::from_secs(600));
    shows(&client, "td.open", "open").await;
    shows(&client, "#history", "payments: closed to open (manual)").await;
    shows(&client, "#alerts", "medium: opened: payments").await;
    shows(&client, "#health", "66.7 %").await;
    client.set_window_size(1_100, 900).await.unwrap();
    picture(&client, "light").await;

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

#[tokio::test]
async fn a_thousand_breakers_stay_smooth() {
    let Some((_driver, client)) = browser().await else { return };
    let registry = Registry::new();
    let monitor = started(&registry);
    let breakers: Vec<_> =
        (0..1_000).map(|index| registry.get_or_create(&format!("service-{index:04}"))).collect();
    let (_server, address) = serve(&monitor, None).await;
    client.goto(&format!("http://{address}/breakers")).await.unwrap();
    shows(&client, "#breakers", "service-0999").await;
    let measure = "window.tasks = []; new PerformanceObserver((list) => list.getEntries().forEach((one) => \
                   window.tasks.push(one.duration))).observe({ type: 'longtask' })";
    client.execute(measure, vec![]).await.unwrap();
    // A thousand changes a second for five seconds.
    for round in 0..50 {
        for index in 0..100 {
            let breaker = &breakers[(round * 100 + index) % 1_000];
            if breaker.is_closed() { breaker.trip() } else { breaker.reset() }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    breakers[999].force_open();
    shows(&client, "td.forced_open", "forced-open").await;
    let longest = client.execute("return Math.max(0, ...window.tasks)", vec![]).await.unwrap();
    let lines =
        client.execute("return document.querySelectorAll('#history li').length", vec![]).await.unwrap();
    println!("longest task of the page: {longest} ms");
    assert_eq!(lines, 200, "the timeline is bounded");
    client.close().await.unwrap();
}
