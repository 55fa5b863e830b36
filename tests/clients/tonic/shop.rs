//! A tonic server whose behaviour is selected by the name of an article: `<pieces>/<code>`.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;

use futures_util::stream::{self, StreamExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::codegen::BoxStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::proto::inventory_server::{Inventory, InventoryServer};
use crate::proto::{Article, Stock};
use crate::stock;

/// The messages before the end, and the kind of the end.
struct Script {
    pieces: Option<u32>,
    end: End,
}

enum End {
    Status(Code),
    Never,
}

/// `3/0`: three messages, then Ok. `3/14`: three messages, then Unavailable. `-/14`: Unavailable from the
/// handler. `1/never`: one message, then nothing. `-/never`: not even headers.
fn script(article: &Article) -> Script {
    let (pieces, end) = article.name.split_once('/').expect("an article of the tests is a script");
    let end = match end {
        "never" => End::Never,
        code => End::Status(Code::from(code.parse::<i32>().expect("a code"))),
    };
    Script { pieces: pieces.parse().ok(), end }
}

#[derive(Clone, Copy)]
pub(crate) struct Shop;

#[tonic::async_trait]
impl Inventory for Shop {
    async fn count(&self, request: Request<Article>) -> Result<Response<Stock>, Status> {
        answer(request.get_ref()).await.map(Response::new)
    }

    async fn watch(&self, request: Request<Article>) -> Result<Response<BoxStream<Stock>>, Status> {
        let Script { pieces, end } = script(request.get_ref());
        let Some(pieces) = pieces else { return Err(answer(request.get_ref()).await.unwrap_err()) };
        let pieces = stream::iter((1..=pieces).map(|pieces| Ok(stock(pieces))));
        Ok(Response::new(match end {
            End::Never => pieces.chain(stream::pending()).boxed(),
            End::Status(Code::Ok) => pieces.boxed(),
            End::Status(code) => pieces.chain(stream::iter([Err(said(code))])).boxed(),
        }))
    }

    async fn deliver(&self, request: Request<Streaming<Stock>>) -> Result<Response<Stock>, Status> {
        let mut delivered = 0;
        let mut stream = request.into_inner();
        while let Some(stock) = stream.message().await? {
            if stock.pieces == 0 {
                return Err(Status::unavailable("the ramp is blocked"));
            }
            delivered += stock.pieces;
        }
        Ok(Response::new(stock(delivered)))
    }

    async fn ask(&self, request: Request<Streaming<Article>>) -> Result<Response<BoxStream<Stock>>, Status> {
        let answers = request.into_inner().then(async |article| answer(&article?).await);
        Ok(Response::new(Box::pin(answers)))
    }
}

async fn answer(article: &Article) -> Result<Stock, Status> {
    match script(article) {
        Script { pieces: Some(pieces), end: End::Status(Code::Ok) } => Ok(stock(pieces)),
        Script { end: End::Status(code), .. } => Err(said(code)),
        Script { end: End::Never, .. } => pending().await,
    }
}

fn said(code: Code) -> Status {
    Status::new(code, "as the script says")
}

/// A server on its own port, until it is dropped.
pub(crate) struct Open {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Open {
    pub(crate) async fn shop() -> Open {
        Open::serve(|incoming| {
            Server::builder().add_service(InventoryServer::new(Shop)).serve_with_incoming(incoming)
        })
        .await
    }

    pub(crate) async fn serve<F>(serve: impl FnOnce(TcpIncoming) -> F) -> Open
    where
        F: Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let serving: Pin<Box<F>> = Box::pin(serve(TcpIncoming::from(listener)));
        let serving = tokio::spawn(async move { serving.await.expect("the listener stays") });
        Open { address, serving }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Channel::builder(crate::uri(&format!("http://{}", self.address)))
    }

    pub(crate) fn channel(&self) -> Channel {
        self.endpoint().connect_lazy()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
