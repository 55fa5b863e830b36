use http::HeaderValue;
use other_clients::octocrab::client;
use serde_json::Value;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn github(health: Health) -> Answer {
    match health {
        Health::Well => json(200, r#"{"number": 7}"#),
        Health::Sick => json(503, r#"{"message": "down"}"#),
        Health::Cut => cut(),
    }
}

#[tokio::test]
async fn a_client_of_octocrab_opens_rejects_and_recovers() {
    let world = World::new("github", github).await;
    let token = HeaderValue::from_static("Bearer token");
    let octocrab = client(world.server.url.parse().unwrap(), token, world.breaker.clone());

    let call = async || octocrab.post::<_, Value>("/repos/o/r/issues", Some(&["a title"])).await;
    let error = world.outage(call).await;
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "github");
}

#[tokio::test]
async fn bodies_that_break_open_the_breaker_of_octocrab() {
    let world = World::new("github", github).await;
    let token = HeaderValue::from_static("Bearer token");
    let octocrab = client(world.server.url.parse().unwrap(), token, world.breaker.clone());

    world
        .fall(Health::Cut, &async || octocrab.post::<_, Value>("/repos/o/r/issues", Some(&["a title"])).await)
        .await;
}
