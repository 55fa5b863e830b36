mod servers;

use std::hint::black_box;
use std::rc::Rc;

use halfopen_reqwest::CircuitBreakerMiddleware;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use reqwest_middleware::ClientBuilder;
use tokio::runtime::{Builder, Runtime};
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::transport::Channel;
use tower_layer::Layer;

use crate::configs;
use crate::harness::{Case, measure_bounded};
use crate::rows::reqwest::Empty;
use crate::table::Group;
use servers::proto::Article;
use servers::proto::inventory_client::InventoryClient;

/// Real calls over loopback, with client and server on one thread: the overhead of a breaker on a call that
/// does real work. The allocations are those of client and server together.
pub(crate) fn groups() -> Vec<Group> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = Rc::new(runtime.expect("a runtime of one thread can be built"));
    let reqwest = measure_bounded(reqwest_cases(&runtime));
    let tonic = measure_bounded(tonic_cases(&runtime));
    vec![
        with_difference(Group::of_timings("loopback, reqwest", &reqwest, "bare client", "")),
        with_difference(Group::of_timings("loopback, tonic", &tonic, "bare channel", "")),
    ]
}

/// A ratio to a call over a network is not meaningful; the first row is the bare call.
fn with_difference(mut group: Group) -> Group {
    let mut bare = None;
    for row in group.rows_mut() {
        match bare {
            None => bare = Some(row.value),
            Some(bare) => row.note = format!("{:+.0} ns", row.value - bare),
        }
    }
    group
}

fn reqwest_cases(runtime: &Rc<Runtime>) -> Vec<Case> {
    let url = runtime.block_on(servers::http());
    let stack = || ClientBuilder::new(client());
    let one = || CircuitBreakerMiddleware::new(configs::warm(&configs::count()));
    let layered = [
        ("empty middleware", stack().with(Empty).build()),
        ("one breaker", stack().with(one()).build()),
        ("one breaker, to the end of the body", stack().with(one().until_body_end()).build()),
    ];
    let bare = (client(), url.clone());
    let mut cases = vec![case("bare client", runtime, async move || {
        let (client, url) = &bare;
        read(client.get(url.clone()).send().await.expect("the server is there")).await;
    })];
    cases.extend(layered.map(|(name, client)| {
        let url = url.clone();
        case(name, runtime, async move || {
            read(client.get(url.clone()).send().await.expect("the server is there")).await;
        })
    }));
    cases
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().build();
    client.expect("a client without TLS can always be built")
}

async fn read(answer: reqwest::Response) {
    black_box(answer.bytes().await.expect("a whole answer"));
}

fn tonic_cases(runtime: &Rc<Runtime>) -> Vec<Case> {
    let address = runtime.block_on(servers::grpc());
    let channel = || {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address is valid");
        runtime.block_on(async { endpoint.connect_lazy() })
    };
    let layer = GrpcCircuitBreakerLayer::new(configs::warm(&configs::count()));
    vec![
        unary_case("bare channel", runtime, channel()),
        unary_case("one breaker", runtime, layer.layer(channel())),
    ]
}

fn unary_case<T>(name: &str, runtime: &Rc<Runtime>, service: T) -> Case
where
    T: GrpcService<tonic::body::Body, Error: Into<StdError>> + 'static,
    T::ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
{
    let mut client = InventoryClient::new(service);
    case(name, runtime, async move || {
        let article = Article { name: String::new() };
        black_box(client.count(article).await.expect("the server is there"));
    })
}

fn case(name: &str, runtime: &Rc<Runtime>, mut call: impl AsyncFnMut() + 'static) -> Case {
    let runtime = Rc::clone(runtime);
    Case::new(name, move |calls| {
        runtime.block_on(async {
            for _ in 0..calls {
                call().await;
            }
        });
    })
}
