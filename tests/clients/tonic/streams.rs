//! Streams of every kind: when they are classified, and the outcome of a drop.

use futures_util::{FutureExt, StreamExt, stream};
use halfopen_tonic::StatusClassify;
use tonic::{Code, Request};

use crate::peer::Peer;
use crate::shop::Open;
use crate::{Scene, article, stock};

#[tokio::test]
async fn a_server_stream_is_judged_by_how_it_ends() {
    let shop = Open::shop().await;
    for (script, expected) in
        [("3/0", "success"), ("3/14", "failure"), ("0/0", "success"), ("-/14", "failure")]
    {
        let scene = Scene::new();
        match scene.client(shop.channel()).watch(article(script)).await {
            Ok(stream) => {
                let mut stream = stream.into_inner();
                while let Ok(Some(_)) = stream.message().await {}
            }
            Err(status) => assert_eq!(status.code(), Code::Unavailable),
        }
        assert_eq!(scene.ended(), expected, "{script}");
    }
}

#[tokio::test]
async fn a_client_stream_is_judged_by_its_answer() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut client = scene.client(shop.channel());
    let all = client.deliver(stream::iter([stock(3), stock(4)])).await.unwrap();
    assert_eq!(all.into_inner().pieces, 7);
    let blocked = client.deliver(stream::iter([stock(3), stock(0)]).chain(stream::pending()));
    assert_eq!(blocked.await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(scene.ended(), "success failure");
}

#[tokio::test]
async fn a_conversation_is_judged_by_how_it_ends() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut client = scene.client(shop.channel());
    let answers = client.ask(stream::iter([article("3/0"), article("4/0")])).await.unwrap().into_inner();
    let pieces: Vec<_> = answers.map(|stock| stock.unwrap().pieces).collect().await;
    assert_eq!((pieces.as_slice(), scene.ended().as_str()), (&[3, 4][..], "success"));

    let mut answers = client.ask(stream::iter([article("3/0"), article("-/13")])).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().pieces, 3);
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Internal);
    assert_eq!(scene.ended(), "success failure");
}

#[tokio::test]
async fn nothing_is_recorded_while_a_stream_lives() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut stream = scene.client(shop.channel()).watch(article("2/never")).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream.message().await.unwrap().unwrap();
    assert_eq!(scene.ended(), "");
    drop(stream);
    assert_eq!(scene.ended(), "ignored");
}

#[tokio::test]
async fn a_stream_dropped_before_data_is_abandoned() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let stream = scene.client(shop.channel()).watch(article("0/never")).await.unwrap().into_inner();
    drop(stream);
    assert_eq!(scene.ended(), "abandoned");
}

#[tokio::test]
async fn a_call_dropped_before_headers_is_abandoned() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let mut client = scene.cued(&peer, "silent");
    let mut call = Box::pin(client.count(article("")));
    assert!(call.as_mut().now_or_never().is_none());
    drop(call);
    assert_eq!(scene.ended(), "abandoned");
}

#[tokio::test]
async fn a_call_that_the_caller_cancels_says_nothing() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let mut request = Request::new(stream::pending());
    let cancel = request.cancellation_handle();
    let mut client = scene.cued(&peer, "silent");
    let call = tokio::spawn(async move { client.deliver(request).await });
    // Sent before the handle is used, so that there is a request to cancel.
    tokio::task::yield_now().await;
    cancel.cancel();
    call.await.unwrap().unwrap_err();
    assert_eq!(scene.ended(), "ignored");
}

#[tokio::test]
async fn a_stream_that_the_caller_cancels_says_nothing() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut request = Request::new(stream::iter([article("3/0")]).chain(stream::pending()));
    let cancel = request.cancellation_handle();
    let mut answers = scene.client(shop.channel()).ask(request).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().pieces, 3);
    cancel.cancel();
    answers.message().await.unwrap_err();
    assert_eq!(scene.ended(), "ignored");
}

/// Around a stream of a client without a layer.
#[tokio::test]
async fn protect_stream_takes_a_streaming() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut bare = crate::proto::inventory_client::InventoryClient::new(shop.channel());
    let stream = bare.watch(article("2/14")).await.unwrap().into_inner();
    let mut stream = scene.breaker.protect_stream_with(stream, StatusClassify::default()).until_end();
    assert_eq!(stream.next().await.unwrap().unwrap().pieces, 1);
    assert_eq!(stream.next().await.unwrap().unwrap().pieces, 2);
    assert_eq!(scene.ended(), "");
    let status = stream.next().await.unwrap().unwrap_err().into_inner().unwrap();
    assert_eq!((status.code(), scene.ended().as_str()), (Code::Unavailable, "failure"));

    scene.breaker.force_open();
    let stream = bare.watch(article("2/14")).await.unwrap().into_inner();
    let mut stream = scene.breaker.protect_stream_with(stream, StatusClassify::default());
    assert!(stream.next().await.unwrap().unwrap_err().is_rejected());
}
