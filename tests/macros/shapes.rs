//! Functions of every form.

use std::fmt::Display;
use std::future::Future;

use halfopen::{CircuitBreakerError, Registry, circuit_breaker};

use crate::{Error, global};

const NAME: &str = "constant";

#[circuit_breaker(NAME)]
fn by_constant(text: &str) -> Result<u32, Error> {
    Ok(text.parse()?)
}

#[test]
fn a_constant_is_a_name() {
    assert_eq!(by_constant("7"), Ok(7));
    assert_eq!(by_constant("x"), Err(Error::Failed), "`?` ends the body");
    let totals = global(NAME).snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (1, 1), "and the breaker has its result");
}

#[circuit_breaker("generic")]
async fn generic<'a, T>(parts: &'a [&'a str], last: &T) -> Result<&'a str, Error>
where
    T: Display + Sync + ?Sized,
{
    if last.to_string().is_empty() {
        return Err(Error::Failed);
    }
    parts.first().copied().ok_or(Error::Failed)
}

#[tokio::test]
async fn generics_and_lifetimes_are_kept() {
    let owned = String::from("first");
    let first = {
        let last = String::from("last");
        generic(&[&owned], last.as_str()).await.map(str::to_owned)
    };
    assert_eq!(first, Ok("first".to_owned()));
    assert_eq!(generic(&[], &7).await, Err(Error::Failed));
    assert_eq!(generic(&["first"], "").await, Err(Error::Failed), "a `return` ends the body");
    assert_eq!(global("generic").snapshot().totals.failures, 2);
}

#[circuit_breaker("opaque")]
async fn opaque(numbers: impl Iterator<Item = u32>) -> Result<impl Iterator<Item = u32>, Error> {
    Ok(numbers.map(|number| number + 1))
}

#[circuit_breaker("opaque")]
fn opaque_blocking<'a>(numbers: &'a [u32]) -> Result<impl Iterator<Item = u32> + use<'a>, Error> {
    Ok(numbers.iter().copied().rev())
}

#[tokio::test]
async fn impl_trait_is_an_argument_and_a_result() {
    assert!(opaque([1, 2].into_iter()).await.unwrap().eq([2, 3]));
    assert!(opaque_blocking(&[1, 2]).unwrap().eq([2, 1]));
    assert_eq!(global("opaque").snapshot().totals.successes, 2);
}

struct Client {
    registry: Registry,
    calls: u32,
}

impl Client {
    #[circuit_breaker("methods", registry = self.registry)]
    async fn shared(&self, add: u32) -> Result<u32, Error> {
        Ok(self.calls + add)
    }

    #[circuit_breaker("methods", registry = self.registry)]
    async fn exclusive(&mut self, (left, right): (u32, u32), mut add: u32) -> Result<&mut u32, Error> {
        add += left * right;
        self.calls += add;
        Ok(&mut self.calls)
    }

    #[circuit_breaker("methods", registry = self.registry)]
    fn blocking(&mut self) -> Result<u32, Error> {
        self.calls += 1;
        Ok(self.calls)
    }

    #[circuit_breaker("methods", registry = self.registry.clone())]
    async fn consumed(self) -> Result<Registry, Error> {
        Ok(self.registry)
    }
}

#[tokio::test]
async fn every_receiver_of_a_method_is_accepted() {
    let mut client = Client { registry: Registry::new(), calls: 1 };
    assert_eq!(client.shared(1).await, Ok(2));
    *client.exclusive((2, 3), 1).await.unwrap() += 1;
    assert_eq!(client.blocking(), Ok(10));
    let registry = client.consumed().await.unwrap();
    assert_eq!(registry.get("methods").unwrap().snapshot().totals.successes, 4);
    assert!(Registry::global().get("methods").is_none(), "the registry is the client's");
}

#[circuit_breaker("boxed-error")]
async fn boxed_error(
    number: &str,
) -> Result<Box<dyn Display + Send>, Box<dyn std::error::Error + Send + Sync>> {
    #![allow(clippy::useless_conversion, reason = "the body's own attributes are kept")]
    if number == "0" {
        return Err(Box::new(std::io::Error::other("zero")));
    }
    Ok(Box::new(number.parse::<u32>()?.into_iter_once()))
}

trait Once: Sized {
    fn into_iter_once(self) -> Self {
        self
    }
}

impl Once for u32 {}

#[tokio::test]
async fn values_are_coerced_as_in_a_plain_function() {
    assert_eq!(boxed_error("7").await.unwrap().to_string(), "7");
    assert_eq!(boxed_error("0").await.err().unwrap().to_string(), "zero");
    global("boxed-error").force_open();
    let error = boxed_error("7").await.err().unwrap();
    assert!(halfopen::rejection(&*error).is_some());
}

#[circuit_breaker("kept")]
async fn kept(number: &str) -> Result<u32, CircuitBreakerError<std::num::ParseIntError>> {
    number.parse()
}

#[tokio::test]
async fn a_circuit_breaker_error_keeps_the_rejection() {
    assert!(matches!(kept("x").await, Err(CircuitBreakerError::Inner(_))));
    global("kept").force_open();
    assert!(matches!(kept("1").await, Err(CircuitBreakerError::Rejected(_))));
}

trait Users {
    fn count(&self) -> impl Future<Output = Result<u32, Error>> + Send;
}

#[async_trait::async_trait]
trait DynUsers {
    async fn name(&self, id: u32) -> Result<String, Error>;
}

impl Users for Client {
    #[circuit_breaker("trait", registry = self.registry)]
    fn count(&self) -> impl Future<Output = Result<u32, Error>> + Send {
        let calls = self.calls;
        async move { if calls == 0 { Err(Error::Failed) } else { Ok(calls) } }
    }
}

#[async_trait::async_trait]
impl DynUsers for Client {
    #[circuit_breaker("trait", registry = self.registry)]
    async fn name(&self, id: u32) -> Result<String, Error> {
        if id == 0 {
            return Err(Error::Failed);
        }
        Ok(format!("user {id}"))
    }
}

#[tokio::test]
async fn methods_of_traits_are_accepted() {
    let client = Client { registry: Registry::new(), calls: 0 };
    assert_eq!(client.count().await, Err(Error::Failed));
    let users: &dyn DynUsers = &client;
    assert_eq!(users.name(7).await, Ok("user 7".to_owned()));
    assert_eq!(users.name(0).await, Err(Error::Failed));
    let breaker = client.registry.get("trait").unwrap();
    assert_eq!((breaker.snapshot().totals.successes, breaker.snapshot().totals.failures), (1, 2));

    breaker.force_open();
    assert_eq!(client.count().await, Err(Error::Rejected("trait".into())));
    assert_eq!(users.name(7).await, Err(Error::Rejected("trait".into())));
}

#[async_trait::async_trait]
trait Accounts {
    async fn balance(&mut self, text: &str) -> Result<u32, CircuitBreakerError<std::num::ParseIntError>>;
}

#[async_trait::async_trait]
impl Accounts for Client {
    #[circuit_breaker("accounts", registry = self.registry)]
    async fn balance(&mut self, text: &str) -> Result<u32, CircuitBreakerError<std::num::ParseIntError>> {
        if text.is_empty() {
            return "0".parse();
        }
        self.calls += text.parse::<u32>()?;
        Ok(self.calls)
    }
}

#[tokio::test]
async fn async_trait_methods_keep_the_rejection() {
    let mut client = Client { registry: Registry::new(), calls: 0 };
    assert_eq!((client.balance("7").await.unwrap(), client.balance("").await.unwrap()), (7, 0));
    assert!(matches!(client.balance("x").await, Err(CircuitBreakerError::Inner(_))));
    client.registry.get("accounts").unwrap().force_open();
    assert!(matches!(client.balance("7").await, Err(CircuitBreakerError::Rejected(_))));
}

macro_rules! generated {
    ($name:ident, $breaker:literal, $result:ty) => {
        #[circuit_breaker($breaker)]
        async fn $name(number: &str) -> $result {
            number.parse()
        }
    };
    (future $name:ident, $breaker:expr, $result:ty, $error:ty) => {
        #[circuit_breaker($breaker)]
        fn $name() -> impl Future<Output = Result<$result, $error>> {
            async { Err(std::io::Error::other("no")) }
        }
    };
}

generated!(parsed, "fragments", Result<u32, CircuitBreakerError<std::num::ParseIntError>>);
generated!(future later, "fragments", u32, CircuitBreakerError<std::io::Error>);

#[tokio::test]
async fn fragments_of_macro_rules_are_accepted() {
    assert_eq!(parsed("7").await.unwrap(), 7);
    assert!(matches!(parsed("x").await, Err(CircuitBreakerError::Inner(_))));
    assert!(matches!(later().await, Err(CircuitBreakerError::Inner(_))));
    let totals = global("fragments").snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (1, 2));
}

mod strict {
    //! With no name in scope that the expansion could use by accident.
    #![no_implicit_prelude]
    #![deny(missing_docs, unsafe_code, unreachable_code, unused)]

    use ::halfopen::{CircuitBreakerError, circuit_breaker};
    use ::std::io;
    use ::std::marker::Copy;
    use ::std::result::Result::{self, Ok};
    use ::std::sync::Arc;

    pub(super) struct Client;

    impl Client {
        const NAME: &'static str = "strict";

        #[must_use = "kept"]
        #[circuit_breaker(Self::NAME)]
        pub(super) async fn shared(
            self: Arc<Self>,
            mut add: u32,
        ) -> Result<u32, CircuitBreakerError<io::Error>> {
            add += 1;
            Ok(add)
        }
    }

    #[circuit_breaker("strict", error = io::Error::other)]
    pub(super) fn array<const N: usize, T>(values: [T; N], (first, _): (u32, u32)) -> io::Result<(usize, u32)>
    where
        T: Copy,
    {
        let _ = values;
        Ok((N, first))
    }
}

#[tokio::test]
async fn nothing_of_the_prelude_is_used() {
    assert_eq!(std::sync::Arc::new(strict::Client).shared(1).await.unwrap(), 2);
    assert_eq!(strict::array([0_u8; 3], (7, 8)).unwrap(), (3, 7));
}

/// A crate that exports halfopen, with a global registry that differs so that the test sees which one is used.
mod resilience {
    use std::sync::LazyLock;

    pub(crate) struct Registry;

    impl Registry {
        pub(crate) fn global() -> &'static halfopen::Registry {
            static OTHER: LazyLock<halfopen::Registry> = LazyLock::new(halfopen::Registry::new);
            &OTHER
        }
    }
}

#[circuit_breaker("elsewhere", crate = crate::shapes::resilience)]
fn elsewhere() -> Result<(), Error> {
    Ok(())
}

#[circuit_breaker("elsewhere", crate = "crate::shapes::resilience", error = |_| Error::Failed)]
async fn elsewhere_in_quotes() -> Result<(), Error> {
    Err(Error::Failed)
}

#[tokio::test]
async fn the_core_may_have_another_path() {
    assert_eq!(elsewhere(), Ok(()));
    assert_eq!(elsewhere_in_quotes().await, Err(Error::Failed));
    let totals = resilience::Registry::global().get_or_create("elsewhere").snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (1, 1));
    assert!(Registry::global().get("elsewhere").is_none());
}
