use other_clients::ureq::{Protect, rejection};
use ureq::Agent;

use crate::server::{Answer, Health, cut, json};
use crate::world::World;

fn site(health: Health) -> Answer {
    match health {
        Health::Well => json(200, "{}"),
        Health::Sick => json(503, "{}"),
        Health::Cut => cut(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_ureq_opens_rejects_and_recovers() {
    let world = World::new("site", site).await;
    let agent: Agent = Agent::config_builder().middleware(Protect(world.breaker.clone())).build().into();

    let call = async || tokio::task::block_in_place(|| agent.get(&world.server.url).call());
    let error = world.outage(call).await;
    assert_eq!(rejection(&error).unwrap().name(), "site");
}
