//! The messages of the compiler, each at the word that is wrong.

#[test]
fn messages_point_at_the_wrong_word() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
