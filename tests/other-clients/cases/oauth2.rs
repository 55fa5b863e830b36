use halfopen_reqwest::CircuitBreakerMiddleware;
use oauth2::basic::BasicClient;
use oauth2::{ClientId, TokenUrl};
use other_clients::oauth2::send;
use reqwest_middleware::ClientBuilder;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn issuer(health: Health) -> Answer {
    match health {
        Health::Well => json(200, r#"{"access_token": "token", "token_type": "bearer"}"#),
        Health::Sick => json(503, r#"{"error": "temporarily_unavailable"}"#),
        Health::Cut => cut(),
    }
}

#[tokio::test]
async fn a_client_of_oauth2_opens_rejects_and_recovers() {
    let world = World::new("issuer", issuer).await;
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(CircuitBreakerMiddleware::new(world.breaker.clone()))
        .build();
    let oauth2 = BasicClient::new(ClientId::new("id".to_owned()))
        .set_token_uri(TokenUrl::new(world.server.url.clone()).unwrap());

    let call =
        async || oauth2.exchange_client_credentials().request_async(&|request| send(&client, request)).await;
    let error = world.outage(call).await;
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "issuer");
}
