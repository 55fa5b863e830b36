//! The type that a function returns, as far as its words show it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    Error, GenericArgument, Path, PathArguments, PathSegment, Result, ReturnType, Type, TypeGroup,
    TypeParamBound, TypeParen, parse_quote,
};

/// How the body of a function makes its call.
pub(crate) enum Body {
    /// The block of an `async fn`.
    Async,
    /// The block of a function that blocks.
    Blocking,
    /// A block that returns a future.
    Future,
    /// A block that returns a future in a box, as `async_trait` makes them.
    Boxed,
}

/// The result of a call.
pub(crate) struct Output {
    pub(crate) body: Body,
    /// The result of the body.
    pub(crate) result: Type,
    /// Where the type of the error is written, or the whole result.
    pub(crate) error: Span,
    /// True if the function returns a `CircuitBreakerError`, and the body the error inside of it.
    pub(crate) keeps_rejection: bool,
}

impl Output {
    pub(crate) fn of(signature: &syn::Signature) -> Result<Output> {
        let written = match &signature.output {
            ReturnType::Type(_, written) => bare(written),
            ReturnType::Default => return Err(Error::new_spanned(&signature.ident, NO_RESULT)),
        };
        let (body, result) = match (signature.asyncness.is_some(), future(written)) {
            (true, _) => (Body::Async, written),
            (false, Some((body, output))) => (body, bare(output)),
            (false, None) => (Body::Blocking, written),
        };
        if is_no_result(result) {
            return Err(Error::new_spanned(result, NO_RESULT));
        }
        let error = error_of(result).map_or_else(|| result.span(), Spanned::span);
        let (result, keeps_rejection) = of_the_body(result);
        Ok(Output { body, result, error, keeps_rejection })
    }
}

const NO_RESULT: &str = "a function behind a circuit breaker returns a `Result`: its `Err` is a failure, and a rejection becomes one";

/// Returns the output of a future, of which the type is `impl Future<..>` or `Pin<Box<dyn Future<..>>>`.
fn future(written: &Type) -> Option<(Body, &Type)> {
    match written {
        Type::ImplTrait(future) => Some((Body::Future, future.bounds.iter().find_map(output)?)),
        Type::Path(path) => {
            let boxed = argument(named(&path.path, "Pin")?)?;
            let Type::Path(boxed) = boxed else { return None };
            let Type::TraitObject(object) = argument(named(&boxed.path, "Box")?)? else { return None };
            Some((Body::Boxed, object.bounds.iter().find_map(output)?))
        }
        _ => None,
    }
}

/// Returns the `T` of a bound `Future<Output = T>`.
fn output(bound: &TypeParamBound) -> Option<&Type> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    let PathArguments::AngleBracketed(arguments) = &named(&bound.path, "Future")?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
        _ => None,
    })
}

fn named<'a>(path: &'a Path, name: &str) -> Option<&'a PathSegment> {
    path.segments.last().filter(|segment| segment.ident == name)
}

/// Returns the type without the invisible groups around fragments of `macro_rules`, and without parentheses.
fn bare(mut written: &Type) -> &Type {
    while let Type::Group(TypeGroup { elem, .. }) | Type::Paren(TypeParen { elem, .. }) = written {
        written = elem;
    }
    written
}

/// Returns the first type between the angle brackets.
fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(bare(argument)),
        _ => None,
    })
}

/// Returns the second argument of `Result<T, E>`.
fn error_of(result: &Type) -> Option<&GenericArgument> {
    let Type::Path(path) = result else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    arguments.args.iter().nth(1)
}

/// Returns true of types that cannot be an alias of `Result`. Of all others, the compiler decides.
fn is_no_result(written: &Type) -> bool {
    const KNOWN: [&str; 20] = [
        "Box", "Option", "Pin", "String", "Vec", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64",
        "i8", "u128", "u16", "u32", "u64", "u8", "usize",
    ];
    match written {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| KNOWN.iter().any(|known| last.ident == known))
        }
        Type::Infer(_) | Type::Macro(_) | Type::Group(_) | Type::Paren(_) | Type::Verbatim(_) => false,
        _ => true,
    }
}

/// Returns the type of the body's result, in a form that a closure can return, and whether it differs.
fn of_the_body(written: &Type) -> (Type, bool) {
    let mut result: Type = parse_quote!(#written);
    let Type::Path(path) = &mut result else { return (result, false) };
    let Some(last) = path.path.segments.last_mut() else { return (result, false) };
    let PathArguments::AngleBracketed(arguments) = &mut last.arguments else { return (result, false) };
    let mut keeps_rejection = false;
    for (index, argument) in arguments.args.iter_mut().enumerate() {
        let GenericArgument::Type(part) = argument else { continue };
        if let (1, Some(inner)) = (index, inner_error(part)) {
            *part = parse_quote!(#inner);
            keeps_rejection = true;
        }
        // A closure cannot return `impl Trait`, whose type the body decides anyway.
        if has_impl(part.to_token_stream()) {
            *part = parse_quote!(_);
        }
    }
    (result, keeps_rejection)
}

/// Returns the `E` of `CircuitBreakerError<E>`.
fn inner_error(written: &Type) -> Option<&Type> {
    let Type::Path(path) = bare(written) else { return None };
    argument(named(&path.path, "CircuitBreakerError")?)
}

fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
