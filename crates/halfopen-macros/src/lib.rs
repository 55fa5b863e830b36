#![cfg_attr(docsrs, feature(doc_cfg))]
//! The attribute of [`halfopen`](https://docs.rs/halfopen), which exports it with its feature `macros`.
//!
//! Programs use `halfopen::circuit_breaker`, and have its documentation there. The code that it generates names
//! `::halfopen`; with `crate = path` another name of the core.

mod arguments;
mod expand;
mod function;
mod output;

use proc_macro::TokenStream;

/// Makes every call of a function through a circuit breaker.
///
/// Documented as `halfopen::circuit_breaker`.
#[proc_macro_attribute]
pub fn circuit_breaker(arguments: TokenStream, function: TokenStream) -> TokenStream {
    expand::expand(arguments.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
