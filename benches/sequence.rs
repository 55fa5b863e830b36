//! Calls of a client, one after another.

use std::rc::Rc;

use tokio::runtime::Runtime;

use crate::harness::Case;

/// A case of calls in sequence, each of which must succeed.
pub(crate) fn case<P: 'static>(
    name: &str,
    runtime: &Rc<Runtime>,
    client: P,
    call: impl AsyncFn(&P) -> bool + 'static,
) -> Case {
    let runtime = Rc::clone(runtime);
    Case::new(name, move |calls| {
        runtime.block_on(async {
            for _ in 0..calls {
                assert!(call(&client).await, "the server answers");
            }
        });
    })
}
