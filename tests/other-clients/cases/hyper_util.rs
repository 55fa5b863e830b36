use bytes::Bytes;
use halfopen::BoxError;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use other_clients::hyper_util::client;
use tower::ServiceExt;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn storage(health: Health) -> Answer {
    match health {
        Health::Well => json(200, "{}"),
        Health::Sick => json(503, "{}"),
        Health::Cut => cut(),
    }
}

async fn get(world: &World) -> Result<Bytes, BoxError> {
    let client = client::<Empty<Bytes>>(world.breaker.clone());
    let response = client.oneshot(Request::get(&world.server.url).body(Empty::new())?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status == StatusCode::OK { Ok(body) } else { Err(status.to_string().into()) }
}

#[tokio::test]
async fn a_client_of_hyper_opens_rejects_and_recovers() {
    let world = World::new("storage", storage).await;
    let error = world.outage(async || get(&world).await).await;
    assert_eq!(halfopen::rejection(&*error).unwrap().name(), "storage");
}

#[tokio::test]
async fn bodies_that_break_open_the_breaker_of_hyper() {
    let world = World::new("storage", storage).await;
    world.fall(Health::Cut, &async || get(&world).await).await;
}
