//! Routes that are configured by a document, and updated with it.

use axum::Router;
use axum::routing::get;
use halfopen_axum::RouteProtectionLayer;
use halfopen_config::{Format, LiveRegistry, Loader};

use crate::server::{self, serve};

const DOCUMENT: &str = r"
breakers:
  query: { trip: { consecutive_failures: 3 } }
  experts: { rate_limit: { calls: 1, per: 3600 } }
routes:
  /query/{*rest}: { breaker: query, max_concurrent_calls: 50, fallback: { error: Service temporarily unavailable } }
  /experts/{*rest}: { breaker: experts }
";

fn live() -> LiveRegistry {
    LiveRegistry::new(Loader::new().text("t.yaml", Format::Yaml, DOCUMENT))
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn server(live: &LiveRegistry) -> std::net::SocketAddr {
    let app = Router::new()
        .route("/query/{*rest}", get(|| async { "3 rows" }))
        .route("/experts/{*rest}", get(|| async { "2 experts" }));
    serve(app.layer(RouteProtectionLayer::from_document(live).unwrap())).await
}

#[tokio::test]
async fn the_routes_of_a_document_are_protected() {
    let live = live();
    let address = server(&live).await;
    assert_eq!(server::get(address, "/query/orders").await.body, "3 rows");
    live.registry().get("query").unwrap().force_open();
    let answer = server::get(address, "/query/orders").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (503, Some("Service temporarily unavailable"))
    );

    assert_eq!(server::get(address, "/experts/search").await.status, 200);
    assert_eq!(server::get(address, "/experts/search").await.status, 429, "the rate limit of the breaker");
}

#[tokio::test]
async fn a_server_follows_its_document() {
    let live = live();
    let address = server(&live).await;
    live.registry().get("query").unwrap().force_open();
    assert_eq!(server::get(address, "/query/orders").await.status, 503);

    live.apply(Format::Yaml, &DOCUMENT.replace("/query/{*rest}: {", "/other: {")).unwrap();
    assert_eq!(
        server::get(address, "/query/orders").await.status,
        200,
        "the route is not protected any more"
    );
    assert_eq!(server::get(address, "/experts/search").await.status, 200);
    live.apply(Format::Yaml, &DOCUMENT.replace("calls: 1", "calls: 2")).unwrap();
    assert_eq!(server::get(address, "/query/orders").await.status, 503);
    assert_eq!(server::get(address, "/experts/search").await.status, 429, "the whole quota was used");
    assert!(live.apply(Format::Yaml, &DOCUMENT.replace("/experts/{*rest}", "'/experts/{*rest}/b'")).is_err());
    assert_eq!(server::get(address, "/query/orders").await.status, 503, "a wrong document changes nothing");
}
