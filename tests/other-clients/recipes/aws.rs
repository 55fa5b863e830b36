use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use halfopen::{CircuitBreaker, CircuitBreakerError, Outcome};
use halfopen_http::HttpClassify;
use http::StatusCode;

/// An HTTP client of the SDK that sends nothing while the breaker is open.
#[derive(Clone, Debug)]
pub struct Protected<C> {
    pub client: C,
    pub breaker: CircuitBreaker,
}

impl<C: HttpClient + Clone + 'static> HttpClient for Protected<C> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let client = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Protected { client, breaker: self.breaker.clone() })
    }
}

impl HttpConnector for Protected<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Protected { client, breaker } = self.clone();
        HttpConnectorFuture::new(async move {
            let result = breaker.call_classified(|| send(client, request), outcome).await;
            result.map_err(|error| match error {
                CircuitBreakerError::Inner(error) => error,
                CircuitBreakerError::Rejected(rejected) => ConnectorError::other(rejected.into(), None),
            })
        })
    }
}

/// Sends the request; the body of a 400 is read into memory, where [`outcome`] looks for the code.
async fn send(client: SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let mut response = client.call(request).await?;
    if response.status().as_u16() == 400 {
        let body = ByteStream::new(response.take_body()).collect().await;
        let body = body.map_err(|error| ConnectorError::io(error.into()))?;
        *response.body_mut() = SdkBody::from(body.into_bytes());
    }
    Ok(response)
}

fn outcome(result: &Result<HttpResponse, ConnectorError>) -> Outcome {
    match result {
        Ok(response) if is_throttled(response) => Outcome::Failure,
        Ok(response) => StatusCode::from_u16(response.status().as_u16())
            .map_or(Outcome::Failure, |status| HttpClassify::new().outcome(status)),
        Err(error) if error.is_user() => Outcome::Ignored,
        Err(_) => Outcome::Failure,
    }
}

/// AWS throttles with a 400 and a code: in JSON `{"__type": "com.amazonaws.sqs#RequestThrottled", ..}`,
/// in XML `<Code>Throttling</Code>`.
fn is_throttled(response: &HttpResponse) -> bool {
    let body = response.body().bytes().filter(|_| response.status().as_u16() == 400).unwrap_or_default();
    let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let code = match json["__type"].as_str() {
        Some(code) => code.rsplit('#').next(),
        None => text.split_once("<Code>").and_then(|(_, rest)| rest.split('<').next()),
    };
    code.is_some_and(|code| THROTTLING_ERRORS.contains(&code))
}
