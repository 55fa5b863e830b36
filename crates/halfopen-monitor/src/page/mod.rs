//! The live page: a shell, a script, a stream of updates, and actions behind a token.

mod actions;
mod frames;
mod host;
mod row;
mod shadow;
mod stream;

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

pub use actions::Action;
use actions::Token;
pub(crate) use frames::{Frames, View, publish};
pub(crate) use row::Row;
pub(crate) use shadow::ShadowRows;

use crate::error::MonitorError;
use crate::monitor::{Monitor, Shared};

/// The routes of [`Monitor::routes`], for [`Router::merge`] and [`Router::nest`].
#[derive(Clone)]
#[must_use = "it becomes routes with `Router::merge` or `into_router`"]
pub struct PageRoutes {
    shared: Arc<Shared>,
    token: Option<Token>,
    /// Empty for any.
    hosts: Vec<String>,
}

impl Monitor {
    /// Returns the routes of a page that shows the breakers, their changes and the alerts, live.
    ///
    /// - `GET /`: the page. It needs no other server, and works in dark and light, with a keyboard and a screen reader.
    /// - `GET /data`: [`dashboard_data`](Self::dashboard_data) as JSON.
    /// - `GET /events`: a stream of changes (server-sent events), four a second at most.
    /// - `GET /explain?NAME`: the explanation of a breaker, as text.
    /// - `POST /actions`: an [`Action`], if [`actions`](PageRoutes::actions) has a token.
    ///
    /// The pages show the names and the traffic of every dependency, so they belong on a port or behind a middleware that
    /// strangers do not reach. The routes do not keep the monitor running.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use halfopen::Registry;
    /// use halfopen_monitor::Monitor;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let monitor = Monitor::builder(Registry::new()).shipped_rules().start()?;
    /// let page = monitor.routes().actions("a token of 16 bytes or more")?;
    /// let app: Router = Router::new().nest("/breakers", page.into_router());
    /// # drop(app); Ok(()) }
    /// ```
    pub fn routes(&self) -> PageRoutes {
        PageRoutes { shared: self.shared(), token: None, hosts: Vec::new() }
    }

    /// Ends the streams of all open pages, which then connect again. Intended for a graceful shutdown, which waits for
    /// them otherwise.
    pub fn end_streams(&self) {
        self.shared().frames().end_streams();
    }
}

impl PageRoutes {
    /// Permits actions to those who have this token, of 16 printable ASCII characters or more: force open, close, reset
    /// and trip.
    ///
    /// A request needs the token and an `Origin` of the same host. Each is in the audit log of the page and, with the feature
    /// `tracing`, in the log.
    ///
    /// # Errors
    ///
    /// If the token is shorter, or has other characters.
    pub fn actions(mut self, token: &str) -> Result<Self, MonitorError> {
        self.token = Some(Token::new(token)?);
        Ok(self)
    }

    /// Restricts the routes to requests for these hosts, such as `ops.example.com` or `localhost:9000`; without a port, to any
    /// port of the host. The default is any host.
    ///
    /// Intended for a page that only the network protects: a stranger's site cannot read it through a name of its own that
    /// resolves to this address. Other requests have the status 421.
    pub fn hosts<N: Into<String>>(mut self, hosts: impl IntoIterator<Item = N>) -> Self {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Returns the routes as a router, for [`Router::nest`] and layers of their own.
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let routes = Arc::new(self);
        Router::new()
            .route("/", get(page))
            .route("/page.css", get(|| async { fixed("text/css; charset=utf-8", include_str!("page.css")) }))
            .route(
                "/page.js",
                get(|| async { fixed("text/javascript; charset=utf-8", include_str!("page.js")) }),
            )
            .route("/data", get(data))
            .route("/explain", get(explain))
            .route("/events", get(stream::events))
            .route("/actions", post(actions::act))
            .layer(from_fn_with_state(Arc::clone(&routes), host::check))
            .with_state(routes)
    }
}

impl<S: Clone + Send + Sync + 'static> From<PageRoutes> for Router<S> {
    fn from(routes: PageRoutes) -> Router<S> {
        routes.into_router()
    }
}

/// No other server, no inline script or style, and no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

fn secured(content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), body).into_response()
}

fn fixed(content_type: &'static str, body: &'static str) -> Response {
    secured(content_type, body.to_owned())
}

fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => secured("application/json", text),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn data(State(routes): State<Arc<PageRoutes>>) -> Response {
    json(&routes.shared.dashboard())
}

async fn explain(State(routes): State<Arc<PageRoutes>>, RawQuery(query): RawQuery) -> Response {
    let name = decoded(&query.unwrap_or_default());
    match routes.shared.breaker(&name) {
        Some(breaker) => secured("text/plain; charset=utf-8", breaker.explain()),
        None => (StatusCode::NOT_FOUND, "no such breaker").into_response(),
    }
}

/// The shell, with the numbers of this moment, and its rows for a browser without scripts.
async fn page(State(routes): State<Arc<PageRoutes>>, OriginalUri(uri): OriginalUri) -> Response {
    let view = routes.shared.view();
    let mut rows = String::new();
    for row in view.rows.iter().take(MOST_ROWS) {
        let _ = write!(rows, "<tr><th scope=row>{}<td>{}<td>{}", escaped(row.name()), row.state, row.calls);
    }
    // Relative addresses must work wherever the routes are nested.
    let base = if uri.path().ends_with('/') { uri.path().to_owned() } else { format!("{}/", uri.path()) };
    let total = match view.overview.total {
        1 => "1 breaker".to_owned(),
        total => format!("{total} breakers"),
    };
    let html = include_str!("page.html")
        .replace("{base}", &escaped(&base))
        .replace("{health}", &format!("{:.1}", view.overview.health_percentage))
        .replace("{total}", &total)
        .replace("{actions}", if routes.token.is_some() { "yes" } else { "no" })
        .replace("{rows}", &rows);
    secured("text/html; charset=utf-8", html)
}

/// The rows for a browser without scripts.
const MOST_ROWS: usize = 1_000;

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Decodes the percent signs of a query.
fn decoded(query: &str) -> String {
    let bytes = query.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(escaped("<b a=\"1\">&{rows}"), "&lt;b a=&quot;1&quot;&gt;&amp;&#123;rows}");
        assert_eq!(decoded("a%20b%C3%A9%zz%"), "a bé%zz%");
    }
}
