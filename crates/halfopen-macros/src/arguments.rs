//! The words in the parentheses of the attribute.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, Ident, Lit, LitStr, Path, Result, Token, parse_quote};

/// The name of the breaker, and what replaces the defaults.
pub(crate) struct Arguments {
    pub(crate) name: Expr,
    pub(crate) registry: Option<Argument>,
    pub(crate) fallback: Option<Argument>,
    pub(crate) classify: Option<Argument>,
    pub(crate) error: Option<Argument>,
    /// The path of the core, which a program may have renamed, or know by another crate that exports it.
    pub(crate) core: Path,
}

/// A key and its value.
pub(crate) struct Argument {
    pub(crate) key: Ident,
    pub(crate) value: Expr,
}

const KEYS: &str = "`registry`, `fallback`, `classify`, `error` and `crate`";

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Arguments {
            name: name(input)?,
            registry: None,
            fallback: None,
            classify: None,
            error: None,
            core: parse_quote!(::halfopen),
        };
        let mut has_core = false;
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            if input.peek(Token![crate]) {
                let key: Token![crate] = input.parse()?;
                if std::mem::replace(&mut has_core, true) {
                    return Err(Error::new(key.span, "`crate` is given twice"));
                }
                input.parse::<Token![=]>()?;
                arguments.core = core(input)?;
                continue;
            }
            arguments.set(input.parse()?)?;
        }
        if let (Some(_), Some(error)) = (&arguments.fallback, &arguments.error) {
            return Err(Error::new(error.key.span(), "`fallback` receives the rejections: remove `error`"));
        }
        Ok(arguments)
    }
}

impl Arguments {
    fn set(&mut self, argument: Argument) -> Result<()> {
        let place = match argument.key.to_string().as_str() {
            "registry" => &mut self.registry,
            "fallback" => &mut self.fallback,
            "classify" => &mut self.classify,
            "error" => &mut self.error,
            other => {
                let message = format!("unknown key `{other}`: the keys are {KEYS}");
                return Err(Error::new(argument.key.span(), message));
            }
        };
        if place.is_some() {
            let message = format!("`{}` is given twice", argument.key);
            return Err(Error::new(argument.key.span(), message));
        }
        *place = Some(argument);
        Ok(())
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key: Ident = input.parse().map_err(|error| {
            Error::new(error.span(), format!("expected a key with a value: the keys are {KEYS}"))
        })?;
        input.parse::<Token![=]>()?;
        Ok(Argument { key, value: input.parse()? })
    }
}

/// Parses the path of the core, also in quotes, as the attributes of serde have it.
fn core(input: ParseStream<'_>) -> Result<Path> {
    if input.peek(LitStr) {
        return input.parse::<LitStr>()?.parse_with(Path::parse_mod_style);
    }
    input.call(Path::parse_mod_style).map_err(|error| {
        Error::new(error.span(), "`crate` is the path of halfopen, such as `crate = ::resilience`")
    })
}

/// Returns the expression without the invisible group around a fragment of `macro_rules`.
fn bare(mut expression: Expr) -> Expr {
    while let Expr::Group(group) = expression {
        expression = *group.expr;
    }
    expression
}

fn name(input: ParseStream<'_>) -> Result<Expr> {
    const MISSING: &str =
        "the name of the breaker comes first, as in `#[circuit_breaker(\"payment_service\")]`";
    if input.is_empty() {
        // At the attribute: `input.error` would begin with "unexpected end of input".
        return Err(Error::new(Span::call_site(), MISSING));
    }
    if (input.peek(Ident) || input.peek(Token![crate])) && input.peek2(Token![=]) {
        return Err(input.error(MISSING));
    }
    let name = bare(input.parse()?);
    match &name {
        Expr::Path(_) => Ok(name),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if text.value().is_empty() => {
                Err(Error::new_spanned(&name, "the name of a breaker must not be empty"))
            }
            Lit::Str(_) => Ok(name),
            _ => Err(Error::new_spanned(&name, MISSING)),
        },
        _ => Err(Error::new_spanned(&name, "the name of a breaker is a string literal or a constant")),
    }
}
