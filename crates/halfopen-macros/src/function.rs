//! The function below the attribute.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Signature, Token, Visibility, braced, token};

/// A function or method: all of it is kept, and its body moves into the call.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let defaultness = input.parse()?;
        let start = input.fork();
        let signature: Signature =
            input.parse().map_err(|_| start.error("`#[circuit_breaker]` is an attribute of functions"))?;
        if input.peek(Token![;]) {
            let message =
                "a function without a body makes no call: move the attribute to its implementations";
            return Err(Error::new_spanned(&signature.ident, message));
        }
        if let Some(constness) = &signature.constness {
            return Err(Error::new_spanned(
                constness,
                "a `const fn` cannot ask a breaker: its state is known at run time",
            ));
        }
        let content;
        braced!(content in input);
        // A closure cannot have these, and they mean the same outside.
        attributes.extend(content.call(Attribute::parse_inner)?.into_iter().map(outer));
        Ok(Function { attributes, visibility, defaultness, signature, body: content.parse()? })
    }
}

fn outer(attribute: Attribute) -> Attribute {
    Attribute { style: syn::AttrStyle::Outer, pound_token: token::Pound::default(), ..attribute }
}
