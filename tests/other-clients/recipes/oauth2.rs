use http::Response;
use oauth2::{HttpRequest, HttpResponse};
use reqwest_middleware::{ClientWithMiddleware, Error};

/// Sends a request of oauth2 with a client that has the breaker's middleware.
///
/// `.request_async(&|request| send(&client, request))`
pub async fn send(client: &ClientWithMiddleware, request: HttpRequest) -> Result<HttpResponse, Error> {
    let response = client.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = Response::new(response.bytes().await?.to_vec());
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    Ok(answer)
}
