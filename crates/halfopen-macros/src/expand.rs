//! The function that is written in place of the annotated one.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Block, Error, Expr, ExprLet, GenericArgument, Ident, Local, Pat, PathArguments, Result, Stmt,
    parse_quote, parse2,
};

use crate::arguments::{Argument, Arguments};
use crate::function::Function;
use crate::output::{Body, Output};

/// Returns the function with its body in a call through the breaker.
pub(crate) fn expand(arguments: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = parse2(arguments)?;
    let Function { attributes, visibility, defaultness, signature, body } = parse2(function)?;
    let output = Output::of(&signature)?;
    if let (true, Some(error)) = (output.keeps_rejection, &arguments.error) {
        let message = "`CircuitBreakerError` holds the rejection as it is: remove `error`";
        return Err(Error::new(error.key.span(), message));
    }
    let body = replaced(&arguments, &output, body)?;
    Ok(quote! {
        #(#attributes)*
        #visibility #defaultness #signature {
            #body
        }
    })
}

fn replaced(arguments: &Arguments, output: &Output, body: TokenStream) -> Result<TokenStream> {
    let result = &output.result;
    match output.body {
        Body::Async => Ok(call(arguments, output, &asynchronous(result, &body))),
        Body::Blocking => Ok(call(arguments, output, &quote!(|| -> #result { #body }))),
        Body::Future => {
            let call = call(arguments, output, &quote!(move || { #body }));
            Ok(quote!(async move { #call }))
        }
        Body::Boxed => {
            let (before, pin, future) = boxed(body, result)?;
            let call = call(arguments, output, &quote!(move || #future));
            Ok(quote!(#(#before)* #pin(async move { #call })))
        }
    }
}

fn asynchronous(result: &impl ToTokens, body: &TokenStream) -> TokenStream {
    let none = Ident::new("none", Span::mixed_site());
    // An async block has no place for its type, and that of an async closure does not coerce: `Ok(Box::new(..))` would
    // not become a `Box<dyn ..>`. The first `return` decides it.
    quote! {
        move || async move {
            if let ::core::option::Option::Some(#none) = ::core::option::Option::None::<#result> {
                return #none;
            }
            #body
        }
    }
}

/// The statements that look up the breaker and make the call.
fn call(arguments: &Arguments, output: &Output, operation: &TokenStream) -> TokenStream {
    let Arguments { name, registry, fallback, classify, error, core } = arguments;
    // A name that the body, the registry and the fallback cannot see.
    let breaker = Ident::new("breaker", Span::mixed_site());
    let registry = match registry {
        Some(Argument { value, .. }) => quote_spanned!(value.span()=> (#value).get_or_create(#name)),
        None => quote!(#core::Registry::global().get_or_create(#name)),
    };
    let is_blocking = matches!(output.body, Body::Blocking);
    let waiting = (!is_blocking).then(|| quote!(.await));
    let call = match (classify, fallback, is_blocking) {
        (None, None, false) => quote!(#breaker.call(#operation)),
        (None, Some(fallback), false) => with_fallback(&quote!(#breaker), operation, &fallback.value),
        (Some(classify), Some(fallback), false) => {
            let classify = &classify.value;
            with_fallback(&quote!(#breaker.classified(#classify)), operation, &fallback.value)
        }
        (Some(classify), None, false) => with_classifier("call_with", &breaker, operation, &classify.value),
        (None, _, true) => quote!(#breaker.call_blocking(#operation)),
        (Some(classify), _, true) => {
            with_classifier("call_blocking_with", &breaker, operation, &classify.value)
        }
    };
    let answer = match (fallback, is_blocking) {
        (None, _) => (!output.keeps_rejection).then(|| to_own_error(error.as_ref(), output.error)),
        (Some(Argument { value, .. }), true) => Some(quote_spanned!(value.span()=> .or_else(#value))),
        (Some(_), false) => None,
    };
    quote! {
        let #breaker = #registry;
        #call #waiting #answer
    }
}

fn with_fallback(breaker: &TokenStream, operation: &TokenStream, fallback: &Expr) -> TokenStream {
    quote_spanned!(fallback.span()=> #breaker.call_with_fallback(#operation, #fallback))
}

fn with_classifier(method: &str, breaker: &Ident, operation: &TokenStream, classify: &Expr) -> TokenStream {
    let method = Ident::new(method, classify.span());
    quote_spanned!(classify.span()=> #breaker.#method(#operation, &#classify))
}

/// A rejection becomes the function's own error; the error of the body is one.
fn to_own_error(error: Option<&Argument>, written: Span) -> TokenStream {
    let convert = match error {
        Some(Argument { value, .. }) => value.to_token_stream(),
        // Where the type of the error is written, so that a missing `From<Rejected>` is reported there.
        None => quote_spanned!(written=> ::core::convert::From::from),
    };
    let error = Ident::new("error", Span::mixed_site().located_at(convert.span()));
    quote_spanned!(convert.span()=> .map_err(|#error| #error.into_inner_or_else(#convert)))
}

/// Takes a body that ends in `Box::pin(future)` apart, so that the call is made in the same box.
fn boxed(body: TokenStream, result: &impl ToTokens) -> Result<(Vec<Stmt>, TokenStream, TokenStream)> {
    let mut statements = Block::parse_within.parse2(body)?;
    let Some(Stmt::Expr(Expr::Call(mut pin), None)) = statements.pop() else {
        return Err(Error::new_spanned(
            result,
            "a function that returns a boxed future must end in `Box::pin(..)`: the call is made in that box",
        ));
    };
    match (pin.args.pop(), pin.args.is_empty()) {
        (Some(mut future), true) => {
            of_async_trait(&mut future, result);
            Ok((statements, pin.func.into_token_stream(), future.into_token_stream()))
        }
        _ => Err(Error::new_spanned(pin, "`Box::pin` has one argument, the future")),
    }
}

/// Writes the result of the body in place of that of the function, where `async_trait` has written the latter.
///
/// It has the type twice, at a variable of one name: `if let Some(__ret) = None::<Type> { return __ret; }` and
/// `let __ret: Type = { body };`.
fn of_async_trait(future: &mut Expr, result: &impl ToTokens) {
    let Expr::Async(future) = future else { return };
    for statement in &mut future.block.stmts {
        match statement {
            Stmt::Local(Local { pat: Pat::Type(typed), .. }) if is_ret(&typed.pat) => {
                typed.ty = parse_quote!(#result);
            }
            Stmt::Expr(Expr::If(condition), _) => {
                if let Some(typed) = decides_ret(&mut condition.cond) {
                    *typed = parse_quote!(#result);
                }
            }
            _ => {}
        }
    }
}

fn is_ret(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(variable) if variable.ident == "__ret")
}

/// Returns the type in `let Some(__ret) = None::<Type>`.
fn decides_ret(condition: &mut Expr) -> Option<&mut GenericArgument> {
    let Expr::Let(ExprLet { pat, expr, .. }) = condition else { return None };
    let Pat::TupleStruct(some) = &**pat else { return None };
    let (true, Expr::Path(none)) = (some.elems.iter().any(is_ret), &mut **expr) else { return None };
    match &mut none.path.segments.last_mut()?.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.first_mut(),
        PathArguments::None | PathArguments::Parenthesized(_) => None,
    }
}
