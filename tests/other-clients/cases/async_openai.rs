use async_openai::config::OpenAIConfig;
use async_openai::types::chat::CreateChatCompletionRequest;
use other_clients::async_openai::client;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn model(health: Health) -> Answer {
    match health {
        Health::Well => json(
            200,
            r#"{"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}"#,
        ),
        Health::Sick => json(503, r#"{"error": {"message": "down", "type": "server_error"}}"#),
        Health::Cut => cut(),
    }
}

#[tokio::test]
async fn a_client_of_openai_opens_rejects_and_recovers() {
    let world = World::new("model", model).await;
    let config = OpenAIConfig::new().with_api_base(&world.server.url).with_api_key("key");
    let openai = client(config, reqwest::Client::new(), world.breaker.clone());

    let error =
        world.outage(async || openai.chat().create(CreateChatCompletionRequest::default()).await).await;
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "model");
}
