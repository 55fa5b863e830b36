//! Sinks that hang, fail, refuse, panic and come back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use halfopen_monitor::{
    Alert, AlertRule, Monitor, MonitorBuilder, Notifier, NotifierStatus, NotifyError, Sending, SlackNotifier,
    WebhookNotifier,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::world::{SECOND, registry, started, until};

/// What a sink does with each attempt.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Takes,
    Hangs,
    Fails,
    Refuses,
    Panics,
}

/// A sink whose mood a test changes, and the number of alerts that it has taken.
#[derive(Clone)]
struct Moody {
    mood: Arc<Mutex<Mood>>,
    taken: Arc<AtomicUsize>,
    attempts: Arc<AtomicUsize>,
}

impl Moody {
    fn new(mood: Mood) -> Moody {
        Moody { mood: Arc::new(Mutex::new(mood)), taken: Arc::default(), attempts: Arc::default() }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

impl Notifier for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        Box::pin(async move {
            match mood {
                Mood::Takes => drop(self.taken.fetch_add(alerts.len(), Ordering::SeqCst)),
                Mood::Hangs => std::future::pending::<()>().await,
                Mood::Fails => return Err(NotifyError::unavailable("503")),
                Mood::Refuses => return Err(NotifyError::refused("400")),
                Mood::Panics => panic!("in a notifier"),
            }
            Ok(())
        })
    }
}

fn status(monitor: &Monitor, name: &str) -> NotifierStatus {
    let data = monitor.dashboard_data();
    data.notifiers.into_iter().find(|status| status.name == name).unwrap()
}

fn opened(registry: &halfopen::Registry) -> MonitorBuilder {
    Monitor::builder(registry.clone()).rule(AlertRule::new("opened"))
}

#[tokio::test(start_paused = true)]
async fn a_dead_sink_delays_no_other_and_is_reported() {
    for mood in [Mood::Hangs, Mood::Fails] {
        let (registry, sink) = (registry(), Moody::new(mood));
        let (monitor, inbox) = started(opened(&registry).notify(sink.clone())).await;
        registry.get_or_create("db").trip();
        sleep(SECOND).await;
        assert_eq!(inbox.take(), ["firing opened db"]);
        sleep(60 * SECOND).await;
        assert_eq!(inbox.take(), ["firing notifier_gone moody"]);
        assert!(sink.attempts.load(Ordering::SeqCst) <= 10, "its breaker is open");
        assert_eq!(status(&monitor, "moody").sent, 0);

        sink.set(Mood::Takes);
        sleep(120 * SECOND).await;
        let status = status(&monitor, "moody");
        assert_eq!((status.queued, status.dropped, status.refused), (0, 0, 0), "nothing was lost");
        assert_eq!(sink.taken.load(Ordering::SeqCst) as u64, status.sent);
        assert!(status.sent >= 1 && status.last_error.is_none());
        assert!(inbox.take().contains(&"resolved notifier_gone moody".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_its_oldest_and_counts_them() {
    let (registry, sink) = (registry(), Moody::new(Mood::Hangs));
    let (monitor, inbox) = started(opened(&registry).queue_capacity(5).notify(sink.clone())).await;
    registry.get_or_create("first").trip();
    sleep(SECOND).await;
    for index in 0..20 {
        registry.get_or_create(&format!("b{index}")).trip();
    }
    sleep(2 * SECOND).await;
    let status = status(&monitor, "moody");
    assert_eq!((status.queued, status.dropped), (1 + 5, 15), "one is in flight");
    assert_eq!(inbox.take().len(), 1 + 5, "the inbox has the same capacity, and as many at the same moment");
    assert_eq!(monitor.flush(SECOND).await, 6);
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_refuses_is_counted_and_not_repeated() {
    for (mood, error) in [(Mood::Refuses, "400"), (Mood::Panics, "the notifier panicked")] {
        let (registry, sink) = (registry(), Moody::new(mood));
        let (monitor, _inbox) = started(opened(&registry).notify(sink.clone())).await;
        registry.get_or_create("db").trip();
        sleep(60 * SECOND).await;
        let refused = status(&monitor, "moody");
        assert_eq!((refused.refused, refused.queued), (1, 0));
        assert_eq!(refused.last_error.as_deref(), Some(error));
        assert_eq!(sink.attempts.load(Ordering::SeqCst), 1);
        sink.set(Mood::Takes);
        registry.get_or_create("db").reset();
        sleep(SECOND).await;
        assert_eq!(status(&monitor, "moody").sent, 1, "the next is sent");
    }
}

/// A web server that answers each request with the next status, the last one from then on.
#[derive(Clone, Default)]
struct Hook {
    bodies: Arc<Mutex<Vec<Value>>>,
    statuses: Arc<Mutex<Vec<u16>>>,
}

impl Hook {
    async fn serve(statuses: &[u16]) -> (Hook, String) {
        let hook = Hook { statuses: Arc::new(Mutex::new(statuses.to_vec())), ..Hook::default() };
        let app = Router::new().route("/hook", post(answer)).with_state(hook.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (hook, url)
    }
}

async fn answer(State(hook): State<Hook>, headers: HeaderMap, body: String) -> (StatusCode, &'static str) {
    assert_eq!(headers["content-type"], "application/json");
    let mut statuses = hook.statuses.lock().unwrap();
    let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
    if status == 200 {
        hook.bodies.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    }
    (StatusCode::from_u16(status).unwrap(), "no_service")
}

#[tokio::test]
async fn a_webhook_is_repeated_until_it_answers() {
    let (hook, url) = Hook::serve(&[503, 200]).await;
    let registry = halfopen::Registry::new();
    let monitor = opened(&registry).notify(WebhookNotifier::new("ops", &url).unwrap()).start().unwrap();
    registry.get_or_create("db").trip();
    until(|| !hook.bodies.lock().unwrap().is_empty()).await;
    let body = hook.bodies.lock().unwrap()[0].clone();
    assert_eq!(body["version"], 1);
    let alert = &body["alerts"][0];
    assert_eq!((&alert["rule"], &alert["status"]), (&Value::from("opened"), &Value::from("firing")));
    assert_eq!((&alert["subject"], &alert["ended_at"]), (&Value::from("db"), &Value::Null));
    until(|| status(&monitor, "ops").sent == 1).await;
    assert_eq!(status(&monitor, "ops").failed_attempts, 1);
}

#[tokio::test]
async fn a_revoked_slack_address_is_refused_and_stays_secret() {
    let (_hook, url) = Hook::serve(&[404]).await;
    let registry = halfopen::Registry::new();
    let notifier = SlackNotifier::new(&url).unwrap();
    assert!(!format!("{notifier:?}").contains("/hook"));
    let monitor = opened(&registry).notify(notifier).start().unwrap();
    registry.get_or_create("db").trip();
    until(|| status(&monitor, "slack").refused == 1).await;
    assert_eq!(status(&monitor, "slack").last_error.as_deref(), Some("404 Not Found: no_service"));
}

#[tokio::test]
async fn a_slack_message_escapes_names() {
    let (hook, url) = Hook::serve(&[200]).await;
    let registry = halfopen::Registry::new();
    let _monitor = opened(&registry).notify(SlackNotifier::new(&url).unwrap()).start().unwrap();
    registry.get_or_create("<!channel>").trip();
    until(|| !hook.bodies.lock().unwrap().is_empty()).await;
    let body = hook.bodies.lock().unwrap()[0].clone();
    let text = body["text"].as_str().unwrap();
    assert!(text.starts_with(":warning: [firing medium] opened: &lt;!channel&gt;: open"), "{text}");
}

/// Answers one request with these bytes, and keeps the connection open without another.
async fn answered_once(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _request = stream.read(&mut [0; 65_536]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            open.push(stream);
        }
    });
    url
}

#[tokio::test]
async fn a_refusal_whose_reason_stalls_is_a_refusal() {
    let url = answered_once("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n").await;
    let registry = halfopen::Registry::new();
    let builder = opened(&registry).notifier_timeout(3 * SECOND);
    let monitor = builder.notify(WebhookNotifier::new("ops", &url).unwrap()).start().unwrap();
    registry.get_or_create("db").trip();
    until(|| status(&monitor, "ops").refused + status(&monitor, "ops").failed_attempts == 1).await;
    assert_eq!(status(&monitor, "ops").last_error.as_deref(), Some("404 Not Found: "));
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let (taken, elsewhere) = Hook::serve(&[200]).await;
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let url = answered_once(answer.leak()).await;
    let registry = halfopen::Registry::new();
    let monitor = opened(&registry).notify(WebhookNotifier::new("ops", &url).unwrap()).start().unwrap();
    registry.get_or_create("db").trip();
    until(|| status(&monitor, "ops").refused == 1).await;
    assert!(taken.bodies.lock().unwrap().is_empty(), "alerts go to the address that was configured");
}

#[tokio::test(start_paused = true)]
async fn the_code_of_a_notifier_is_not_called_for_status() {
    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicUsize>);
    impl Notifier for Counted {
        fn name(&self) -> &str {
            self.0.fetch_add(1, Ordering::SeqCst);
            "counted"
        }
        fn send<'a>(&'a self, _: &'a [Alert]) -> Sending<'a> {
            Box::pin(async { Ok(()) })
        }
    }
    let counted = Counted::default();
    let (monitor, _inbox) = started(opened(&registry()).notify(counted.clone())).await;
    let calls = counted.0.load(Ordering::SeqCst);
    assert_eq!(status(&monitor, "counted").queued, 0);
    assert_eq!(counted.0.load(Ordering::SeqCst), calls, "it would run under a lock");
}

#[tokio::test]
async fn an_absent_webhook_names_the_reason_not_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret", listener.local_addr().unwrap());
    drop(listener);
    let registry = halfopen::Registry::new();
    let monitor = opened(&registry).notify(WebhookNotifier::new("ops", &url).unwrap()).start().unwrap();
    registry.get_or_create("db").trip();
    until(|| status(&monitor, "ops").failed_attempts > 0).await;
    let error = status(&monitor, "ops").last_error.unwrap();
    assert!(error.contains("refused") && !error.contains("secret"), "{error}");
    assert!(WebhookNotifier::new("ops", "ftp://x/").is_err());
}
