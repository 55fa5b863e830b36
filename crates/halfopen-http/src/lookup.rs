use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The number of values up to which a header is searched for in order.
///
/// A look-up hashes the name byte by byte, which costs as much as the comparison with this many names of other lengths.
const FEW: usize = 8;

/// Returns the first value of a header, as [`HeaderMap::get`] does.
///
/// Trailers hold two or three values, and a search in order finds one of them in a fifth of the instructions.
#[inline]
pub(crate) fn first_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    if headers.is_empty() { None } else { first_of_some(headers, name) }
}

#[inline(never)]
fn first_of_some<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    if headers.len() > FEW {
        return headers.get(name);
    }
    headers.iter().find(|(present, _)| *present == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_in_order_finds_what_a_look_up_finds() {
        let name = HeaderName::from_static("grpc-status");
        for others in [0, 1, FEW - 1, FEW, 3 * FEW] {
            let mut headers = HeaderMap::new();
            for other in 0..others {
                headers.insert(HeaderName::try_from(format!("x-{other}")).unwrap(), HeaderValue::from(other));
            }
            assert_eq!(first_value(&headers, &name), None);
            headers.append(&name, HeaderValue::from_static("14"));
            headers.append(&name, HeaderValue::from_static("0"));
            assert_eq!(
                first_value(&headers, &name).unwrap(),
                "14",
                "the first of two, after {others} others"
            );
            assert_eq!(first_value(&headers, &name), headers.get(&name));
        }
    }
}
