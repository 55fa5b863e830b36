//! The routes of the live page.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use futures_util::StreamExt;
use halfopen::{Registry, State};
use halfopen_monitor::{AlertRule, Monitor};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "a token of the operators";

pub(crate) fn started(registry: &Registry) -> Monitor {
    Monitor::builder(registry.clone()).rule(AlertRule::new("opened")).start().unwrap()
}

/// Serves the page of a monitor below `/breakers`. Without an address on a free port.
pub(crate) async fn serve(monitor: &Monitor, address: Option<SocketAddr>) -> (JoinHandle<()>, SocketAddr) {
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
    assert_eq!(audit.len(), 4 + 4, "one line per action, and per reason of a refusal: {audit:?}");
    let has = |end: &str| audit.iter().any(|line| line.ends_with(end));
    assert!(has("refused: the origin is not that of the page (2 times)"), "{audit:?}");
    assert!(has("reset of `db`: now closed"), "{audit:?}");
    for token in ["short", "sixteen bytes: \u{e9}", " sixteen characters", "sixteen\ncharacters"] {
        assert!(monitor.routes().actions(token).is_err(), "{token:?}");
    }
}

#[tokio::test]
async fn a_name_of_a_stranger_does_not_reach_the_page() {
    let monitor = started(&Registry::new());
    let page = monitor.routes().hosts(["ops.shop.test"]).actions(TOKEN).unwrap().into_router::<()>();
    let app: Router = Router::new().nest("/breakers", page);
    for path in ["", "/page.js", "/data", "/events", "/explain?db"] {
        for (host, status) in
            [("ops.shop.test:8443", 200), ("evil.test", 421), ("ops.shop.test.evil.test", 421)]
        {
            let status = if path == "/explain?db" && status == 200 { 404 } else { status };
            let request = http::Request::get(format!("/breakers{path}")).header("host", host);
            let answer = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), status, "{path:?} of {host}");
        }
    }
    // Over HTTP/2, whose requests have no header `host`.
    let request = http::Request::post("https://ops.shop.test/breakers/actions")
        .header("origin", "https://ops.shop.test");
    let answer = app.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 401, "the origin is that of the page, and only the token is missing");
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
    assert_eq!(first["whole"], true);
    assert_eq!(first["history"].as_array().unwrap().len(), 1);
    db.reset();
    let (_, again) = first_update(address, Some(&id)).await;
    assert_eq!((&again["history"][0]["to"], &again["whole"]), (&json!("closed"), &json!(false)));
    assert_eq!(again["history"].as_array().unwrap().len(), 1, "only what is new");
    for id in ["0000000000000000-1", "", "-", &id.replace('-', "-9")] {
        let (_, other) = first_update(address, Some(id)).await;
        assert_eq!(other["history"].as_array().unwrap().len(), 2, "{id:?} is no id of this process");
        assert_eq!(other["whole"], true);
    }
}

/// The messages of a stream within this time of a paused clock, while `work` runs.
async fn messages(monitor: &Monitor, within: Duration, work: impl Future<Output = ()>) -> Vec<Value> {
    let request = http::Request::get("/events").body(axum::body::Body::empty()).unwrap();
    let response = monitor.routes().into_router::<()>().oneshot(request).await.unwrap();
    let mut chunks = response.into_body().into_data_stream();
    let mut text = String::new();
    let end = tokio::time::sleep(within);
    tokio::pin!(end, work);
    let mut working = true;
    loop {
        tokio::select! {
            () = &mut end => break,
            () = &mut work, if working => working = false,
            chunk = chunks.next() => text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap()),
        }
    }
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_four_frames_a_second() {
    let registry = crate::world::registry();
    let monitor = Monitor::builder(registry.clone()).shipped_rules().start().unwrap();
    let breakers: Vec<_> =
        (0..1_000).map(|index| registry.get_or_create(&format!("service-{index:04}"))).collect();
    let storm = async {
        // A thousand changes a second for ten seconds.
        for round in 0..100 {
            for index in 0..100 {
                let breaker = &breakers[(round * 100 + index) % 1_000];
                if breaker.is_closed() { breaker.trip() } else { breaker.reset() }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let messages = messages(&monitor, Duration::from_secs(10), storm).await;
    assert!((39..=42).contains(&messages.len()), "{} frames", messages.len());
    let (whole, frames) = messages.split_first().unwrap();
    assert_eq!(whole["rows"].as_array().unwrap().len(), 1_000);
    let bytes = |message: &Value| message.to_string().len();
    let total: usize = frames.iter().map(bytes).sum();
    println!("bytes: {} at first, {} a second with 1,000 changes a second", bytes(whole), total / 10);
    assert!(bytes(whole) < 100_000 && total / 10 < 200_000, "{} and {total}", bytes(whole));
    for frame in frames {
        assert!(frame["rows"].as_array().unwrap().len() <= 300, "only what has changed");
        assert!(frame["history"].as_array().unwrap().len() <= 25);
    }
    let told: u64 = frames
        .iter()
        .map(|frame| frame["history"].as_array().unwrap().len() as u64 + frame["skipped"].as_u64().unwrap())
        .sum();
    assert!(told >= 9_000, "no change is left out of the count: {told}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_a_heartbeat() {
    let registry = crate::world::registry();
    for index in 0..1_000 {
        registry.get_or_create(&format!("service-{index:04}"));
    }
    let monitor = Monitor::builder(registry.clone()).shipped_rules().start().unwrap();
    let messages = messages(&monitor, Duration::from_secs(30), std::future::ready(())).await;
    assert!((6..=8).contains(&messages.len()), "{} messages", messages.len());
    for heartbeat in &messages[1..] {
        assert!(heartbeat.to_string().len() < 400, "{heartbeat}");
    }
}

#[tokio::test(start_paused = true)]
async fn alerts_and_actions_reach_the_stream() {
    let registry = crate::world::registry();
    registry.get_or_create("db");
    let monitor = Monitor::builder(registry.clone()).rule(AlertRule::new("opened")).start().unwrap();
    let db = registry.get("db").unwrap();
    let work = async {
        // An alert that resolves and another that fires leave the same number of alerts.
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            registry.get_or_create("mail").trip();
            db.reset();
            tokio::time::sleep(Duration::from_secs(1)).await;
            db.trip();
            registry.get_or_create("mail").reset();
        }
    };
    let messages = messages(&monitor, Duration::from_secs(6), work).await;
    let firing = messages.iter().filter_map(|message| message["firing"].as_array());
    let subjects: Vec<Vec<&str>> =
        firing.map(|all| all.iter().map(|alert| alert["subject"].as_str().unwrap()).collect()).collect();
    assert!(subjects.contains(&vec!["mail"]) && subjects.contains(&vec!["db"]), "{subjects:?}");
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
