//! Errors instead of a response.

use std::fmt;
use std::io;

use halfopen::{BoxError, Classify, Outcome, Rejected};
use http::Response;

use super::scene::{Scene, Script, rejection};
use crate::{GrpcClassify, HttpClassify, TypedErrors};

#[test]
fn an_error_is_a_failure_unless_it_is_a_rejection() {
    let end = |error: BoxError| {
        let scene = Scene::new();
        let result = scene.call().finish(&HttpClassify::new(), Err::<Response<Script>, _>(error));
        assert!(result.is_err());
        scene.ended()
    };
    assert_eq!(end("connection refused".into()), "failure");
    assert_eq!(end(io::Error::from(io::ErrorKind::TimedOut).into()), "failure");
    assert_eq!(end(Box::new(rejection())), "ignored");
    assert_eq!(end(io::Error::other(rejection()).into()), "ignored");
}

#[test]
fn typed_errors_find_a_rejection_deep_inside() {
    #[derive(Debug)]
    struct Client(Rejected);
    impl fmt::Display for Client {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no connection")
        }
    }
    impl std::error::Error for Client {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    let rules: TypedErrors<GrpcClassify> = GrpcClassify::new().typed_errors();
    let result: Result<Response<Script>, _> = Err(Client(rejection()));
    assert_eq!(rules.classify(&result), Outcome::Ignored);

    let scene = Scene::new();
    assert!(scene.call().finish(&rules, result).is_err());
    assert_eq!(scene.ended(), "ignored");
}
