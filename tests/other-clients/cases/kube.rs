use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Config};
use other_clients::kube::client;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn api_server(health: Health) -> Answer {
    match health {
        Health::Well => {
            json(200, r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}"#)
        }
        Health::Sick => {
            json(503, r#"{"kind": "Status", "status": "Failure", "message": "down", "code": 503}"#)
        }
        Health::Cut => cut(),
    }
}

#[tokio::test]
async fn a_client_of_kube_opens_rejects_and_recovers() {
    let world = World::new("kube", api_server).await;
    let config = Config::new(world.server.url.parse().unwrap());
    let namespaces: Api<Namespace> = Api::all(client(config, world.breaker.clone()).unwrap());

    let error = world.outage(async || namespaces.get("default").await).await;
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "kube");
}

#[tokio::test]
async fn bodies_that_break_open_the_breaker_of_kube() {
    let world = World::new("kube", api_server).await;
    let config = Config::new(world.server.url.parse().unwrap());
    let namespaces: Api<Namespace> = Api::all(client(config, world.breaker.clone()).unwrap());

    world.fall(Health::Cut, &async || namespaces.get("default").await).await;
}
