use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use proto::inventory_server::{Inventory, InventoryServer};
use proto::{Article, Stock};

/// The generated code of the tests of the tonic adapter, where a test checks that it is current.
#[allow(
    unreachable_pub,
    missing_docs,
    clippy::all,
    clippy::uninlined_format_args,
    clippy::semicolon_if_nothing_returned,
    reason = "generated"
)]
pub(super) mod proto {
    include!("../../../tests/clients/tonic/proto/inventory.rs");
}

/// Responds to every request alike, for as long as the runtime on which it is started exists.
pub(super) async fn http() -> reqwest::Url {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|_| async {
                Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from_static(b"in stock"))))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    format!("http://{address}/items/7").parse().expect("an address makes a valid URL")
}

/// The same with tonic.
pub(super) async fn grpc() -> SocketAddr {
    let (listener, address) = listen().await;
    let server = Server::builder().add_service(InventoryServer::new(Shop));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    address
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    (listener, address)
}

struct Shop;

#[tonic::async_trait]
impl Inventory for Shop {
    async fn count(&self, _: Request<Article>) -> Result<Response<Stock>, Status> {
        Ok(Response::new(Stock { pieces: 3 }))
    }
}
