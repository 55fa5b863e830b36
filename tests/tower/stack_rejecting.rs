//! The layer among tower's own middleware, in the modes that reject.

use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::retry::RetryLayer;
use tower::{Layer, Service, ServiceExt};

use crate::modes::{Mode, holds};
use crate::stack_modes::UnlessRejected;
use crate::world::{World, call, finish, in_runtime};
use test_support::service::{Do, Done};

holds!([
    a_buffer_outlives_an_open_circuit,
    under_a_retry_a_rejection_is_the_last_attempt,
    a_concurrency_limit_outside_gets_its_permit_back_from_a_rejection,
    a_load_shed_outside_passes_rejections,
] in [boxed: BoxedErrors, typed: TypedErrors, on_rejected: OnRejected, keyed: PerKey]);

fn a_buffer_outlives_an_open_circuit<M: Mode>() {
    in_runtime(async {
        let world = World::new();
        let mut buffer = Buffer::new(M::service(&world), 4);
        world.breaker.trip();

        for _ in 0..3 {
            let error = buffer.ready().await.unwrap().call(Do::Succeed).await.unwrap_err();
            assert!(halfopen::rejection(&*error).is_some());
        }

        world.breaker.reset();
        assert_eq!(buffer.ready().await.unwrap().call(Do::Succeed).await.unwrap(), Done);
    });
}

fn under_a_retry_a_rejection_is_the_last_attempt<M: Mode>() {
    let world = World::new();
    let stack = RetryLayer::new(UnlessRejected::<M>::times(10)).layer(M::service(&world));

    let error = finish(stack.oneshot(Do::Fail)).err().unwrap();

    assert!(M::rejection(&error).is_some());
    assert_eq!((world.journal.calls(), world.totals().failures, world.totals().rejected), (3, 3, 1));
}

fn a_concurrency_limit_outside_gets_its_permit_back_from_a_rejection<M: Mode>() {
    let world = World::new();
    world.breaker.trip();
    let mut stack = ConcurrencyLimit::new(M::service(&world), 1);

    for _ in 0..3 {
        let error = call(&mut stack, Do::Succeed).err().unwrap();
        assert!(M::rejection(&error).is_some());
    }
}

fn a_load_shed_outside_passes_rejections<M: Mode>() {
    let world = World::new();
    world.breaker.trip();

    let error = call(&mut LoadShed::new(M::service(&world)), Do::Succeed).unwrap_err();

    assert!(halfopen::rejection(&*error).is_some());
}
