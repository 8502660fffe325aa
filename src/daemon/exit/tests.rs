//! Exit codes follow from the error behind a failure.

use super::*;
use anyhow::Context;

fn failure(number: i32) -> Failure {
    let result: Result<(), _> = Err(std::io::Error::from_raw_os_error(number));
    result.context("binding UDP port 500").or_fail_as_it_is().expect_err("an error")
}

#[test]
fn a_busy_port_is_four_and_a_missing_right_is_three() {
    assert_eq!(failure(libc::EADDRINUSE).cause.code(), 4);
    assert_eq!(failure(libc::EPERM).cause.code(), 3);
    assert_eq!(failure(libc::EIO).cause.code(), 1);
}

#[test]
fn a_failure_reads_as_one_line() {
    let text = failure(libc::EADDRINUSE).to_string();
    assert!(text.starts_with("binding UDP port 500: "), "{text}");
    assert!(!text.contains('\n'));
}
