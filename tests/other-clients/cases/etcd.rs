use other_clients::etcd::{client, rejection};
use tonic::transport::Endpoint;

use crate::server::grpc;
use crate::world::World;

#[tokio::test]
async fn a_client_of_etcd_opens_rejects_and_recovers() {
    let world = World::new("etcd", grpc).await;
    let endpoint = Endpoint::from_shared(world.server.url.clone()).unwrap();
    let etcd = client(&endpoint, world.breaker.clone()).await.unwrap();

    let error = world.outage(async || etcd.kv_client().get("key", None).await).await;
    assert_eq!(rejection(&error).unwrap().name(), "etcd");
}
