use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::{Client, Config};
use aws_smithy_http_client::Builder;
use other_clients::aws::Protected;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn down(health: Health) -> Answer {
    match health {
        Health::Well => json(200, r#"{"MessageId": "1"}"#),
        Health::Sick => json(503, r#"{"__type": "com.amazonaws.sqs#ServiceUnavailable"}"#),
        Health::Cut => cut(),
    }
}

fn throttled(health: Health) -> Answer {
    match health {
        Health::Sick => {
            json(400, r#"{"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"}"#)
        }
        Health::Well | Health::Cut => down(health),
    }
}

fn refusing(health: Health) -> Answer {
    match health {
        Health::Sick => {
            json(400, r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "Throttling"}"#)
        }
        Health::Well | Health::Cut => down(health),
    }
}

fn client(world: &World, retry: RetryConfig) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .endpoint_url(&world.server.url)
        .retry_config(retry)
        .http_client(Protected { client: Builder::new().build_http(), breaker: world.breaker.clone() })
        .build();
    Client::from_conf(config)
}

async fn send(sqs: &Client) -> Result<(), aws_sdk_sqs::Error> {
    sqs.send_message().queue_url("http://queue").message_body("hello").send().await?;
    Ok(())
}

#[tokio::test]
async fn a_client_of_aws_opens_rejects_and_recovers() {
    for answer in [down, throttled] {
        let world = World::new("sqs", answer).await;
        let sqs = client(&world, RetryConfig::disabled());

        let error = world.outage(async || send(&sqs).await).await;
        assert_eq!(halfopen::rejection(&error).unwrap().name(), "sqs");
    }
}

#[tokio::test]
async fn a_refusal_by_aws_is_a_success() {
    let world = World::new("sqs", refusing).await;
    let sqs = client(&world, RetryConfig::disabled());
    world.server.is(Health::Sick);
    for _ in 0..5 {
        send(&sqs).await.expect_err("there is no such queue");
    }
    assert!(world.breaker.is_closed(), "the text of an error is no code: {}", world.breaker.explain());
}

#[tokio::test]
async fn the_retry_of_aws_repeats_no_rejection() {
    let world = World::new("sqs", down).await;
    let sqs = client(&world, RetryConfig::standard());
    world.breaker.force_open();
    let error = world.rejected(&async || send(&sqs).await).await;
    assert!(halfopen::rejection(&error).is_some());
}
