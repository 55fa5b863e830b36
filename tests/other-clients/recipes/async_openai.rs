use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use halfopen::CircuitBreaker;
use halfopen_reqwest::ReqwestClassify;
use halfopen_tower::CircuitBreakerLayer;
use tower::ServiceBuilder;

/// Returns a client that sends nothing while the breaker is open, and repeats no request.
pub fn client(config: OpenAIConfig, http: reqwest::Client, breaker: CircuitBreaker) -> Client<OpenAIConfig> {
    let protect = CircuitBreakerLayer::new(breaker)
        .classify(ReqwestClassify::new().typed_errors()) // of reqwest, within an `OpenAIError`
        .on_rejected(|rejected, _| Err(OpenAIError::Boxed(rejected.into())));
    let service = ServiceBuilder::new()
        // .layer(OpenAIRetryLayer::default()) // the crate's own retry, if requests may be repeated
        .layer(protect)
        .service(ReqwestService::new(http));
    Client::with_config(config).with_http_service(service)
}
