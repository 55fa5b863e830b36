//! A real Chromium, driven by WebDriver.

use std::process::Command;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};
use test_support::server::{ServerProcess, on_free_port, program};

/// A Chromium without a window.
pub(crate) async fn browser() -> Option<(ServerProcess, Client)> {
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

pub(crate) async fn text(client: &Client, css: &str) -> String {
    let script =
        "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent).join('|')";
    client.execute(script, vec![json!(css)]).await.unwrap().as_str().unwrap().to_owned()
}

/// Waits until the page shows this; the test's own time limit is that of the test runner.
pub(crate) async fn shows(client: &Client, css: &str, part: &str) {
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
pub(crate) async fn picture(client: &Client, name: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/{name}.png"), client.screenshot().await.unwrap()).unwrap();
}

/// The result of a script.
pub(crate) async fn script(client: &Client, script: &str) -> Value {
    client.execute(script, vec![]).await.unwrap()
}

/// A command of the Chrome DevTools Protocol, such as one that reads the accessibility tree.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

pub(crate) async fn dev_tools(client: &Client, command: &str, parameters: Value) -> Value {
    client.issue_cmd(DevTools(json!({ "cmd": command, "params": parameters }))).await.unwrap()
}
