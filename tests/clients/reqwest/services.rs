//! Servers by name, against a real server.

use std::error::Error;
use std::time::Duration;

use halfopen::{CircuitBreakerError, rejection};
use halfopen_config::{Format, LiveRegistry, Loader, Overrides};
use halfopen_reqwest::{CallError, RegisterError, Services, ServicesSection};

use crate::server::Server;
use crate::world::http;

fn document(base_url: &str) -> String {
    format!(
        "services: {{ shop: {{ base_url: \"{base_url}\" }} }}\n\
         breakers: {{ shop: {{ trip: {{ consecutive_failures: 2 }}, open: {{ duration: 1h }}, call_timeout: 200ms }} }}\n"
    )
}

fn loader(text: &str) -> Loader {
    Loader::new().section::<ServicesSection>().text("services.yaml", Format::Yaml, text)
}

fn services(text: &str) -> Services {
    let live = LiveRegistry::new(loader(text)).expect("a valid document");
    Services::with_client(live, http()).expect("a client without TLS can always be built")
}

fn base(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address())
}

fn messages(text: &str) -> Vec<String> {
    match loader(text).load() {
        Ok(configuration) => configuration.warnings().iter().map(|one| one.message().to_owned()).collect(),
        Err(error) => error.problems().iter().map(|one| one.message().to_owned()).collect(),
    }
}

#[tokio::test]
async fn a_service_has_its_url_and_its_breaker() -> Result<(), Box<dyn Error>> {
    let server = Server::start().await;
    let services = services(&document(&base(&server, "/status/")));
    let shop = services.get("shop")?;
    assert_eq!(shop.get("/204").send().await?.status(), 204);
    for _ in 0..2 {
        assert_eq!(shop.post("503").send().await?.text().await?, "so it is");
    }
    let error = shop.get("204").send().await.unwrap_err();
    assert_eq!(rejection(&error).map(|rejected| rejected.name()), Some("shop"));
    assert_eq!(server.seen(), 3, "the last was not sent");
    Ok(())
}

#[tokio::test]
async fn a_new_document_moves_a_service() -> Result<(), Box<dyn Error>> {
    let (old, new) = (Server::start().await, Server::start().await);
    let services = services(&document(&base(&old, "/whole")));
    services.get("shop")?.get("x").send().await?;
    services.get("shop")?.breaker().trip();
    services.live().apply(Format::Yaml, &document(&base(&new, "/whole")))?;

    let shop = services.get("shop")?;
    assert!(shop.get("x").send().await.is_err(), "the breaker keeps its state");
    shop.breaker().reset();
    shop.get("x").send().await?;
    assert_eq!((old.seen(), new.seen()), (1, 1));

    services.live().apply(Format::Yaml, "breakers: { shop: {} }")?;
    assert!(services.get("shop").is_err() && services.names().is_empty(), "it has left the document");
    Ok(())
}

#[tokio::test]
async fn a_hang_ends_with_the_timeout_of_the_document() -> Result<(), Box<dyn Error>> {
    let server = Server::start().await;
    let services = services(&document(&base(&server, "")));
    for _ in 0..2 {
        let error = services.get("shop")?.get("/silent").send().await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    }
    assert!(services.get("shop")?.breaker().is_open());
    Ok(())
}

#[tokio::test]
async fn a_call_is_one_call_of_the_breaker() -> Result<(), Box<dyn Error>> {
    let server = Server::start().await;
    let services = services(&document(&base(&server, "")));
    let two = services.call("shop", |client| async move {
        let first = client.get("/whole").send().await?.text().await?;
        Ok::<_, reqwest::Error>(first + &client.get("/chunked").send().await?.text().await?)
    });
    assert_eq!(two.await.unwrap(), "hellodatadata");
    let breaker = services.get("shop")?.breaker();
    assert_eq!(breaker.snapshot().totals.successes, 1);

    breaker.force_open();
    let answer = services.call("shop", |_| async { Ok::<_, reqwest::Error>(()) }).await;
    assert!(matches!(answer, Err(CallError::Rejected(_))));
    let answer = services.get("shop")?.call(|_| async { Ok::<_, reqwest::Error>(()) }).await;
    assert!(matches!(answer, Err(CircuitBreakerError::Rejected(_))));
    let answer = services.call("shpo", |_| async { Ok::<_, reqwest::Error>(()) }).await;
    let Err(CallError::Unknown(unknown)) = answer else { panic!("{answer:?}") };
    assert_eq!(unknown.to_string(), "there is no service `shpo`; did you mean `shop`?");
    Ok(())
}

#[tokio::test]
async fn a_program_registers_services() -> Result<(), Box<dyn Error>> {
    let (written, registered) = (Server::start().await, Server::start().await);
    let services = services(&document(&base(&written, "/whole")));
    let values = Overrides::new().set("trip.consecutive_failures", 3u32).set("circuit_type", "count_based");
    services.register("payment_service", &base(&registered, ""), "external_api", values)?;
    services.register("shop", &base(&registered, "/whole"), "external_api", Overrides::new())?;
    assert_eq!(services.names(), ["payment_service", "shop"]);
    assert_eq!(services.get("payment_service")?.get("whole").send().await?.text().await?, "hello");

    services.live().apply(Format::Yaml, &document(&base(&written, "/status/503")))?;
    assert_eq!(services.get("shop")?.get("").send().await?.status(), 200, "the program takes precedence");
    assert_eq!((written.seen(), registered.seen()), (0, 2));
    Ok(())
}

#[test]
fn what_cannot_be_registered_is_not() {
    let services = services("breakers: {}");
    for url in ["api.payments.com", "ftp://api.payments.com", "https://api.payments.com?key=1"] {
        let error = services.register("a", url, "external_api", Overrides::new()).unwrap_err();
        assert!(matches!(error, RegisterError::BaseUrl(..)) && error.to_string().contains(url), "{error}");
    }
    let secret = services.register("a", "ftp://app:s3cret@a.example", "external_api", Overrides::new());
    let (text, debug) = secret.map_err(|error| (error.to_string(), format!("{error:?}"))).unwrap_err();
    assert!(text.contains("ftp://app:***@a.example"), "{text}");
    assert!(!text.contains("s3cret") && !debug.contains("s3cret"), "{text} {debug}");
    let error = services.register("a", "https://a.example", "extrenal_api", Overrides::new()).unwrap_err();
    assert!(error.source().unwrap().to_string().contains("did you mean"), "{error:?}");
    assert!(services.names().is_empty() && services.live().registry().get("a").is_none());
}

#[test]
fn problems_of_services_have_their_places() {
    let text = "services:\n  a: { base_url: \"a.example\" }\n  b: { base_url: \"https://b.example\" }\n  c: { breaker: b }\n  d: { base_urll: x }\n";
    assert_eq!(
        messages(text),
        [
            "`services.a.base_url` is \"a.example\", but must be a URL such as https://api.example.com/v1",
            "the service `b` has the defaults: `breakers` has no entry `b`",
            "the service `c` has no `base_url`",
            "`services.d` has no key `base_urll`; did you mean `base_url`?",
        ]
    );
    assert_eq!(
        messages("services: { a: { base_url: \"https://a.example\" } }\nbreakers: { a*: {} }"),
        [""; 0]
    );
}

#[test]
fn a_variable_moves_a_service() {
    let variable = ("HALFOPEN_SERVICES__SHOP__BASE_URL".to_owned(), "https://b.example".to_owned());
    let live = LiveRegistry::new(loader(&document("https://a.example")).variables([variable])).unwrap();
    let services = Services::with_client(live, http().timeout(Duration::from_secs(1))).unwrap();
    assert_eq!(services.get("shop").unwrap().url("/x"), "https://b.example/x");
}

#[test]
fn an_empty_path_is_the_base_url_itself() {
    let of = |base: &str, path: &str| services(&document(base)).get("shop").unwrap().url(path);
    assert_eq!(of("https://a.example/graphql", ""), "https://a.example/graphql");
    assert_eq!(of("https://a.example/graphql/", ""), "https://a.example/graphql/");
    assert_eq!(of("https://a.example/v1", "?page=2"), "https://a.example/v1?page=2");
    assert_eq!(of("https://a.example/v1/", "/x?page=2"), "https://a.example/v1/x?page=2");
}

#[test]
fn a_path_never_leads_to_another_host() {
    let shop = services(&document("https://k\u{e4}se.example:8443/v1")).get("shop").unwrap();
    for path in
        ["https://evil.example/", "//evil.example", "@evil.example", "\\\\evil.example", "?@evil", "../../.."]
    {
        let url = reqwest::Url::parse(&shop.url(path)).unwrap();
        assert_eq!((url.host_str(), url.port()), (Some("xn--kse-qla.example"), Some(8443)), "{path}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let services = services(&document("https://user:secret@a.example"));
    let shown = format!("{services:?} {:?}", services.get("shop").unwrap());
    assert!(shown.contains("user") && !shown.contains("secret"));
}
