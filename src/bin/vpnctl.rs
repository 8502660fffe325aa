//! vpngw.
fn main() {}
